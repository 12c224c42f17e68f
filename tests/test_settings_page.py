"""docs/settings.md says what a search space takes."""

from __future__ import annotations

import runpy
from pathlib import Path

MAKER = Path(__file__).parents[1] / "docs" / "make_settings.py"


def test_the_page_of_settings_is_what_the_code_says() -> None:
    made = runpy.run_path(str(MAKER))
    assert made["page"]() == MAKER.with_name("settings.md").read_text("utf-8"), "run `python docs/make_settings.py`"


def test_every_setting_has_a_meaning_on_the_page() -> None:
    page = MAKER.with_name("settings.md").read_text("utf-8")
    rows = [line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert [name for name, *_, meaning in rows if not meaning.strip()] == []
