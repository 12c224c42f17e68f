"""Metrics of the best passages of each query: rank correlation of parallel queries, four kinds of first hits."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from statistics import fmean

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from study.config_sections import CentringConfig
from study.retrieval.centring import LanguageMeans
from study.retrieval.encode import Encoding, encode
from study.retrieval.evaluation import Centring, Evaluation, Extras, evaluate, evaluate_views
from study.space.selection import check_metric
from tasks.metric import TopLists
from tasks.metrics import metric
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Setting
from tasks.scoring import metrics_of
from tasks.top_lists import top_list_scores
from tests.hashing_encoder import HashingEncoder
from tests.parallel_benchmark import named_for_passages, parallel_benchmark, relevant_passages
from tests.process_group import RunInGroup

NAMES = [f"first_hit_{a}_{b}_language" for a, b in product(("relevant", "irrelevant"), ("own", "other"))]


@st.composite
def top_lists(draw: st.DrawFn) -> TopLists:
    """Random lists of few passages, so that they overlap, for a few questions in up to four languages."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    questions, languages, length = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 12))
    passages = draw(st.integers(length, 3 * length))
    versions = [(q, la) for q in range(questions) for la in range(languages) if random.random() < 0.8] or [(0, 0)]
    lists = np.array([random.permutation(passages)[:length] for _ in versions])
    padded = np.pad(lists, ((0, 0), (0, draw(st.integers(0, 2)))), constant_values=-1)
    question_Q, language_Q = np.array(versions).T
    relevant_QK, language_QK = random.random(padded.shape) < 0.5, random.integers(0, 3, padded.shape)
    return TopLists(padded, relevant_QK, language_QK, question_Q, language_Q)


def correlation(first: list[int], second: list[int]) -> float:
    """Scipy's, over the union; what a list lacks comes after its last."""
    union = sorted(set(first) | set(second))
    ranks = [[of.index(passage) if passage in of else len(of) for passage in union] for of in (first, second)]
    return float(scipy.stats.spearmanr(*ranks).statistic) if len(union) > 1 else 1.0


@given(lists=top_lists(), k=st.integers(1, 12))
def test_mrc_is_scipys_spearman_averaged_over_the_other_languages(lists: TopLists, k: int) -> None:
    rows = [[passage for passage in row[:k] if passage >= 0] for row in lists.passage_QK.tolist()]
    pairs: dict[int, list[float]] = {query: [] for query in range(len(rows))}
    for a, b in combinations(range(len(rows)), 2):
        if lists.question_Q[a] == lists.question_Q[b]:
            for query in (a, b):
                pairs[query].append(correlation(rows[a], rows[b]))
    expected = [fmean(values) if values else np.nan for values in pairs.values()]
    np.testing.assert_allclose(metric(f"mrc@{k}")(lists), expected, atol=1e-9)


def test_equal_lists_correlate_fully_and_disjoint_ones_negatively() -> None:
    def lists(second: list[int]) -> TopLists:
        passages = np.array([[1, 2, 3], second])
        zeros = np.zeros_like(passages)
        return TopLists(passages, zeros > 0, zeros, np.zeros(2, np.int64), np.array([0, 1]))

    assert metric("mrc@3")(lists([1, 2, 3])).tolist() == pytest.approx([1, 1])
    assert metric("mrc@1")(lists([1, 9, 8])).tolist() == pytest.approx([1, 1])
    assert metric("mrc@3")(lists([7, 8, 9]))[0] < 0
    assert metric("mrc@1")(lists([7, 8, 9])).tolist() == pytest.approx([-1, -1])


@given(lists=top_lists())
def test_the_four_kinds_of_first_hits_add_up_to_one(lists: TopLists) -> None:
    values = [metric(name)(lists) for name in NAMES]
    np.testing.assert_array_equal(sum(values), np.ones(len(lists.question_Q)))
    own = lists.language_QK[:, 0] == lists.query_language_Q
    np.testing.assert_array_equal(values[0] == 1, lists.relevant_QK[:, 0] & own)
    np.testing.assert_array_equal(values[3] == 1, ~lists.relevant_QK[:, 0] & ~own)


