"""A table once, shown three ways: on a terminal, in Markdown, and (by the page's template) in HTML.

One encoder's figures in tables: settings by metric, and languages by setting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from tasks.metrics import known_metric, language_bias

NOTHING = "–"


class Cell(NamedTuple):
    """What is shown, and what it is sorted by."""

    text: str
    value: float | str | None = None
    """The text itself where none is given."""
    strong: bool = False

    @property
    def key(self) -> float | str:
        """What the cell is sorted by; empty where there is nothing to sort."""
        if isinstance(self.value, float):
            return float(f"{self.value:.6g}")
        return self.value if self.value is not None else self.text.replace(NOTHING, "")


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left: frozenset[str] = frozenset()
    """Headings of columns of words; columns of figures stand to the right."""

    def __post_init__(self) -> None:
        """Check the shape."""
        assert all(len(row) == len(self.headings) for row in self.rows), self.title

    def __rich__(self) -> Group:
        """Return the table as `rich` prints it, under a title that may be wider."""
        table = RichTable(box=None, pad_edge=False, header_style="bold")
        for heading in self.headings:
            table.add_column(
                Text(heading),
                justify="left" if heading in self.left else "right",
                no_wrap=heading in self.left,
            )
        for row in self.rows:
            table.add_row(*(Text(cell.text, style="bold" if cell.strong else "") for cell in row))
        return Group(Text(self.title, style="italic"), table)

    def markdown(self) -> str:
        """Return the table as GitHub's Markdown, under its title in bold."""
        rules = [":--" if heading in self.left else "--:" for heading in self.headings]
        lines = [[escape_markdown(heading) for heading in self.headings], rules]
        lines += [[_markdown(cell) for cell in row] for row in self.rows]
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"**{escape_markdown(self.title)}**\n\n{body}\n"


def _markdown(cell: Cell) -> str:
    text = escape_markdown(cell.text)
    return f"**{text}**" if cell.strong else text


def figure(value: float | None, decimals: int = 3) -> Cell:
    """Return a cell with a number, sorted by all its digits; a dash for None."""
    return Cell(NOTHING) if value is None else Cell(f"{value:.{decimals}f}".replace("-", "−"), value)


def words(*texts: str) -> tuple[Cell, ...]:
    """Return cells with words."""
    return tuple(Cell(text) for text in texts)


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is, in a table too."""
    for mark in "\\`*_{}[]<>|#":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())


def paragraphs(parts: Sequence[str]) -> str:
    """Return Markdown parts one below the other."""
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def settings_table(name: str, measured: Mapping[str, Any]) -> RichTable:
    """Return the macro figures of one benchmark: a row a setting, a column a metric.

    Args:
        name: the benchmark's.
        measured: its entry under `benchmarks` in a result.
    """
    queries, passages = sum(measured["queries"].values()), sum(measured["passages"].values())
    details = "".join(f", {key} {value}" for key, value in measured["details"].items())
    table = _table(f"{name}: {queries:,} queries, {passages:,} passages, revision {measured['revision']}{details}")
    figures: dict[str, dict[str, float]] = {}
    for key, value in measured["metrics"].items():
        _, *settings, metric = key.split("/")
        setting = settings[0] if settings else next(iter(measured["by_language"]))
        figures.setdefault(setting, {})[metric] = value
    metrics = list(dict.fromkeys(metric for held in figures.values() for metric in held))
    table.add_column("setting")
    for metric in metrics:
        table.add_column(metric.replace("_", " "), justify="right")
    for setting, held in figures.items():
        table.add_row(setting, *(_shown(metric, held.get(metric)) for metric in metrics))
    return table


def languages_table(measured: Mapping[str, Any]) -> RichTable:
    """Return one benchmark's first metric by query language and setting, and its language bias where there is any."""
    by_language = measured["by_language"]
    languages = sorted({language for held in by_language.values() for language in held})
    metric = next(iter(next(iter(next(iter(by_language.values())).values()))))
    columns = [(setting, metric) for setting in by_language]
    columns += [
        (setting, bias.name)
        for setting, held in by_language.items()
        for bias in language_bias()
        if any(bias.name in figures for figures in held.values())
    ]
    table = _table(f"by query language, {metric}")
    table.add_column("language")
    for setting, name in columns:
        table.add_column(setting if name == metric else name.replace("_", " "), justify="right")
    for language in languages:
        figures = [(name, by_language[setting].get(language, {}).get(name)) for setting, name in columns]
        table.add_row(language, *(_shown(name, value) for name, value in figures))
    return table


def _table(title: str) -> RichTable:
    return RichTable(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")


def _shown(metric: str, value: float | None) -> str:
    if value is None:
        return ""
    record = known_metric(metric)
    return f"{value:,.{record.decimals if record else 3}f}"
