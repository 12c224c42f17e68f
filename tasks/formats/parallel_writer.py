"""Write a parallel corpus as files to be memory-mapped, in one pass over its rows, a batch at a time.

corpus.json          the numbers of rows and of those left out, the fewest negatives, the languages, and every set of
                     languages of a row
th.arrow             query, passage and negatives of the rows in Thai, in order
th.rows              those rows (int64), unless all have Thai
crosslingual.rows    the rows in two or more languages (int64), unless all are
sets                 each row's set of languages, by its place in corpus.json (int32), unless there is one only
query.keys           each row's identities (int64), see `tasks.formats.identity`
passage.keys
query.components     each row's connected components (int64), likewise
passage.components
text.keys            each row's first row with the same texts in the same languages (int64)
ids.arrow            each row's id in the source, if all rows have one

Keys say which rows hold the same text or versions of it in other languages.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.formats.identity import Version, components, main_language_keys
from tasks.plugins import TaskError
from tasks.schema import Pair, Rows

ABOUT = "corpus.json"
CROSSLINGUAL = "crosslingual.rows"
IDS = "ids.arrow"
SETS = "sets"
TEXT_KEYS = "text.keys"
BATCH_CHARACTERS = 1 << 22
"""Characters of one language that are buffered before they are written: bounds memory for texts of any length."""
_IDS = pa.schema({"id": pa.string()})
_IDS_AT_ONCE = 4096
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


def components_file(folder: Path, side: str) -> Path:
    """Return the file of the rows' connected components; `side` is `query` or `passage`."""
    return folder / f"{side}.components"


class Identified(NamedTuple):
    """A row that has an id in its source."""

    id: str
    pairs: Mapping[str, Pair]


Row = Mapping[str, Pair] | Identified
"""Language -> pair, with an id or without."""


def write(folder: Path, rows: Iterable[Row]) -> int:
    """Write a corpus into an existing folder.

    Args:
        folder: where the files go.
        rows: language -> the pair in that language; a row without any language is left out. Ids are kept if all rows
            have one.

    Returns:
        The number of rows that were left out.

    Raises:
        TaskError: there is no row.
    """
    numbers: dict[tuple[str, ...], int] = {}
    set_of_row = array("i")
    left_out = 0
    files: dict[str, _LanguageFiles] = {}
    with ExitStack() as open_files:
        ids = open_files.enter_context(_Ids(folder))
        for row in rows:
            pairs = row.pairs if isinstance(row, Identified) else row
            if not pairs:
                left_out += 1
                continue
            ids.add(row.id if isinstance(row, Identified) else None)
            set_of_row.append(numbers.setdefault(tuple(sorted(pairs)), len(numbers)))
            for language, pair in pairs.items():
                if language not in files:
                    files[language] = open_files.enter_context(_LanguageFiles(folder, language))
                files[language].add(pair)
    if not set_of_row:
        raise TaskError("the corpus has no row: check its path and languages")
    languages, sets = sorted(files), list(numbers)
    _write_indices(folder, languages, sets, np.frombuffer(set_of_row, dtype=np.int32))
    fewest = min(file.fewest_negatives for file in files.values())
    about = {
        "rows": len(set_of_row),
        "left_out": left_out,
        "fewest_negatives": fewest,
        "languages": languages,
        "sets": sets,
    }
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
    return left_out


class _Ids:
    """The ids of all rows, or no file if a row has none."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / IDS
        self._waiting: list[str] = []
        self._complete = True
        self._writer = pa.ipc.new_file(str(self._file), _IDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()
        if not self._complete:
            self._file.unlink()

    def add(self, name: str | None) -> None:
        """Append a row's id."""
        self._complete = self._complete and name is not None
        self._waiting.append(name or "")
        if len(self._waiting) == _IDS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_batch(pa.record_batch([pa.array(self._waiting, pa.string())], schema=_IDS))
        self._waiting = []


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

    has = {language: in_sets(language in available for available in sets) for language in languages}
    for language, rows in has.items():
        if not rows.all():
            np.flatnonzero(rows).tofile(rows_file(folder, language))
    crosslingual = in_sets(len(available) > 1 for available in sets)
    if not crosslingual.all():
        np.flatnonzero(crosslingual).tofile(folder / CROSSLINGUAL)
    if len(sets) > 1:
        set_of_row.tofile(folder / SETS)
    _text_keys(folder, languages, has).tofile(folder / TEXT_KEYS)
    most_rows_first = sorted(languages, key=lambda language: -int(has[language].sum()))
    for side in _SIDES:
        files = {language: _hashes_file(folder, language, side) for language in most_rows_first}
        main_language_keys(len(set_of_row), _versions(files, has)).tofile(keys_file(folder, side))
        components(len(set_of_row), _versions(files, has)).tofile(components_file(folder, side))
        for file in files.values():
            file.unlink()


def _versions(files: Mapping[str, Path], has: Mapping[str, npt.NDArray[np.bool_]]) -> Iterator[Version]:
    return (Version(np.flatnonzero(has[language]), np.fromfile(file, np.int64)) for language, file in files.items())


def _text_keys(folder: Path, languages: Sequence[str], has: Mapping[str, npt.NDArray[np.bool_]]) -> Rows:
    """Return, for each row, the first one with the same texts in the same languages."""
    row_hash = np.zeros(len(has[languages[0]]), dtype=np.uint64)
    # Random factors for each side and language: without them rows with exchanged texts would have the same sum.
    shape = (len(languages), len(_SIDES))
    factors = np.random.default_rng(0).integers(2**64, size=shape, dtype=np.uint64) | np.uint64(1)
    for language, of_sides in zip(languages, factors, strict=True):
        for side, factor in zip(_SIDES, of_sides, strict=True):
            row_hash[has[language]] += np.fromfile(_hashes_file(folder, language, side), np.uint64) * factor
    _, first, text = np.unique(row_hash, return_index=True, return_inverse=True)
    return first[text].astype(np.int64)


def _hashes_file(folder: Path, language: str, side: str) -> Path:
    return folder / f"{language}.{side}.hashes"
