from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import ir_measures
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from study.analysis.formats import decimals, metric_name
from study.space.selection import check_metric
from tasks import metrics
from tasks.metric import NOT_RETRIEVED, Lists, Metric, distinct_positions
from tasks.plugins import TaskError
from tasks.schema import Setting
from tasks.scoring import POSITIONS, metrics_of, query_scores

Integers = npt.NDArray[np.int64]


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


def lists(positions: object, grades: object = None, own: object = None) -> Lists:
    """Grades are 1 and every passage is in another language unless given."""
    positions_QR = np.array(positions, dtype=np.int64)
    grades_QR = (positions_QR > 0).astype(np.int64) if grades is None else np.array(grades, dtype=np.int64)
    own_QR = np.zeros(positions_QR.shape, np.bool_) if own is None else np.array(own)
    languages_QR = np.where(own_QR, 0, 1 + np.arange(positions_QR.shape[1]))
    return Lists(positions_QR, grades_QR, languages_QR, np.zeros(len(positions_QR), np.int64))


def ranked(scores: Integers, grades: Integers) -> Lists:
    """Positions where ties go to the smaller row, in an arbitrary order of the relevant passages."""
    place = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1, kind="stable") + 1
    width = int((grades > 0).sum(axis=1).max())
    positions, held = np.zeros((2, len(scores), width), dtype=np.int64)
    for query, row in enumerate(grades):
        relevant = np.random.default_rng(query).permutation(np.flatnonzero(row))
        positions[query, : len(relevant)] = place[query, relevant]
        held[query, : len(relevant)] = row[relevant]
    return lists(positions, held)


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
    values = metrics.metric(name)(ranked(*data))
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, oracle(measure, *data), atol=1e-9, rtol=0)


@given(data=scored(), k=st.integers(1, 30))
def test_average_precision_at_k_is_trec_evals_with_the_smaller_divisor(data: tuple[Integers, Integers], k: int) -> None:
    relevant = (data[1] > 0).sum(axis=1)
    expected = np.array(oracle(ir_measures.AP @ k, *data)) * relevant / np.minimum(relevant, k)
    np.testing.assert_allclose(metrics.metric(f"map@{k}")(ranked(*data)), expected, atol=1e-9, rtol=0)


@given(data=scored(), k=st.integers(1, 30))
def test_reciprocal_rank_at_k_is_trec_evals_where_that_is_at_least_one_in_k(
    data: tuple[Integers, Integers], k: int
) -> None:
    full = np.array(oracle(ir_measures.RR, *data))
    expected = np.where(full > 1 / (k + 0.5), full, 0)
    np.testing.assert_allclose(metrics.metric(f"mrr@{k}")(ranked(*data)), expected, atol=1e-9, rtol=0)


def test_closed_forms_by_hand() -> None:
    by_hand = lists([[5, 2, 0], [1, 0, 0], [12, 1, 30]], [[1, 3, 0], [2, 0, 0], [1, 1, 1]])
    values = {name: metrics.metric(name)(by_hand).tolist() for name in ("map", "mrr@10", "recall@10", "ndcg@10")}
    assert values["map"] == pytest.approx([(1 / 2 + 2 / 5) / 2, 1, (1 + 2 / 12 + 3 / 30) / 3])
    assert values["mrr@10"] == [0.5, 1, 1]
    assert values["recall@10"] == pytest.approx([1, 1, 1 / 3])
    discounted = (3 / np.log2(3) + 1 / np.log2(6)) / (3 + 1 / np.log2(3))
    assert values["ndcg@10"] == pytest.approx([discounted, 1, 1 / (1 + 1 / np.log2(3) + 0.5)])


def test_a_perfect_ranking_of_more_than_k_passages_scores_one_at_k() -> None:
    perfect = lists([list(range(1, 31))])
    for name in ("map@20", "ndcg@10", "mrr@10", "accuracy"):
        assert metrics.metric(name)(perfect).tolist() == pytest.approx([1.0]), name


def test_rank_distance_is_the_spread_and_undefined_for_a_single_passage() -> None:
    values = metrics.metric("rank_distance")(lists([[40, 3, 0, 7], [9, 0, 0, 0]]))
    assert values.tolist() == [37, pytest.approx(np.nan, nan_ok=True)]


def test_language_preference_asks_whether_the_first_answer_is_in_the_querys_language() -> None:
    own = [[True, False, False], [True, False, False], [False, True, False], [True, True, False], [False, False, False]]
    positions = [[7, 9, 8], [7, 9, 6], [30, 2, 0], [1, 2, 0], [4, 5, 6]]
    values = metrics.metric("language_preference")(lists(positions, own=own))
    nan = pytest.approx(np.nan, nan_ok=True)
    assert values.tolist() == [1, 0, 1, nan, nan]


@given(data=scored())
def test_language_preference_equals_a_walk_down_random_rankings(data: tuple[Integers, Integers]) -> None:
    ranking = ranked(*data)
    ranking = ranking._replace(language_QR=np.random.default_rng(0).integers(0, 2, ranking.positions_QR.shape))
    own_QR = ranking.in_query_language()
    expected = []
    for positions, own in zip(ranking.positions_QR.tolist(), own_QR.tolist(), strict=True):
        walk = [is_own for position, is_own in sorted(zip(positions, own, strict=True)) if position]
        expected.append(float(walk[0]) if len(set(walk)) == 2 else np.nan)
    np.testing.assert_array_equal(metrics.metric("language_preference")(ranking), expected)


@given(data=scored(), k=st.integers(1, 50))
def test_worst_position_and_complete_are_the_last_of_several_answers(data: tuple[Integers, Integers], k: int) -> None:
    ranking = ranked(*data)
    last = [max(row) if sum(place > 0 for place in row) > 1 else np.nan for row in ranking.positions_QR.tolist()]
    np.testing.assert_array_equal(metrics.metric("worst_position")(ranking), last)
    within = [np.nan if np.isnan(place) else float(place <= k) for place in last]
    np.testing.assert_array_equal(metrics.metric(f"complete@{k}")(ranking), within)


@given(data=scored(), k=st.integers(1, 50), seed=st.integers(0, 99))
def test_peer_is_scipys_kruskal_wallis_averaged_over_grades(data: tuple[Integers, Integers], k: int, seed: int) -> None:
    ranking = ranked(*data)
    language_QR = np.random.default_rng(seed).integers(0, 3, ranking.positions_QR.shape)
    expected = []
    for positions, grades, languages in zip(
        ranking.positions_QR.tolist(), ranking.grades_QR.tolist(), language_QR.tolist(), strict=True
    ):
        p_values = []
        for grade in set(grades) - {0}:
            rows = [(min(p, k + 1), la) for p, g, la in zip(positions, grades, languages, strict=True) if g == grade]
            groups = [[p for p, la in rows if la == language] for language in {la for _, la in rows}]
            if len(groups) > 1 and max(map(len, groups)) > 1:
                alike = len({p for p, _ in rows}) == 1
                p_values.append(1.0 if alike else scipy.stats.kruskal(*groups).pvalue)
        expected.append(fmean(p_values) if p_values else np.nan)
    values = metrics.metric(f"peer@{k}")(ranking._replace(language_QR=language_QR))
    np.testing.assert_allclose(values, expected, atol=1e-9)


def test_peer_is_not_defined_with_one_answer_per_language() -> None:
    assert np.isnan(metrics.metric("peer@10")(lists([[1, 2, 9], [40, 50, 60]]))).all()


def test_only_metrics_of_language_bias_are_better_when_lower() -> None:
    lower = [name for name in metrics.METRICS if not metrics.higher_is_better(name)]
    assert lower == [
        *("rank_distance", "language_preference", "worst_position"),
        *("first_hit_irrelevant_own_language", "first_hit_irrelevant_other_language"),
    ]
    assert {*lower, "complete@100", "mrc@10"} < {bias.name for bias in metrics.language_bias()}


def test_a_value_outside_the_bounds_of_its_metric_is_our_own_mistake() -> None:
    doubled = replace(metrics.METRICS["mrr"], function=lambda ranking: 2 * metrics.reciprocal_rank(ranking))
    assert doubled(lists([[2]])).tolist() == [1.0]
    with pytest.raises(AssertionError, match=r"mrr is outside \(0, 1\)"):
        doubled(lists([[1]]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndgc@10", "unknown metric 'ndgc@10': did you mean 'ndcg@10'?"),
        ("ndcg@0", "unknown metric 'ndcg@0': did you mean 'ndcg@10'?"),
        ("recall", "metric 'recall' needs a cut-off: write 'recall@10'"),
        ("accuracy@5", "metric 'accuracy@5' takes no cut-off: write 'accuracy'"),
        ("ความแม่น", "unknown metric 'ความแม่น': allowed: accuracy, complete@1, complete@10"),
    ],
)
def test_an_unknown_name_is_refused_with_what_to_write_instead(name: str, message: str) -> None:
    with pytest.raises(TaskError) as error:
        metrics.metric(name)
    assert str(error.value).startswith(message)


def test_a_list_without_relevant_passages_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="without relevant"):
        metrics.metric("mrr")(lists([[0, 0]]))


def hit(ranking: Lists, k: int) -> npt.NDArray[np.float64]:
    return np.asarray(metrics.recall(ranking, k) > 0, dtype=np.float64)


def test_a_new_metric_is_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the record alone it can be measured, selected by, named in a table, and refused with a hint."""
    monkeypatch.setitem(metrics.METRICS, "hit", Metric("hit", "Hit", hit, cutoff="required", decimals=2))
    row = ("q1", "th", "th", "th", 1, 2, 2, "q1")
    positions = pa.table(dict(zip(POSITIONS.names, [[value] for value in row], strict=True))).cast(POSITIONS)
    measured = metrics_of(positions, "b", [Setting.MONOLINGUAL], ["hit@1", "hit@5"])
    assert measured.metrics == {"b/monolingual/hit@1": 0.0, "b/monolingual/hit@5": 1.0}
    check_metric("monolingual/hit@5")
    with pytest.raises(TaskError, match="metric 'hit' needs a cut-off: write 'hit@10'"):
        check_metric("monolingual/hit")
    assert (metric_name("hit@5"), decimals("hit@5")) == ("Hit@5", 2)


def test_passages_that_are_not_retrieved_leave_a_question_incomplete_and_have_no_position() -> None:
    ranking = lists([[3, NOT_RETRIEVED, 8], [NOT_RETRIEVED, 5, 0]], own=[[True, False, False]] * 2)
    nan = pytest.approx(np.nan, nan_ok=True)
    expected = {
        "worst_position": [8, nan],
        "complete@100": [0, 0],
        "language_preference": [1, nan],
        "peer@9": [nan, nan],
    }
    assert {name: metrics.metric(name)(ranking).tolist() for name in expected} == expected


@given(st.integers(0, 2**32 - 1))
def test_near_ties_that_run_in_a_circle_end_at_distinct_positions_within_the_list(seed: int) -> None:
    """Any outcome of comparing passages two by two, of which one is always ahead, gives positions of a ranked list."""
    random = np.random.default_rng(seed)
    passages = int(random.integers(1, 12))
    wins = np.triu(random.random((passages, passages)) < 0.5, 1)
    ahead = wins | np.tril(~wins.T, -1)
    relevant = random.permutation(passages)[: random.integers(1, passages + 1)]
    positions = 1 + ahead.sum(axis=0)[relevant]
    distinct = distinct_positions(np.array([[*positions, NOT_RETRIEVED, 0]]))[0]
    assert distinct[-2:].tolist() == [NOT_RETRIEVED, 0]
    assert len(set(distinct[:-2].tolist())) == len(relevant)
    assert distinct[:-2].min() >= 1
    assert distinct[:-2].max() <= passages
    assert (np.diff(distinct[:-2][np.argsort(positions, kind="stable")]) > 0).all(), "the order is kept"
    if len(set(positions.tolist())) == len(relevant):
        assert distinct[:-2].tolist() == positions.tolist()


def test_relevant_passages_counted_at_one_position_are_scored_as_a_list_that_can_be() -> None:
    """Three answers that are all ahead of each other in a circle, at the top: the nDCG of a perfect list, not 1.17."""
    columns: dict[str, list[object]] = {
        "query_id": ["q"] * 3,
        "query_language": ["th"] * 3,
        "passage_language": ["th", "zh", "ar"],
    }
    columns |= {"pool": ["th", "zh", "ar"], "grade": [1] * 3, "position_in_pool": [1] * 3, "position_in_union": [2] * 3}
    columns |= {"document": ["q"] * 3}
    table = pa.table(columns).cast(POSITIONS)
    values = query_scores(table, Setting.MULTILINGUAL, ["ndcg@10", "map", "mrr"])
    for name in ("ndcg@10", "map", "mrr"):
        assert values[name].to_pylist() == pytest.approx([1])


def test_two_passages_at_one_position_are_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="two passages at one position"):
        metrics.metric("mrr")(lists([[1, 1, 3]]))
