from __future__ import annotations

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
from tests.parallel_benchmark import parallel_benchmark
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
