"""Mapped files: values, and memory that is given back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.data.mapped import MappedArray, MappedTable

MEBIBYTE = 1 << 20


def mapped_memory() -> int:
    """Return how much of mapped files is in this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssFile:"))


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """64 MiB of texts in 64 batches."""
    file = tmp_path / "large.arrow"
    schema = pa.schema({"text": pa.string()})
    with pa.ipc.new_file(str(file), schema) as out:
        for batch in range(64):
            texts = [f"{batch} {row} " + "ก" * 340 for row in range(1024)]
            out.write_batch(pa.record_batch([pa.array(texts)], schema=schema))
    return file


def test_values_come_from_any_batch_in_any_order(large: Path) -> None:
    table = MappedTable(large)
    assert len(table) == 64 * 1024
    for row in (0, 65_535, 1023, 1024, 40_000):
        assert table.value("text", row) == f"{row // 1024} {row % 1024} " + "ก" * 340


def test_opening_and_releasing_hold_no_part_of_the_file_in_memory(large: Path) -> None:
    before = mapped_memory()
    table = MappedTable(large)
    assert mapped_memory() - before < 8 * MEBIBYTE
    for row in range(len(table)):
        table.value("text", row)
    assert mapped_memory() - before > 48 * MEBIBYTE
    table.release()
    assert mapped_memory() - before < 8 * MEBIBYTE
    assert table.value("text", 5) == "0 5 " + "ก" * 340


def test_arrays_are_views_of_their_file_that_outlive_a_release(tmp_path: Path) -> None:
    file = tmp_path / "numbers"
    np.arange(12, dtype=np.int32).tofile(file)
    array = MappedArray(file, np.int32, columns=3)
    assert array.values[[3, 0]].tolist() == [[9, 10, 11], [0, 1, 2]]
    array.release()
    assert array.values[2].tolist() == [6, 7, 8]
    assert not array.values.flags.writeable


def test_an_empty_file_is_an_empty_array(tmp_path: Path) -> None:
    file = tmp_path / "numbers"
    file.touch()
    array = MappedArray(file, np.int64)
    array.release()
    assert array.values.tolist() == []
