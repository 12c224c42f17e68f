"""Tables that are shown three ways: on a terminal, in Markdown, and (by the page's template) in HTML.

Also the tables of `study.evaluate`: one encoder's scores by setting, and by language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from study.analysis import formats
from study.config_values import Schedule
from study.results.trial_result import BenchmarkResult
from tasks.metrics import known_metric, language_bias


class Cell(NamedTuple):
    """A text, and the value that its column is sorted by."""

    text: str
    value: float | str | None = None
    """The text itself unless given."""
    strong: bool = False

    @property
    def key(self) -> float | str:
        """The sort key; empty if the cell has no value."""
        if isinstance(self.value, float):
            return float(f"{self.value:.6g}")
        return self.value if self.value is not None else self.text.replace(formats.NOTHING, "")


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left: frozenset[str] = frozenset()
    """Headings of left-aligned columns, those of texts; numbers are right-aligned."""

    def __post_init__(self) -> None:
        """Check that all rows have the same length."""
        assert all(len(row) == len(self.headings) for row in self.rows), self.title

    def __rich__(self) -> Group:
        """Return the table for `rich`, below its title, which may be wider."""
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
        """Return the table in GitHub's Markdown, below its title in bold."""
        rules = [":--" if heading in self.left else "--:" for heading in self.headings]
        lines = [[escape_markdown(heading) for heading in self.headings], rules]
        lines += [[_markdown(cell) for cell in row] for row in self.rows]
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"**{escape_markdown(self.title)}**\n\n{body}\n"


def _markdown(cell: Cell) -> str:
    text = escape_markdown(cell.text)
    return f"**{text}**" if cell.strong else text


def number_cell(value: float | None, places: int = 3) -> Cell:
    """Return a cell with a number, sorted by all its digits; a dash for None."""
    return Cell(formats.fixed(value, places), value)


def setting_cell(value: Any) -> Cell:
    """Return a cell with a setting; a schedule is sorted by where it starts."""
    first = value.start if isinstance(value, Schedule) else value
    return Cell(formats.setting(value), first if isinstance(first, float | int) else None)


def text_cells(*texts: str) -> tuple[Cell, ...]:
    """Return cells with texts."""
    return tuple(Cell(text) for text in texts)


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows unchanged, also in a table."""
    for mark in "\\`*_{}[]<>|#":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())


def paragraphs(parts: Sequence[str]) -> str:
    """Return Markdown parts separated by empty lines."""
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def benchmark_line(name: str, measured: BenchmarkResult) -> str:
    """Return a benchmark's name, size, data revision and protocol on one line."""
    queries, passages = sum(measured.queries.values()), sum(measured.passages.values())
    details = "".join(f", {key} {value}" for key, value in measured.details.items())
    return f"{name}: {queries:,} queries, {passages:,} passages, revision {measured.revision}{details}"


def settings_table(name: str, measured: BenchmarkResult) -> RichTable:
    """Return the macro averages of one benchmark: one row per setting, one column per metric."""
    rows: dict[str, dict[str, float]] = {}
    for key, value in measured.metrics.items():
        _, *settings, metric = key.split("/")
        setting = settings[0] if settings else next(iter(measured.by_language))
        rows.setdefault(setting, {})[metric] = value
    metrics = list(dict.fromkeys(metric for values in rows.values() for metric in values))
    table = _rich_table(benchmark_line(name, measured))
    table.add_column("setting")
    for metric in metrics:
        table.add_column(metric.replace("_", " "), justify="right")
    for setting, values in rows.items():
        table.add_row(setting, *(_number(metric, values.get(metric)) for metric in metrics))
    return table


def languages_table(measured: BenchmarkResult) -> RichTable:
    """Return one benchmark's first metric by query language and setting, and its language bias where there is any."""
    by_language = measured.by_language
    languages = sorted({language for scores in by_language.values() for language in scores})
    metric = next(iter(next(iter(next(iter(by_language.values())).values()))))
    columns = [(setting, metric) for setting in by_language]
    columns += [
        (setting, bias.name)
        for setting, scores in by_language.items()
        for bias in language_bias()
        if any(bias.name in values for values in scores.values())
    ]
    table = _rich_table(f"by query language, {metric}")
    table.add_column("language")
    for setting, name in columns:
        table.add_column(setting if name == metric else name.replace("_", " "), justify="right")
    for language in languages:
        values = [(name, by_language[setting].get(language, {}).get(name)) for setting, name in columns]
        table.add_row(language, *(_number(name, value) for name, value in values))
    return table


def _rich_table(title: str) -> RichTable:
    return RichTable(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")


def _number(metric: str, value: float | None) -> str:
    if value is None:
        return ""
    record = known_metric(metric)
    return f"{value:,.{record.decimals if record else 3}f}"
