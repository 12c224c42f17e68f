"""Tables that are shown three ways: on a terminal, in Markdown, and (by the page's template) in HTML.

Also the tables of `study.evaluate`: one encoder's scores by setting, and by language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from study.analysis import formats
from study.analysis.terminal import Column, fitted
from study.config import SEPARATOR
from study.config_values import Schedule
from study.results.trial_result import BenchmarkResult
from tasks.metrics import language_bias


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
    keys: int = 1
    """How many of the first columns tell the rows apart; a narrow terminal repeats them."""
    settings: frozenset[str] = frozenset()
    """Headings of columns that a terminal shows as one line if all rows agree."""

    def __post_init__(self) -> None:
        """Check that all rows have the same length."""
        assert all(len(row) == len(self.headings) for row in self.rows), self.title

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table for `rich`, below its title, at the width of the terminal."""
        yield Text(self.title, style="italic")
        cells = zip(*self.rows, strict=True) if self.rows else (() for _ in self.headings)
        columns = [
            Column(
                heading,
                tuple(Text(cell.text, style="bold" if cell.strong else "") for cell in column),
                is_text=heading in self.left,
                is_setting=heading in self.settings,
            )
            for heading, column in zip(self.headings, cells, strict=True)
        ]
        yield from fitted(columns, self.keys, options.max_width)

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


def markdown_list(sentences: Sequence[str]) -> str:
    """Return sentences as a list in Markdown."""
    return "\n".join(f"- {escape_markdown(sentence)}" for sentence in sentences)


def paragraphs(parts: Sequence[str]) -> str:
    """Return Markdown parts separated by empty lines."""
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def benchmark_line(name: str, measured: BenchmarkResult) -> str:
    """Return a benchmark's name, size, data revision and protocol on one line."""
    queries, passages = sum(measured.queries.values()), sum(measured.passages.values())
    details = "".join(f", {key} {value}" for key, value in measured.details.items())
    return f"{name}: {queries:,} queries, {passages:,} passages, revision {measured.revision}{details}"


def settings_table(name: str, measured: BenchmarkResult) -> Table:
    """Return the macro averages of one benchmark: one row per metric, one column per setting."""
    values: dict[str, dict[str, float]] = {}
    for key, value in measured.metrics.items():
        _, setting, metric = key.split(SEPARATOR)
        values.setdefault(metric, {})[setting] = value
    settings = list(dict.fromkeys(setting for by_setting in values.values() for setting in by_setting))
    rows = [
        (Cell(formats.metric_name(metric)), *(_measured(metric, by_setting.get(setting)) for setting in settings))
        for metric, by_setting in values.items()
    ]
    headings = ("metric", *map(formats.setting_name, settings))
    return Table(benchmark_line(name, measured), headings, tuple(rows), frozenset({"metric"}))


def languages_table(measured: BenchmarkResult) -> Table:
    """Return one benchmark's first metric by query language and setting, and its language bias where there is any."""
    by_language = measured.by_language
    languages = sorted({language for scores in by_language.values() for language in scores})
    metric = next(iter(next(iter(next(iter(by_language.values())).values()))))
    columns = {formats.setting_name(setting): (setting, metric) for setting in by_language}
    columns |= {
        bias.title: (setting, bias.name)
        for setting, scores in by_language.items()
        for bias in language_bias()
        if any(bias.name in values for values in scores.values())
    }
    rows = []
    for language in languages:
        values = ((name, by_language[setting].get(language, {}).get(name)) for setting, name in columns.values())
        rows.append((Cell(language), *(_measured(name, value) for name, value in values)))
    title = f"by query language, {formats.metric_name(metric)}"
    return Table(title, ("language", *columns), tuple(rows), frozenset({"language"}))


def _measured(metric: str, value: float | None) -> Cell:
    """Return a cell with a measured value; empty where it was not measured."""
    return Cell("") if value is None else number_cell(value, formats.decimals(metric))
