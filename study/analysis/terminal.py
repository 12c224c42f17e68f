"""Tables on a terminal of any width: no figure is cut, and no character is replaced by an ellipsis.

Settings that all rows share become one line. If the rest is still too wide, headings fold between their
words, then texts do, and then the table is split: its last columns continue below, beside the columns that name a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.align import Align
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

_GAP = 2
_CHARACTER = 2
"""Places that the widest character takes, as Chinese ones do: a narrower column would lose it."""
_NARROWEST = 20
"""Texts are folded to this width before a table is split."""


@dataclass(frozen=True)
class Column:
    """A heading and its cells, from the first row to the last."""

    heading: str
    cells: tuple[Text, ...]
    is_text: bool
    """Left-aligned and folded between words if need be; figures are right-aligned and stay whole."""
    is_setting: bool
    """Stands in one line above the table where all rows have the same value."""

    def width(self, lines: int) -> int:
        """Return the width at which no cell folds, and the heading into so many lines at most."""
        return max(_width_in_lines(self.heading, lines), *(cell_len(cell.plain) for cell in self.cells), 0)

    @property
    def folded(self) -> int:
        """The least width at which no cell folds."""
        return self.width(len(self.heading))

    @property
    def least(self) -> int:
        """The least width; texts fold."""
        words = max(map(_longest_word, (self.heading, *(cell.plain for cell in self.cells))))
        return max(words, min(self.folded, _NARROWEST)) if self.is_text else self.folded


def fitted(columns: Sequence[Column], keys: int, width: int) -> Iterator[Table | Text]:
    """Yield what shows a table in `width` columns of characters.

    Args:
        columns: all of the same length.
        keys: how many of the first columns tell the rows apart; they are repeated where the table is split.
        width: of the terminal.
    """
    shared = [place for place, column in enumerate(columns) if place != keys - 1 and _is_shared(column)]
    if shared:
        shown = "; ".join(f"{columns[place].heading} {columns[place].cells[0].plain}" for place in shared)
        yield Text(f"in all rows: {shown}")
    varying = [column for place, column in enumerate(columns) if place not in shared]
    keys -= sum(place < keys for place in shared)
    for number, part in enumerate(_parts(varying[:keys], varying[keys:], width)):
        if number:
            yield Text()
        yield _grid(part, _widths(part, width))


def _is_shared(column: Column) -> bool:
    return column.is_setting and len(column.cells) > 1 and len({cell.plain for cell in column.cells}) == 1


def _parts(keys: Sequence[Column], others: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """Yield the columns of each part that a table is split into; a single one if it fits."""
    part, used = list(keys), _total([column.least for column in keys])
    for column in others:
        if len(part) > len(keys) and used + _GAP + column.least > width:
            yield part
            part, used = list(keys), _total([column.least for column in keys])
        part.append(column)
        used += _GAP + column.least
    yield part


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """Return the width of each column, which folds no further than it takes for all to fit."""
    for lines in range(1, 1 + max(len(column.heading.split()) for column in columns)):
        wanted = [column.width(lines) for column in columns]
        if _total(wanted) <= width:
            return wanted
    least = [column.least for column in columns]
    spare = width - _total(least)
    for place in sorted(range(len(columns)), key=lambda place: least[place], reverse=True):
        # A negative rest means that a word or a path is wider than the terminal: it folds within the word.
        wider = columns[place].folded - least[place]
        change = min(spare, wider) if spare >= 0 else max(spare, min(0, _CHARACTER - least[place]))
        if columns[place].is_text or spare < 0:
            least[place] += change
            spare -= change
    return least


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _grid(columns: Sequence[Column], widths: Sequence[int]) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        side: Literal["left", "right"] = "left" if column.is_text else "right"
        grid.add_column(
            Align(Text(column.heading, justify=side), side, vertical="bottom"),
            justify=side,
            overflow="fold",
            width=width,
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*row)
    return grid


def _width_in_lines(text: str, lines: int) -> int:
    """Return the least width at which a text folds into so many lines at most, as far as its words allow."""
    for width in range(_longest_word(text), cell_len(text)):
        used, left = 1, width
        for length in map(cell_len, text.split()):
            used, left = (used, left - length - 1) if length <= left else (used + 1, width - length - 1)
        if used <= lines:
            return width
    return cell_len(text)


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)
