"""Memory-mapped files of any size with random access, whose pages are released after reading.

Pages of a mapped file count as memory of the process until the system reclaims them, and reading one row may map two
megabytes. `release` returns them at once; they stay in the page cache, where the next read finds them in microseconds.
A process that releases after every few reads (`slices`) therefore uses memory for its current read only.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.schema import Rows

TEXTS_AT_ONCE, NUMBERS_AT_ONCE = 32, 4096
"""Rows read between two releases; more for numbers, which are stored more densely."""
_BATCHES_AT_ONCE = 256


def slices(rows: Rows, size: int = TEXTS_AT_ONCE) -> Iterator[Rows]:
    """Yield `rows` in parts to be read between two releases."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _mapped(file: Path) -> mmap.mmap:
    with file.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


class MappedArray:
    """A file of numbers as `ndarray.tofile` writes it; one-dimensional unless `columns` is given."""

    def __init__(self, file: Path, dtype: npt.DTypeLike, *, columns: int | None = None) -> None:
        self._file = _mapped(file) if file.stat().st_size else None
        values = np.frombuffer(self._file or b"", dtype=dtype)
        self.values: npt.NDArray[Any] = values if columns is None else values.reshape(-1, columns)
        """A view of the file, read-only."""

    def take(self, rows: Rows) -> npt.NDArray[Any]:
        """Return the values of `rows`, releasing pages between reads."""
        taken = [self.values[:0]]
        for part in slices(rows, NUMBERS_AT_ONCE):
            taken.append(self.values[part])
            self.release()
        return np.concatenate(taken)

    def release(self) -> None:
        """Release the pages read so far; views of the array stay valid."""
        if self._file:
            self._file.madvise(mmap.MADV_DONTNEED)


class MappedTable:
    """An Arrow file."""

    def __init__(self, file: Path) -> None:
        self._file = _mapped(file)
        reader = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(self._file)))
        batches = []
        for i in range(reader.num_record_batches):
            batches.append(reader.get_batch(i))
            if i % _BATCHES_AT_ONCE == 0:
                self.release()
        self.table = pa.Table.from_batches(batches, reader.schema)
        """A view of the file; call `release` after reading from it."""
        self.release()

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.table.num_rows)

    def value(self, column: str, row: int) -> Any:
        """Return one value as a Python object."""
        # One by one, because `ChunkedArray.take` joins the chunks first, which reads the whole file.
        return self.table[column][row].as_py()

    def release(self) -> None:
        """Release the pages read so far."""
        self._file.madvise(mmap.MADV_DONTNEED)
