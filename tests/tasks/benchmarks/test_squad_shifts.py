"""SQuADShifts from a small local copy."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.benchmarks import squad_shifts
from tasks.plugins import TaskError
from tasks.relevance import relevance
from tasks.schema import Setting


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for domain in ("amazon", "nyt"):
        for split in ("train", "test"):
            rows = [
                {"id": str(i), "title": "", "context": f"{domain} ย่อหน้า {i // 2}", "question": f"{domain} {split} {i}?"}
                for i in range(4)
            ]
            (tmp_path / domain).mkdir(exist_ok=True)
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / domain / f"qa_squadshifts-{split}.parquet")
    return tmp_path


def test_a_question_is_answered_by_its_paragraph_among_all_distinct_ones(copy: Path) -> None:
    benchmark = squad_shifts.load(path=copy, domains=("nyt", "amazon"))
    assert benchmark.settings == (Setting.MONOLINGUAL,)
    passages = benchmark.pools[0].passages
    assert sorted(passages.texts()) == [f"{domain} ย่อหน้า {i}" for domain in ("amazon", "nyt") for i in range(2)]
    texts = dict(zip(passages.ids(), passages.texts(), strict=True))
    queries = benchmark.queries["en"]
    for key, question in zip(queries.ids(), queries.texts(), strict=True):
        (answer,) = benchmark.qrels[key]
        domain, _, number = question.rstrip("?").split()
        assert texts[answer] == f"{domain} ย่อหน้า {int(number) // 2}"
    assert len(relevance(benchmark).query_row_Q) == len(queries) == 16


def test_domains_choose_the_texts(copy: Path) -> None:
    assert len(squad_shifts.load(path=copy, domains=("nyt",)).queries["en"]) == 8
    with pytest.raises(TaskError, match="name at least one of amazon"):
        squad_shifts.load(path=copy, domains=())
    with pytest.raises(TaskError, match=r"'squad_shifts' needs files .*new_wiki"):
        squad_shifts.load(path=copy)
