"""What can happen to a folder of files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bad_inputs.case import Templates, files

Change = Callable[[Path], object]
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
WEB_PAGE = "<!DOCTYPE html>\n<html><body>Sign in to continue</body></html>\n"


def overwritten(name: str, content: bytes | str) -> Change:
    """Give a file another content."""
    return lambda folder: files({name: content})(folder, Templates(folder, folder))


def as_json(name: str, value: Any) -> Change:
    """Give a JSON file another value."""
    return overwritten(name, json.dumps(value, ensure_ascii=False))


def edited(name: str, edit: Callable[[Any], object]) -> Change:
    """Change the value of a JSON file in place."""

    def change(folder: Path) -> None:
        value = json.loads((folder / name).read_text("utf-8"))
        edit(value)
        (folder / name).write_text(json.dumps(value), "utf-8")

    return change


def updated(name: str, **values: Any) -> Change:
    """Change keys of a JSON file."""
    return edited(name, lambda value: value.update(values))


def cut(name: str, end: int | None = None) -> Change:
    """Cut a file after so many bytes, or in the middle."""

    def change(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2 if end is None else end])

    return change


def removed(*names: str) -> Change:
    """Remove files."""

    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def moved(name: str) -> Change:
    """Move a file or folder out of the way."""
    return lambda folder: (folder / name).rename(folder / "elsewhere")


def as_folder(name: str) -> Change:
    """Put a folder in the place of a file."""
    return both(removed(name), lambda folder: (folder / name).mkdir())


def both(*changes: Change) -> Change:
    """Do one after the other."""
    return lambda folder: [change(folder) for change in changes]
