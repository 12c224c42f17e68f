"""Writes a parallel corpus as files that are mapped into memory: one pass over its rows, a batch of them at a time.

corpus.json          the number of rows, their fewest negatives, the languages, and every set of languages of a row
th.arrow             query, passage and negatives of the rows in Thai, in order
th.rows              those rows (int64), unless all have Thai
crosslingual.rows    the rows in two or more languages (int64), unless all are
sets                 each row's set of languages, by its place in corpus.json (int32), unless there is one only
query.keys           each row's identities (int64), see `tasks.formats.parallel_writer`
passage.keys

Keys say which rows hold the same text or versions of it in other languages.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tasks.plugins import TaskError
from tasks.schema import Pair, Rows

ABOUT = "corpus.json"
CROSSLINGUAL = "crosslingual.rows"
SETS = "sets"
BATCH_CHARACTERS = 1 << 22
"""Of one language that are held until they are written: bounds memory, however long the texts are."""
_SIDES = ("query", "passage")
_SCHEMA = pa.schema({"query": pa.string(), "passage": pa.string(), "negatives": pa.list_(pa.string())})


def texts_file(folder: Path, language: str) -> Path:
    """Return the file of a language's texts."""
    return folder / f"{language}.arrow"


def rows_file(folder: Path, language: str) -> Path:
    """Return the file of the rows that have a language."""
    return folder / f"{language}.rows"


def keys_file(folder: Path, side: str) -> Path:
    """Return the file of the rows' identities; `side` is `query` or `passage`."""
    return folder / f"{side}.keys"


def write(folder: Path, rows: Iterable[Mapping[str, Pair]]) -> None:
    """Write a corpus into an existing folder.

    Args:
        folder: where the files go.
        rows: language -> the pair in that language; a row without any language is left out.

    Raises:
        TaskError: there is no row.
    """
    numbers: dict[tuple[str, ...], int] = {}
    set_of_row = array("i")
    files: dict[str, _LanguageFiles] = {}
    with ExitStack() as open_files:
        for row in rows:
            if not row:
                continue
            set_of_row.append(numbers.setdefault(tuple(sorted(row)), len(numbers)))
            for language, pair in row.items():
                if language not in files:
                    files[language] = open_files.enter_context(_LanguageFiles(folder, language))
                files[language].add(pair)
    if not set_of_row:
        raise TaskError("the corpus has no row: check its path and languages")
    languages, sets = sorted(files), list(numbers)
    _write_indices(folder, languages, sets, np.frombuffer(set_of_row, dtype=np.int32))
    fewest = min(file.fewest_negatives for file in files.values())
    about = {"rows": len(set_of_row), "fewest_negatives": fewest, "languages": languages, "sets": sets}
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")


class _LanguageFiles:
    """The texts of one language and, while the corpus is written, their hashes."""

    def __init__(self, folder: Path, language: str) -> None:
        self.fewest_negatives = sys.maxsize
        self._waiting: list[Pair] = []
        self._characters = 0
        self._open = ExitStack()
        self._texts = self._open.enter_context(pa.ipc.new_file(str(texts_file(folder, language)), _SCHEMA))
        self._hashes = [self._open.enter_context(_hashes_file(folder, language, side).open("wb")) for side in _SIDES]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._open.close()

    def add(self, pair: Pair) -> None:
        """Append a row."""
        self._waiting.append(pair)
        self.fewest_negatives = min(self.fewest_negatives, len(pair.negatives))
        self._characters += len(pair.query) + len(pair.passage) + sum(map(len, pair.negatives))
        if self._characters >= BATCH_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        columns = [[pair[i] for pair in self._waiting] for i in range(len(_SCHEMA))]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)]
        self._texts.write_batch(pa.record_batch(arrays, schema=_SCHEMA))
        for side, hashes in enumerate(self._hashes):
            # Python's own hash differs between processes, but here only equality within this one counts.
            np.fromiter(map(hash, columns[side]), np.int64).tofile(hashes)
        self._waiting, self._characters = [], 0


def _write_indices(
    folder: Path, languages: list[str], sets: list[tuple[str, ...]], set_of_row: npt.NDArray[np.int32]
) -> None:
    def in_sets(chosen: Iterable[bool]) -> npt.NDArray[np.bool_]:
        return np.array(list(chosen))[set_of_row]

    has = {language: in_sets(language in held for held in sets) for language in languages}
    for language, rows in has.items():
        if not rows.all():
            np.flatnonzero(rows).tofile(rows_file(folder, language))
    crosslingual = in_sets(len(held) > 1 for held in sets)
    if not crosslingual.all():
        np.flatnonzero(crosslingual).tofile(folder / CROSSLINGUAL)
    if len(sets) > 1:
        set_of_row.tofile(folder / SETS)
    for side in _SIDES:
        hashes = {language: _hashes_file(folder, language, side) for language in languages}
        versions = (Version(np.flatnonzero(has[name]), np.fromfile(file, np.int64)) for name, file in hashes.items())
        identities(len(set_of_row), versions).tofile(keys_file(folder, side))
        for file in hashes.values():
            file.unlink()


def _hashes_file(folder: Path, language: str, side: str) -> Path:
    return folder / f"{language}.{side}.hashes"


class Version(NamedTuple):
    """The texts of one language: which rows have one, ascending, and a hash of each."""

    rows: Rows
    hashes: npt.NDArray[np.int64]


def identities(size: int, versions: Iterable[Version]) -> Rows:
    """Return, for each of `size` rows, the first row of its connected component.

    Two rows are connected if they have the same text in some language. Their texts are then versions of one another,
    whether or not the rows have a language in common: {en: A, de: B} connects {en: A, fr: C} to {de: B, fr: D}.

    Args:
        size: number of rows.
        versions: the languages, one at a time; memory is proportional to the rows of one language.
    """
    component = np.arange(size, dtype=np.int64)
    for rows, hashes in versions:
        _, text = np.unique(hashes, return_inverse=True)
        nodes = size + len(rows)  # the components, then the texts
        edges = coo_array((np.ones(len(rows), dtype=np.bool_), (component[rows], size + text)), shape=(nodes, nodes))
        _, label = connected_components(edges, directed=False)
        component = label[component]  # below size: no text is a component of its own
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)
