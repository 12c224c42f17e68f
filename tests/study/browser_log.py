"""What a browser has logged since it was last asked."""

from __future__ import annotations

from selenium import webdriver


def log(browser: webdriver.Chrome, kind: str, *, level: str | None = None) -> list[str]:
    """Return the messages of a kind (`browser` or `performance`), of one level or of all."""
    entries: list[dict[str, str]] = browser.get_log(kind)  # type: ignore[no-untyped-call]  # selenium leaves it untyped
    return [entry["message"] for entry in entries if level in {None, entry["level"]}]
