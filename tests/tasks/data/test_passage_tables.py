"""Passages in memory-mapped Arrow files: converted once, in one pass, and not held in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.data.passage_tables import BATCH_ROWS, Batches, TwoTextsError, in_batches, memory_mapped
from tasks.data.records import content_digest
from tasks.schema import Passage
from tests.tasks.data.test_mapped import MEBIBYTE, mapped_memory


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "passages.jsonl"
    file.write_text("กขค", encoding="utf-8")
    return file


def counted(rows: list[tuple[str, Passage]]) -> tuple[Callable[[], Batches], list[int]]:
    """Return a stream of batches and a list that grows by one a pass."""
    passes: list[int] = []

    def batches() -> Batches:
        passes.append(len(rows))
        return in_batches(rows)

    return batches, passes


def test_every_pool_gets_its_rows_in_their_order(cache: Path, source: Path) -> None:
    rows = [(("th", "zh", "ar")[i % 3], Passage(f"p{i}", f"ข้อความ {i}")) for i in range(4 * BATCH_ROWS)]
    mapped = memory_mapped("plain", [source], counted(rows)[0])
    assert mapped.digest == content_digest([source])
    for language in ("th", "zh", "ar"):
        expected = [passage for pool, passage in rows if pool == language]
        assert mapped.pools[language].texts.ids() == [passage.id for passage in expected]
        assert mapped.pools[language].texts.texts() == [passage.text for passage in expected]
        assert mapped.pools[language].copies == 0


def test_copies_are_left_out_and_counted_and_the_first_row_keeps_its_place(cache: Path, source: Path) -> None:
    passages = [Passage(f"p{i % 5000}", f"ข้อความ {i % 5000}") for i in range(3 * BATCH_ROWS)]
    mapped = memory_mapped("copies", [source], counted([("th", passage) for passage in passages])[0])
    assert mapped.pools["th"].texts.ids() == [f"p{i}" for i in range(5000)]
    assert mapped.pools["th"].copies == 3 * BATCH_ROWS - 5000


def test_two_texts_of_one_id_are_refused_and_leave_no_table(cache: Path, source: Path) -> None:
    rows = [("th", Passage("p", "กรุงเทพ")), ("zh", Passage("p", "曼谷")), ("th", Passage("p", "เชียงใหม่"))]
    with pytest.raises(TwoTextsError, match=f"passage 'p' has two texts in {source}"):
        memory_mapped("contradiction", [source], counted(rows)[0])
    assert not [path for path in (cache / "tables").iterdir() if path.is_dir()]


def test_a_conversion_is_made_once_until_recipe_or_source_change(cache: Path, source: Path) -> None:
    batches, passes = counted([("th", Passage("p", "กรุงเทพ"))])
    first = memory_mapped("plain", [source], batches).pools["th"]
    second = memory_mapped("plain", [source], batches).pools["th"]
    assert first.texts.texts() == second.texts.texts() == ["กรุงเทพ"]
    assert len(passes) == 1
    memory_mapped("with titles", [source], batches)
    assert len(passes) == 2
    os.utime(source, ns=(1, 1))
    memory_mapped("plain", [source], batches)
    assert len(passes) == 3


def test_a_source_that_breaks_off_leaves_no_table(cache: Path, source: Path) -> None:
    def breaking() -> Iterator[tuple[str, Passage]]:
        yield "th", Passage("p", "กรุงเทพ")
        raise json.JSONDecodeError("เสีย", "", 0)

    with pytest.raises(json.JSONDecodeError):
        memory_mapped("plain", [source], lambda: in_batches(breaking()))
    assert [path.suffix for path in (cache / "tables").iterdir()] == [".lock"]


def test_an_open_table_lies_on_disk_not_in_memory(cache: Path, source: Path) -> None:
    rows = [("zh", Passage(str(i), "黑豹队的防守" * 200)) for i in range(5000)]
    memory_mapped("plain", [source], counted(rows)[0])
    before = pa.total_allocated_bytes()
    tables = memory_mapped("plain", [source], counted(rows)[0])
    assert len(tables.pools["zh"].texts) == 5000
    assert pa.total_allocated_bytes() - before < 100_000  # of 18 MB of text


def test_reading_every_passage_holds_none_of_the_file_in_memory(cache: Path, source: Path) -> None:
    rows = [("th", Passage(f"p{i}", f"{i} " + "ก" * 2000)) for i in range(6 * BATCH_ROWS)]
    texts = memory_mapped("large", [source], counted(rows)[0]).pools["th"].texts
    before = mapped_memory()
    for start in range(0, len(rows), 1000):
        held = np.arange(start, min(start + 1000, len(rows)))
        assert texts.texts(held) == [rows[i][1].text for i in held]
        assert mapped_memory() - before < 8 * MEBIBYTE  # of 72
    assert texts.rows_of(["p12000", "p3", "q"]).tolist() == [12000, 3, -1]
    assert mapped_memory() - before < 8 * MEBIBYTE