def searched(benchmark: Benchmark, block_size: int = 10) -> list[Evaluation]:
    extras = Extras([Centring(CentringConfig(), LanguageMeans())], top_lists=True)
    return evaluate_views(HashingEncoder(), benchmark, Encoding(200, block_size), extras)


def test_the_lists_are_those_of_all_scores_sorted() -> None:
    benchmark = parallel_benchmark()
    table = searched(benchmark)[0].top_lists
    assert table is not None
    texts = [text for pool in benchmark.pools for text in pool.passages.texts()]
    ids = [i for pool in benchmark.pools for i in pool.passages.ids()]
    passages = encode(HashingEncoder(), texts, "passage", 10**6).double().numpy()
    expected: list[tuple[object, ...]] = []
    for language in benchmark.languages:
        queries = benchmark.queries[language]
        scores: npt.NDArray[np.float64] = (
            encode(HashingEncoder(), queries.texts(), "query", 10**6).double().numpy() @ passages.T
        )
        for query, row in zip(queries.ids(), np.argsort(-scores.round(7), axis=1, kind="stable")[:, :10], strict=True):
            languages = [benchmark.pools[place // 45].language for place in row]
            for place, passage in enumerate(row.tolist()):
                relevant = ids[passage] in benchmark.qrels[query]
                expected.append((query, language, place + 1, passage, languages[place], relevant))
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    assert sorted(map(str, rows)) == sorted(map(str, expected))


def test_they_are_measured_only_on_request_and_change_nothing_else() -> None:
    benchmark = parallel_benchmark()
    plain, with_lists = evaluate(HashingEncoder(), benchmark), searched(benchmark)[0]
    more = set(with_lists.metrics) - set(plain.metrics)
    assert more == {f"parallel/multilingual/{name}" for name in ("mrc@10", *NAMES)}
    assert {key: value for key, value in with_lists.metrics.items() if key not in more} == plain.metrics
    assert sum(with_lists.metrics[f"parallel/multilingual/{name}"] for name in NAMES) == pytest.approx(1)
    assert set(with_lists.by_language["multilingual"]["th"]) >= {"mrc@10", *NAMES}
    assert plain.top_lists is None
    alone = evaluate_views(
        HashingEncoder(), parallel_benchmark((Setting.MONOLINGUAL,)), Encoding(), Extras(top_lists=True)
    )
    assert alone[0].top_lists is None


def test_metrics_can_be_computed_again_from_the_tables() -> None:
    benchmark, result = parallel_benchmark(), searched(parallel_benchmark())[1]
    again = metrics_of(result.positions, result.benchmark, benchmark.settings, benchmark.metrics, result.top_lists)
    assert (again.metrics, again.by_language) == (result.metrics, result.by_language)
    assert result.top_lists is not None
    assert top_list_scores(result.top_lists).num_rows == sum(map(len, benchmark.queries.values()))


@pytest.mark.parametrize("world_size", [2, 3])
def test_several_processes_find_the_lists_of_one(run_in_group: RunInGroup, world_size: int) -> None:
    expected = searched(parallel_benchmark())
    for shared in run_in_group(world_size, searched, parallel_benchmark(), 7):
        for result, alone in zip(shared, expected, strict=True):
            assert result.metrics == alone.metrics
            assert result.top_lists == alone.top_lists


def test_selection_by_a_metric_that_needs_a_search_is_refused() -> None:
    with pytest.raises(TaskError, match="'mrc@10' needs a search, which validation does not make"):
        check_metric("multilingual/mrc@10")


def test_a_passage_with_the_id_of_a_query_is_in_none_of_its_lists_and_leaves_its_place_to_the_next() -> None:
    whole = parallel_benchmark()
    benchmark = named_for_passages(whole, relevant_passages(whole))
    ids = [i for pool in benchmark.pools for i in pool.passages.ids()]

    def hits(searched_in: Benchmark) -> list[tuple[str, str]]:
        table = searched(searched_in)[0].top_lists
        assert table is not None
        return [
            (query, ids[row])
            for query, row in zip(*(table[n].to_pylist() for n in ("query_id", "passage")), strict=True)
        ]

    assert any(query == passage for query, passage in hits(replace(benchmark, ignore_identical_ids=False)))
    found = hits(benchmark)
    assert not any(query == passage for query, passage in found)
    assert len(found) == 10 * benchmark.questions
