from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import pytest

from study.config_sections import RunFiles
from study.retrieval import runs
from study.retrieval.encode import Encoding
from study.retrieval.evaluation import Evaluation, Outputs, evaluate
from study.retrieval.runs import check_ids, falling
from tasks.plugins import TaskError
from tasks.relevance import relevance
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts
from tests.hashing_encoder import HashingEncoder
from tests.parallel_benchmark import named_for_passages, parallel_benchmark, relevant_passages
from tests.process_group import RunInGroup


def evaluated(benchmark: Benchmark, folder: Path, depth: int) -> Evaluation:
    return evaluate(HashingEncoder(), benchmark, Encoding(block_size=7), outputs=Outputs(RunFiles(folder, depth)))


def rescored(run: Path) -> dict[str, float]:
    """What trec_eval makes of a run and the qrels beside it."""
    measures = {"map": ir_measures.AP, "ndcg@10": ir_measures.nDCG @ 10, "recall@10": ir_measures.R @ 10}
    tool: Any = ir_measures  # its readers are not annotated
    qrels, hits = tool.read_trec_qrels(str(run.with_suffix(".qrels"))), tool.read_trec_run(str(run))
    values = tool.calc_aggregate(list(measures.values()), qrels, hits)
    return {name: values[measure] for name, measure in measures.items()}


@pytest.mark.parametrize("world_size", [1, 2])
def test_an_independent_tool_gives_runs_the_figures_we_report(
    run_in_group: RunInGroup, tmp_path: Path, world_size: int
) -> None:
    benchmark = parallel_benchmark()
    if world_size == 1:
        result = evaluated(benchmark, tmp_path, 135)
    else:
        result = run_in_group(2, evaluated, benchmark, tmp_path, 135)[1]
    folder, languages = tmp_path / "parallel", benchmark.languages
    assert len(list(folder.rglob("*.run"))) == len(list(folder.rglob("*.qrels"))) == 3 + 6 + 3
    for a, b in product(languages, repeat=2):
        setting = Setting.MONOLINGUAL if a == b else Setting.CROSSLINGUAL
        ours = result.by_language[setting][a] if a == b else result.by_pair[f"{a}-{b}"]
        values = rescored(folder / setting / f"{a}-{b}.run")
        assert values == pytest.approx({name: ours[name] for name in values}, abs=1e-9), (a, b)
    for language in languages:
        values = rescored(folder / "multilingual" / f"{language}.run")
        ours = result.by_language["multilingual"][language]
        assert values == pytest.approx({name: ours[name] for name in values}, abs=1e-9)


def test_missing_and_ignored_passages_are_scored_as_an_independent_tool_scores_them(tmp_path: Path) -> None:
    whole = parallel_benchmark()
    named = {"q0": "8-990", "q1": next(iter(whole.qrels["q1"]))}  # a passage that is not relevant, and one that is
    benchmark = named_for_passages(whole, named)
    qrels = {query: {**graded, "lost": 2} for query, graded in benchmark.qrels.items()}
    benchmark = replace(benchmark, qrels=qrels, missing={"lost": "th"})
    result = evaluated(benchmark, tmp_path, 136)
    for a, b in product(benchmark.languages, repeat=2):
        setting = Setting.MONOLINGUAL if a == b else Setting.CROSSLINGUAL
        ours = result.by_language[setting][a] if a == b else result.by_pair[f"{a}-{b}"]
        values = rescored(tmp_path / "parallel" / setting / f"{a}-{b}.run")
        assert values == pytest.approx({name: ours[name] for name in values}, abs=1e-9), (a, b)
    for language in benchmark.languages:
        values = rescored(tmp_path / "parallel" / "multilingual" / f"{language}.run")
        ours = result.by_language["multilingual"][language]
        assert values == pytest.approx({name: ours[name] for name in values}, abs=1e-9)
        before = evaluated(whole, tmp_path / "whole", 135).by_language["multilingual"][language]
        assert values["map"] < before["map"]


def test_a_run_holds_k_hits_a_query_in_falling_order(tmp_path: Path) -> None:
    evaluated(parallel_benchmark((Setting.MULTILINGUAL,)), tmp_path, 20)
    assert {path.parent.name for path in tmp_path.rglob("*.*")} == {"multilingual"}
    lines = [line.split() for line in (tmp_path / "parallel/multilingual/th.run").read_text("utf-8").splitlines()]
    by_query: dict[str, list[list[str]]] = {}
    for line in lines:
        by_query.setdefault(line[0], []).append(line)
    for hits in by_query.values():
        assert [int(hit[3]) for hit in hits] == list(range(1, 21))
        scores = [np.float32(hit[4]) for hit in hits]
        assert all(above > below for above, below in pairwise(scores))


def test_a_run_holds_k_hits_beside_a_passage_with_the_id_of_its_query(tmp_path: Path) -> None:
    whole = parallel_benchmark()
    benchmark = replace(named_for_passages(whole, relevant_passages(whole)), metrics=("recall@10",))
    result = evaluated(benchmark, tmp_path, 10)
    for run in tmp_path.rglob("*.run"):
        lines = [line.split() for line in run.read_text("utf-8").splitlines()]
        assert set(Counter(query for query, *_ in lines).values()) == {10}
        assert all(query != passage for query, _, passage, *_ in lines)
    for language in benchmark.languages:
        of_run = rescored(tmp_path / "parallel" / "multilingual" / f"{language}.run")["recall@10"]
        assert of_run == pytest.approx(result.by_language["multilingual"][language]["recall@10"], abs=1e-9)


def test_falling_changes_no_score_that_falls_already() -> None:
    scores = np.array([[0.5, 0.25, -1.0], [0.5, 0.5, 0.5]], dtype=np.float32)
    lowered = falling(scores)
    assert lowered[0].tolist() == [0.5, 0.25, -1.0]
    assert 0.5 == lowered[1, 0] > lowered[1, 1] > lowered[1, 2] > 0.4999998


@pytest.mark.parametrize("where", ["a query", "a passage of a later block", "a passage that is missing"])
def test_an_id_with_white_space_is_refused_wherever_it_is(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(runs, "_BLOCK", 2)
    benchmark, broken = parallel_benchmark(), "คำถาม 1"
    check_ids(benchmark, relevance(benchmark))
    match where:
        case "a query":
            thai = list(zip(benchmark.queries["th"].ids(), benchmark.queries["th"].texts(), strict=True))
            asked = Texts.of([*(Query(*query) for query in thai), Query(broken, "แม่น้ำ")])
            benchmark = replace(benchmark, queries={**benchmark.queries, "th": asked})
            check_ids(benchmark, relevance(benchmark))  # it has no judgement
            benchmark = replace(benchmark, qrels={**benchmark.qrels, broken: next(iter(benchmark.qrels.values()))})
        case "a passage of a later block":
            passages = Texts.of(Passage(name, "河") for name in ("p0", "p1", "p2", "p3", broken))
            benchmark = replace(benchmark, pools=[*benchmark.pools, Pool("more", "zh", passages)])
        case _:
            benchmark = replace(benchmark, missing={broken: "th"})
    with pytest.raises(TaskError, match="benchmark 'parallel': id 'คำถาม 1' has white space"):
        check_ids(benchmark, relevance(benchmark))
