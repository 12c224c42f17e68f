"""Tables: one content, shown on a terminal and in Markdown, and sorted by value."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from study.analysis.formats import NOTHING
from study.analysis.tables import Cell, Table, escape_markdown, number_cell

TABLE = Table(
    "ผล | ของการศึกษา",
    ("ชื่อ", "mAP"),
    ((Cell("a|b <script>"), number_cell(0.51234)), (Cell("نموذج", strong=True), number_cell(None))),
    frozenset({"ชื่อ"}),
)


def test_markdown_has_a_row_a_line_and_no_mark_of_its_own_in_the_text() -> None:
    assert TABLE.markdown().splitlines() == [
        "**ผล \\| ของการศึกษา**",
        "",
        "| ชื่อ | mAP |",
        "| :-- | --: |",
        "| a\\|b \\<script\\> | 0.512 |",
        f"| **نموذج** | {NOTHING} |",
    ]


def test_a_terminal_shows_text_as_it_is_brackets_included() -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(Table("[red]x[/]", ("a",), ((Cell("[bold]語[/]"),),)))
    assert "[red]x[/]" in out.getvalue()
    assert "[bold]語[/]" in out.getvalue()


def test_cells_sort_by_their_value_else_by_their_text_and_nothing_has_no_key() -> None:
    assert [cell.key for cell in (number_cell(-0.12345, 2), Cell("語"), number_cell(None))] == [-0.12345, "語", ""]


def test_a_negative_figure_has_a_minus_sign() -> None:
    assert number_cell(-0.5, 1).text == "−0.5"


@given(st.text())
def test_escaped_text_is_one_line_with_every_mark_escaped(text: str) -> None:
    escaped = escape_markdown(text)
    assert len(escaped.splitlines()) <= 1
    assert not [i for i, mark in enumerate(escaped) if mark in "|<`" and escaped[i - 1] != "\\"]
