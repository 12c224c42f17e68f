from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from study.config_sections import RunFiles
from study.retrieval.encode import Encoding
from study.retrieval.evaluation import Outputs, evaluate
from study.retrieval.examples import EACH, RETRIEVED, Example, chosen
from tasks.relevance import relevance
from tasks.schema import Benchmark, Setting
from tests.hashing_encoder import HashingEncoder
from tests.parallel_benchmark import named_for_passages, parallel_benchmark, relevant_passages
from tests.process_group import RunInGroup


def examples(benchmark: Benchmark, runs: Path | None = None) -> list[Example]:
    written = RunFiles(runs, RETRIEVED) if runs else None
    return evaluate(HashingEncoder(), benchmark, Encoding(block_size=7), outputs=Outputs(written)).examples


@pytest.mark.parametrize("setting", [Setting.MULTILINGUAL, Setting.MONOLINGUAL])
def test_what_is_shown_is_what_a_run_file_holds(tmp_path: Path, setting: Setting) -> None:
    benchmark = parallel_benchmark((setting,))
    text_of = {
        i: t for pool in benchmark.pools for i, t in zip(pool.passages.ids(), pool.passages.texts(), strict=True)
    }
    shown = examples(benchmark, tmp_path)
    assert shown
    for example in shown:
        language = example["query_language"]
        name = language if setting is Setting.MULTILINGUAL else f"{language}-{language}"
        lines = (tmp_path / "parallel" / setting / f"{name}.run").read_text("utf-8").splitlines()
        hits = [passage for query, _, passage, *_ in map(str.split, lines) if query == example["query_id"]]
        assert [passage["text"] for passage in example["retrieved"]] == [text_of[hit] for hit in hits]
        answers = benchmark.qrels[example["query_id"]]
        assert [passage["relevant"] for passage in example["retrieved"]] == [hit in answers for hit in hits]


def test_a_few_queries_of_each_language_the_same_in_every_process(run_in_group: RunInGroup) -> None:
    benchmark = parallel_benchmark()
    alone = examples(benchmark)
    assert [e["query_language"] for e in alone] == [la for la in benchmark.languages for _ in range(EACH)]
    for shared in run_in_group(2, examples, benchmark):
        assert shared == alone


def test_parallel_queries_are_chosen_as_the_same_questions_in_every_language() -> None:
    benchmark = parallel_benchmark(questions=40)
    found = relevance(benchmark)
    languages = found.query_language_Q[chosen(found)]
    assert np.bincount(languages).tolist() == [EACH] * len(benchmark.languages)


def test_a_passage_with_the_id_of_a_query_is_not_shown_for_it() -> None:
    whole = parallel_benchmark()
    benchmark = named_for_passages(whole, relevant_passages(whole))
    text_of = {
        i: t for pool in benchmark.pools for i, t in zip(pool.passages.ids(), pool.passages.texts(), strict=True)
    }

    def shown(searched_in: Benchmark) -> list[bool]:
        """For each query that is named for a passage, whether that is shown."""
        named = [example for example in examples(searched_in) if example["query_id"] in text_of]
        return [text_of[e["query_id"]] in {passage["text"] for passage in e["retrieved"]} for e in named]

    assert {len(example["retrieved"]) for example in examples(benchmark)} == {RETRIEVED}
    assert any(shown(replace(benchmark, ignore_identical_ids=False)))
    assert not any(shown(benchmark))
