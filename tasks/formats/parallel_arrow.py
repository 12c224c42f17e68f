"""Parallel corpora of any size in Arrow files: converted once, then memory-mapped, without a Python object per row.

The pages that a batch reads are released after it, so that a worker's memory does not grow with the rows it has drawn.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.data.cache import conversion
from tasks.data.mapped import MappedArray, MappedTable, slices
from tasks.formats.parallel_writer import (
    ABOUT,
    CROSSLINGUAL,
    IDS,
    SETS,
    TEXT_KEYS,
    Row,
    components_file,
    keys_file,
    rows_file,
    texts_file,
    write,
)
from tasks.schema import Keys, Pair, Rows

_LOG = logging.getLogger(__name__)
_WITHOUT_TEXT = "without a query or a passage in the columns that are read"
LAYOUT = "6"
"""Version of the files; raise it whenever `tasks.formats.parallel_writer` writes them differently."""


def converted(name: str, recipe: str, sources: Sequence[Path], rows: Callable[[], Iterable[Row]]) -> ParallelArrow:
    """Return the corpus made of the source files, converted on first use.

    Args:
        name: the corpus's name.
        recipe: says how rows are made; another recipe is another conversion.
        sources: the files `rows` reads.
        rows: yields each row as language -> pair, with its id if it has one; called only for a conversion.

    Raises:
        TaskError: the sources are malformed or hold no row.
    """

    def build(partial: Path) -> None:
        left_out = write(partial, rows())
        if left_out:
            _LOG.warning("corpus '%s': %s rows %s are left out", name, f"{left_out:,}", _WITHOUT_TEXT)

    folder, digest = conversion(name, f"{LAYOUT} {recipe}", sources, build)
    return ParallelArrow(name, digest, folder)


class ParallelArrow:
    """A corpus in a folder that `tasks.formats.parallel_writer` wrote."""

    def __init__(self, name: str, revision: str, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self._name, self._revision = name, revision
        self._size: int = about["rows"]
        self._left_out: int = about["left_out"]
        self._fewest_negatives: int = about["fewest_negatives"]
        self._languages = tuple(about["languages"])
        self._sets = [tuple(languages) for languages in about["sets"]]
        self._set_of_row = _array(folder / SETS, np.int32)
        self._texts = {language: MappedTable(texts_file(folder, language)) for language in self._languages}
        self._rows = {language: _array(rows_file(folder, language), np.int64) for language in self._languages}
        self._text_keys = MappedArray(folder / TEXT_KEYS, np.int64)
        self._ids = MappedTable(folder / IDS) if (folder / IDS).exists() else None
        self._crosslingual = _array(folder / CROSSLINGUAL, np.int64)
        self._keys = [MappedArray(keys_file(folder, side), np.int64) for side in ("query", "passage")]
        self._components = [MappedArray(components_file(folder, side), np.int64) for side in ("query", "passage")]

    @property
    def name(self) -> str:
        """The corpus's name in a search space."""
        return self._name

    @property
    def revision(self) -> str:
        """The digest of the source files."""
        return self._revision

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language some row has, sorted."""
        return self._languages

    @property
    def left_out(self) -> Mapping[str, int]:
        """The rows of the source files without a text that is read."""
        return {_WITHOUT_TEXT: self._left_out} if self._left_out else {}

    @property
    def fewest_negatives(self) -> int:
        """The smallest number of hard negatives of any row in any of its languages."""
        return self._fewest_negatives

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._size

    def rows(self, language: str | None = None) -> Sequence[int] | Rows:
        """Return the rows that have `language`; without one, the rows in two or more languages."""
        if language is not None and language not in self._rows:
            return range(0)
        listed = self._crosslingual if language is None else self._rows[language]
        return range(self._size) if listed is None else listed.values

    def row_languages(self, row: int) -> tuple[str, ...]:
        """Return the languages of one row, sorted."""
        return self._sets[0 if self._set_of_row is None else self._set_of_row.values[row]]

    def text_keys(self, rows: Rows) -> Rows:
        """Return, for each row, the first one with the same texts in the same languages; negatives aside."""
        return self._text_keys.take(rows)

    def ids(self, rows: Rows) -> list[str]:
        """Return the ids that the rows have in the source files, or their numbers if these have none."""
        if self._ids is None:
            return [str(row) for row in rows]
        return [self._ids.value("id", int(row)) for row in rows]

    def keys(self, rows: Rows) -> Keys:
        """Return the identities of the rows' queries and passages (`tasks.formats.identity.main_language_keys`)."""
        queries, passages = (keys.take(rows) for keys in self._keys)
        return Keys(queries, passages)

    def components(self, rows: Rows) -> Keys:
        """Return the connected components of the rows' queries and passages (`tasks.formats.identity.components`)."""
        queries, passages = (components.take(rows) for components in self._components)
        return Keys(queries, passages)

    def pairs(self, rows: Rows, query_languages: Sequence[str], passage_languages: Sequence[str]) -> list[Pair]:
        """Return one pair per row, with the negatives of the passage's language."""
        read = []
        languages = iter(zip(query_languages, passage_languages, strict=True))
        for part in slices(rows):
            read += [self._pair(row, *next(languages)) for row in part.tolist()]
            for file in self._files:
                file.release()
        return read

    def _pair(self, row: int, query_language: str, passage_language: str) -> Pair:
        return Pair(
            self._value("query", row, query_language),
            self._value("passage", row, passage_language),
            tuple(self._value("negatives", row, passage_language)),
        )

    def _value(self, column: str, row: int, language: str) -> Any:
        listed = self._rows[language]
        if listed is not None:
            place = int(np.searchsorted(listed.values, row))
            assert listed.values[place] == row, f"row {row} lacks {language}"
            row = place
        return self._texts[language].value(column, row)

    @cached_property
    def _files(self) -> list[MappedArray | MappedTable]:
        """Everything that is mapped into memory."""
        arrays = [*self._rows.values(), self._crosslingual, self._set_of_row, *self._keys]
        return [*self._texts.values(), *(array for array in arrays if array is not None)]


def _array(file: Path, dtype: npt.DTypeLike) -> MappedArray | None:
    return MappedArray(file, dtype) if file.exists() else None
