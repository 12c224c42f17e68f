"""The benchmark of held-out rows: queries and passages of a corpus, by their identities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.benchmarks import held_out
from tasks.holdout_split import split
from tasks.plugins import TaskError, load_benchmark, load_corpus
from tasks.relevance import relevance
from tasks.schema import Setting


@pytest.fixture
def corpus(tmp_path: Path, cache: Path) -> dict[str, Any]:
    """60 rows; row r asks question r in Thai and, but for every third row, Chinese; two rows share a passage."""
    file = tmp_path / "train.jsonl"
    lines = []
    for row in range(60):
        pairs = {"th": {"query": f"ถาม {row}", "passage": f"ตอบ {row // 2}"}}
        if row % 3:
            pairs["zh"] = {"query": f"问 {row}", "passage": f"答 {row // 2}"}
        lines.append(json.dumps({"pairs": pairs}))
    file.write_text("\n".join(lines), encoding="utf-8")
    return {"name": "parallel_jsonl", "path": str(file), "held_out": 12, "weight": 2}


def test_queries_are_those_training_leaves_out_and_their_passages_answer_in_every_language(
    corpus: dict[str, Any],
) -> None:
    benchmark = load_benchmark("held_out", {"corpus": corpus})
    whole = load_corpus("parallel_jsonl", {"path": corpus["path"]})
    rows = split(whole, 12).held_out
    keys = whole.keys(rows)
    assert sorted(map(int, benchmark.queries["th"].ids())) == rows.tolist()
    assert sorted(map(int, benchmark.queries["zh"].ids())) == [row for row in rows if row % 3]
    held = dict(zip(benchmark.queries["zh"].ids(), benchmark.queries["zh"].texts(), strict=True))
    assert all(text == f"问 {row}" for row, text in held.items())
    assert {pool.language: len(pool.passages) for pool in benchmark.pools} == {
        "th": len(set(keys.passages.tolist())),
        "zh": len({int(row) // 2 for row in rows if row % 3}),
    }
    texts = {
        key: text
        for pool in benchmark.pools
        for key, text in zip(pool.passages.ids(), pool.passages.texts(), strict=True)
    }
    for query, answers in benchmark.qrels.items():
        expected = {f"ตอบ {int(query) // 2}"} | ({f"答 {int(query) // 2}"} if int(query) % 3 else set())
        assert {texts[passage] for passage in answers} == expected
    assert benchmark.settings == tuple(Setting)
    assert len(relevance(benchmark).query_row_Q) == sum(map(len, benchmark.queries.values()))


def test_the_rows_that_training_keeps_have_none_of_its_texts(corpus: dict[str, Any]) -> None:
    benchmark = held_out.load(corpus=corpus)
    training = split(load_corpus("parallel_jsonl", {"path": corpus["path"]}), 12).training
    rows = np.arange(len(training))
    pairs = training.pairs(rows, ["th"] * len(rows), ["th"] * len(rows))
    assert not {pair.query for pair in pairs} & set(benchmark.queries["th"].texts())
    assert not {pair.passage for pair in pairs} & set(benchmark.pools[0].passages.texts())


def test_the_factbook_can_be_held_out_too_and_one_language_is_monolingual_only() -> None:
    benchmark = held_out.load(corpus={"name": "factbook", "languages": ("th",), "held_out": 30})
    assert benchmark.settings == (Setting.MONOLINGUAL,)
    assert len(benchmark.queries["th"]) == len(benchmark.pools[0].passages) == 30


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ({"held_out": 3}, "option 'corpus' has no 'name'"),
        ({"name": "factbook"}, "option 'corpus' has no 'held_out'"),
        ({"name": "factbok", "held_out": 3}, "unknown corpus 'factbok': did you mean 'factbook'?"),
        ({"name": "factbook", "held_out": 10**6}, "held_out 1000000: choose from 1 to"),
    ],
)
def test_what_is_missing_or_unknown_is_refused(corpus: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message.replace("?", r"\?")):
        load_benchmark("held_out", {"corpus": corpus})
