from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.plugins import TaskError
from tasks.relevance import relevance, slots
from tasks.schema import Benchmark, Setting
from tests.parallel_benchmark import parallel_benchmark


def resolved(benchmark: Benchmark) -> set[tuple[str, str, str, str, int]]:
    """Query language, query id, pool, passage id, grade of every pair."""
    found = relevance(benchmark)
    pairs = set()
    for query, pool, row, grade in zip(found.query_T, found.pool_T, found.row_T, found.grade_T, strict=True):
        language = benchmark.languages[found.query_language_Q[query]]
        query_id = benchmark.queries[language].ids()[found.query_row_Q[query]]
        held = benchmark.pools[pool]
        pairs.add((language, query_id, held.name, held.passages.ids()[row], int(grade)))
    return pairs


def listed(benchmark: Benchmark) -> set[tuple[str, str, str, str, int]]:
    """The same, read straight from the qrels."""
    pool_of = {passage: pool.name for pool in benchmark.pools for passage in pool.passages.ids()}
    return {
        (language, query_id, pool_of[passage], passage, grade)
        for language, queries in benchmark.queries.items()
        for query_id in queries.ids()
        for passage, grade in benchmark.qrels[query_id].items()
    }


def test_every_qrel_is_found_in_its_pool_for_every_language_version_of_its_query() -> None:
    benchmark = parallel_benchmark()
    assert resolved(benchmark) == listed(benchmark)


def test_pairs_are_ordered_by_query_pool_and_row() -> None:
    found = relevance(parallel_benchmark())
    places = list(zip(found.query_T, found.pool_T, found.row_T, strict=True))
    assert places == sorted(places)


def test_a_setting_keeps_the_pairs_that_count_in_it() -> None:
    for setting, counts in ((Setting.MONOLINGUAL, True), (Setting.CROSSLINGUAL, False)):
        benchmark = parallel_benchmark((setting,))
        assert resolved(benchmark) == {pair for pair in listed(benchmark) if (pair[0] == pair[2]) is counts}


def test_a_query_without_relevant_passages_takes_no_part() -> None:
    benchmark = parallel_benchmark()
    fewer = replace(benchmark, qrels={query: found for query, found in benchmark.qrels.items() if query != "q3"})
    assert {pair[1] for pair in resolved(fewer)} == set(benchmark.qrels) - {"q3"}


def test_a_relevant_passage_in_no_pool_is_refused_by_name() -> None:
    benchmark = parallel_benchmark()
    lost = replace(benchmark, qrels={**benchmark.qrels, "q0": {"9-999": 1, "ไม่มี": 1}})
    with pytest.raises(TaskError, match="'parallel': passage 'ไม่มี', relevant to query 'q0', is in no pool"):
        relevance(lost)


def test_a_benchmark_on_which_no_query_takes_part_is_refused() -> None:
    benchmark = parallel_benchmark((Setting.CROSSLINGUAL,))
    alone = replace(benchmark, queries={"zh": benchmark.queries["zh"]}, pools=[benchmark.pools[2]], qrels={})
    with pytest.raises(TaskError, match="no query has a relevant passage"):
        relevance(alone)


def test_slots_number_the_entries_of_each_list() -> None:
    assert slots(np.array([0, 0, 0, 1, 2, 2])).tolist() == [0, 1, 2, 0, 0, 1]
