"""Write the glossary of the report into docs/report.md: `python docs/make_glossary.py`; a test compares the two."""

from __future__ import annotations

from pathlib import Path

from study.pages.glossary import glossary_markdown

PAGE = Path(__file__).with_name("report.md")
START, END = "<!-- from study/pages/glossary.py by docs/make_glossary.py -->\n", "<!-- end -->\n"


def page(text: str) -> str:
    """Return the page with the glossary between its marks."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    assert start, "the page has no place for the glossary"
    assert end, "the place for the glossary has no end"
    return f"{before}{START}\n{glossary_markdown()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
