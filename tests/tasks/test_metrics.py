from __future__ import annotations

from typing import NamedTuple

import ir_measures
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import metrics
from tasks.plugins import TaskError

Integers = npt.NDArray[np.int64]


class Lists(NamedTuple):
    """Padded lists, as the metrics take them."""

    positions_QR: Integers
    grades_QR: Integers


@st.composite
def scored(draw: st.DrawFn) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Coarse scores (many ties) and grades, 0 for irrelevant, of Q queries over the same passages."""
    queries, passages = draw(st.integers(1, 5)), draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    scores = random.integers(0, draw(st.integers(1, 30)), (queries, passages))
    grades = random.integers(0, 4, (queries, passages)) * (random.random((queries, passages)) < 0.4)
    grades[:, random.integers(passages)] += 1
    return scores, grades


def ranked(scores: Integers, grades: Integers) -> Lists:
    """Positions where ties go to the smaller row, in an arbitrary order of the relevant passages."""
    place = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1, kind="stable") + 1
    width = int((grades > 0).sum(axis=1).max())
    positions, held = np.zeros((2, len(scores), width), dtype=np.int64)
    for query, row in enumerate(grades):
        relevant = np.random.default_rng(query).permutation(np.flatnonzero(row))
        positions[query, : len(relevant)] = place[query, relevant]
        held[query, : len(relevant)] = row[relevant]
    return Lists(positions, held)


def oracle(measure: ir_measures.measures.Measure, scores: Integers, grades: Integers) -> list[float]:
    """trec_eval's value for each query; it gives ties to the larger id, so ids fall as rows rise."""
    ids = [f"{99 - row:02d}" for row in range(scores.shape[1])]
    run = {f"q{q}": dict(zip(ids, map(float, row), strict=True)) for q, row in enumerate(scores)}
    qrels = {f"q{q}": {i: int(g) for i, g in zip(ids, row, strict=True) if g} for q, row in enumerate(grades)}
    values = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, run)}
    return [values[f"q{q}"] for q in range(len(scores))]


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("map", ir_measures.AP),
        ("ndcg", ir_measures.nDCG),
        ("ndcg@3", ir_measures.nDCG @ 3),
        ("ndcg@10", ir_measures.nDCG @ 10),
        ("mrr", ir_measures.RR),
        ("recall@1", ir_measures.R @ 1),
        ("recall@10", ir_measures.R @ 10),
        ("recall@100", ir_measures.R @ 100),
        ("accuracy", ir_measures.P @ 1),
    ],
)
@given(data=scored())
def test_equals_trec_eval_on_random_rankings_with_ties(
    name: str, measure: ir_measures.measures.Measure, data: tuple[Integers, Integers]
) -> None:
    values = metrics.metric(name)(*ranked(*data))
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, oracle(measure, *data), atol=1e-9, rtol=0)


@given(data=scored(), k=st.integers(1, 30))
def test_average_precision_at_k_is_trec_evals_with_the_smaller_divisor(data: tuple[Integers, Integers], k: int) -> None:
    relevant = (data[1] > 0).sum(axis=1)
    expected = np.array(oracle(ir_measures.AP @ k, *data)) * relevant / np.minimum(relevant, k)
    np.testing.assert_allclose(metrics.metric(f"map@{k}")(*ranked(*data)), expected, atol=1e-9, rtol=0)


@given(data=scored(), k=st.integers(1, 30))
def test_reciprocal_rank_at_k_is_trec_evals_where_that_is_at_least_one_in_k(
    data: tuple[Integers, Integers], k: int
) -> None:
    full = np.array(oracle(ir_measures.RR, *data))
    expected = np.where(full > 1 / (k + 0.5), full, 0)
    np.testing.assert_allclose(metrics.metric(f"mrr@{k}")(*ranked(*data)), expected, atol=1e-9, rtol=0)


def test_closed_forms_by_hand() -> None:
    positions, grades = np.array([[5, 2, 0], [1, 0, 0], [12, 1, 30]]), np.array([[1, 3, 0], [2, 0, 0], [1, 1, 1]])
    values = {name: metrics.metric(name)(positions, grades).tolist() for name in ("map", "mrr@10", "recall@10")}
    assert values["map"] == pytest.approx([(1 / 2 + 2 / 5) / 2, 1, (1 + 2 / 12 + 3 / 30) / 3])
    assert values["mrr@10"] == [0.5, 1, 1]
    assert values["recall@10"] == pytest.approx([1, 1, 1 / 3])
    discounted = (3 / np.log2(3) + 1 / np.log2(6)) / (3 + 1 / np.log2(3))
    assert metrics.ndcg(positions, grades, 10).tolist() == pytest.approx(
        [discounted, 1, 1 / (1 + 1 / np.log2(3) + 0.5)]
    )


def test_a_perfect_ranking_of_more_than_k_passages_scores_one_at_k() -> None:
    positions, grades = np.arange(1, 31)[None], np.ones((1, 30), dtype=np.int64)
    for name in ("map@20", "ndcg@10", "mrr@10", "accuracy"):
        assert metrics.metric(name)(positions, grades).tolist() == pytest.approx([1.0]), name


def test_rank_distance_is_the_spread_and_undefined_for_a_single_passage() -> None:
    positions = np.array([[40, 3, 0, 7], [9, 0, 0, 0]])
    assert metrics.rank_distance(positions, (positions > 0) * 1).tolist() == [37, pytest.approx(np.nan, nan_ok=True)]


def test_only_rank_distance_is_better_when_lower() -> None:
    assert [name for name in metrics.COMMON if not metrics.higher_is_better(name)] == ["rank_distance"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndgc@10", "unknown metric 'ndgc@10': did you mean 'ndcg@10'?"),
        ("ndcg@0", "unknown metric 'ndcg@0': did you mean 'ndcg@10'?"),
        ("recall", "metric 'recall' needs a cut-off: write 'recall@10'"),
        ("accuracy@5", "metric 'accuracy@5' takes no cut-off: write 'accuracy'"),
        ("ความแม่น", "unknown metric 'ความแม่น': allowed: accuracy, map, map@20"),
    ],
)
def test_an_unknown_name_is_refused_with_what_to_write_instead(name: str, message: str) -> None:
    with pytest.raises(TaskError) as error:
        metrics.metric(name)
    assert str(error.value).startswith(message)


def test_a_list_without_relevant_passages_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="without relevant"):
        metrics.reciprocal_rank(np.zeros((1, 2), dtype=np.int64), np.zeros((1, 2), dtype=np.int64))
