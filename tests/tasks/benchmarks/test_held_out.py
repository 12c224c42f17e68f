"""The benchmark of held-out rows: which queries, which pools, and what is relevant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.benchmarks import held_out, xquad_r
from tasks.holdout_split import split
from tasks.plugins import TaskError, load_benchmark, load_corpus
from tasks.relevance import relevance
from tasks.schema import Benchmark, Setting


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
    chinese = {int(row) // 2 for row in rows if row % 3}
    for query, answers in benchmark.qrels.items():
        fact = int(query) // 2
        assert {texts[passage] for passage in answers} == {f"ตอบ {fact}"} | (
            {f"答 {fact}"} if fact in chinese else set()
        )
    assert benchmark.settings == tuple(Setting)
    assert len(relevance(benchmark).query_row_Q) == sum(map(len, benchmark.queries.values()))


def test_held_out_questions_of_xquad_r_have_the_relevant_passages_of_its_benchmark(
    cache: Path, real_xquad_r: Path
) -> None:
    corpus = {"name": "lareqa", "path": str(real_xquad_r), "languages": ("en", "th", "zh"), "held_out": 60}
    assert relevant_texts(held_out.load(corpus=corpus)) <= relevant_texts(xquad_r.load(path=real_xquad_r))


def relevant_texts(benchmark: Benchmark) -> set[tuple[str, str, frozenset[str]]]:
    """Return (question, language of the pool, texts of the relevant passages) for the English questions."""
    text_of = {
        pool.language: dict(zip(pool.passages.ids(), pool.passages.texts(), strict=True)) for pool in benchmark.pools
    }
    english = benchmark.queries["en"]
    return {
        (text, language, frozenset(text_of[language][i] for i in benchmark.qrels[key] if i in text_of[language]))
        for key, text in zip(english.ids(), english.texts(), strict=True)
        for language in ("en", "th", "zh")
    }


def test_no_text_is_on_both_sides_however_rows_are_connected(tmp_path: Path, cache: Path) -> None:
    # Rows 2n and 2n + 1 have no language in common; a third row connects them.
    rows = []
    for fact in range(40):
        english, german = {"query": f"q{fact}", "passage": f"p{fact}"}, {"query": f"f{fact}", "passage": f"a{fact}"}
        rows += [{"en": english, "de": german}, {"de": german}, {"de": {"query": f"f{fact}", "passage": f"b{fact}"}}]
        rows += [{"en": english}]
    file = tmp_path / "train.jsonl"
    file.write_text("\n".join(json.dumps({"pairs": row}) for row in rows), encoding="utf-8")
    whole = load_corpus("parallel_jsonl", {"path": str(file)})
    training, _ = split(whole, 10)
    benchmark = held_out.load(corpus={"name": "parallel_jsonl", "path": str(file), "held_out": 10})
    for number, language in enumerate(("de", "en")):
        left = training.rows(language)
        pairs = training.pairs(np.asarray(left), [language] * len(left), [language] * len(left))
        assert pairs
        assert not {pair.query for pair in pairs} & set(benchmark.queries[language].texts())
        assert not {pair.passage for pair in pairs} & set(benchmark.pools[number].passages.texts())


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
        ({"name": "factbook", "held_out": "สอง"}, "option 'corpus': held_out is 'สอง': write a whole number of rows"),
        ({"name": "factbook", "held_out": True}, "option 'corpus': held_out is True: write a whole number of rows"),
        ({"name": "factbook", "held_out": 10**6}, "held_out 1000000: choose from 1 to"),
    ],
)
def test_what_is_missing_or_unknown_is_refused(corpus: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message.replace("?", r"\?")):
        load_benchmark("held_out", {"corpus": corpus})


def test_rows_with_one_passage_are_one_document(corpus: dict[str, Any]) -> None:
    benchmark = load_benchmark("held_out", {"corpus": corpus})
    found = benchmark.document_of()
    pairs = {frozenset(key for key in found if int(key) // 2 == int(query) // 2) for query in found}
    assert {frozenset(key for key in found if found[key] == found[query]) for query in found} == pairs
    assert len(pairs) < len(found)
