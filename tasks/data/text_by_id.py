"""Texts found by a number, and rows of numbers, from TSV files of any size: the parts of a corpus joined by ids."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from tasks.data.cache import conversion
from tasks.data.mapped import MappedArray, MappedTable
from tasks.data.text_lines import text_lines
from tasks.plugins import TaskError

BATCH_ROWS = 4096
_SCHEMA = pa.schema({"text": pa.string()})
_TEXTS, _PLACES, _EMPTY, _NUMBERS = "texts.arrow", "places", "empty", "numbers"
_MOST_DIGITS = 9
"""Of an id: the table of places has four bytes for every number up to the largest one."""


class TextById:
    """The texts of a file with lines of an id, a tab and a text, whose ids are numbers from 0 on, in any order."""

    def __init__(self, source: Path, folder: Path) -> None:
        self._source = source
        self._texts = MappedTable(folder / _TEXTS)
        self._places = MappedArray(folder / _PLACES, np.int32)
        self._empty = MappedArray(folder / _EMPTY, np.int32)

    def text(self, key: int) -> str:
        """Return the text of an id.

        Raises:
            TaskError: the file has no such id.
        """
        place = self._places.values[key] if key < len(self._places.values) else -1
        if place < 0:
            raise TaskError(f"{self._source} has no line with the id {key}: bring a complete copy")
        text: str = self._texts.value("text", place)
        return text

    def has_text(self, keys: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
        """Return whether the text of each id is more than white space.

        Raises:
            TaskError: the file lacks an id.
        """
        places = self._places.values
        known = keys < len(places)
        known[known] = places[keys[known]] >= 0
        if not known.all():
            self.text(int(keys[~known][0]))
        return np.isin(keys, self._empty.values, invert=True)

    def release(self) -> None:
        """Give back the memory of what was read so far."""
        self._texts.release()
        self._places.release()
        self._empty.release()


def converted_texts(name: str, file: Path) -> tuple[TextById, str]:
    """Return the texts of a file, memory-mapped, and the digest of its content.

    Raises:
        TaskError: a line that is not a number, a tab and a text.
    """
    folder, digest = conversion(f"{name}-{file.stem}", "text_by_id 2", [file], lambda partial: _write(partial, file))
    return TextById(file, folder), digest


def converted_numbers(name: str, file: Path, *, columns: int) -> tuple[MappedArray, str]:
    """Return the rows of a TSV file of non-negative numbers below 2^31, int32 (rows, columns), and its digest.

    Raises:
        TaskError: a line that does not have as many numbers as there are columns.
    """

    def build(folder: Path) -> None:
        names = [str(i) for i in range(columns)]
        with (folder / _NUMBERS).open("wb") as out:
            try:
                reader = csv.open_csv(
                    file,
                    read_options=csv.ReadOptions(column_names=names),
                    parse_options=csv.ParseOptions(delimiter="\t"),
                    convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.int32())),
                )
                for batch in reader:
                    rows = np.stack([column.to_numpy() for column in batch.columns], axis=1)
                    if rows.min(initial=0) < 0:
                        raise TaskError(f"{file} holds the number {rows.min()}: ids are 0 or more")
                    rows.tofile(out)
            except pa.ArrowInvalid as error:
                raise TaskError(f"{file} is not {columns} columns of numbers: {error}") from None

    folder, digest = conversion(name, f"numbers {columns}", [file], build)
    return MappedArray(folder / _NUMBERS, np.int32, columns=columns), digest


def _write(folder: Path, file: Path) -> None:
    keys, empty = array("i"), array("i")
    with pa.ipc.new_file(str(folder / _TEXTS), _SCHEMA) as out:
        for batch in _batches(file):
            keys.extend(key for key, _ in batch)
            empty.extend(key for key, text in batch if not text)
            out.write_batch(pa.record_batch([pa.array([text for _, text in batch], pa.string())], schema=_SCHEMA))
    np.array(empty, dtype=np.int32).tofile(folder / _EMPTY)
    ids = np.frombuffer(keys, np.int32)
    places = np.full(ids.max(initial=-1) + 1, -1, np.int32)
    places[ids] = np.arange(len(ids))
    places.tofile(folder / _PLACES)


def _batches(file: Path) -> Iterator[list[tuple[int, str]]]:
    batch = []
    for number, line in text_lines(file):
        key, tab, text = line.partition("\t")
        if not tab or not key.isascii() or not key.isdigit() or len(key) > _MOST_DIGITS:
            raise TaskError(f"{file}, line {number}: {line[:40]!r} is not a number, a tab and a text")
        batch.append((int(key), text.strip()))
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch
