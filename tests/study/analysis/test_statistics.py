"""Differences against scipy's own tests, closed forms, the jackknife, and simulated trials without a difference."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from study.analysis.statistics import Difference, Floats, Method, contributions, holm, smallest_unit, unpaired

LANGUAGES, QUESTIONS = 11, 100


def simulated(seed: int, trials: int, ahead: float = 0.0) -> Floats:
    """Return values of trials on the same questions; `seed` draws everything but the questions."""
    shared, own = np.random.default_rng(0), np.random.default_rng(seed)
    question_UQ = shared.normal(0.5, 0.2, QUESTIONS) + shared.normal(0, 0.15, (LANGUAGES, QUESTIONS))
    of_seed_SU1 = own.normal(0, 0.02, (trials, 1, 1)) + own.normal(0, 0.01, (trials, LANGUAGES, 1))
    of_both_SUQ = own.normal(0, 0.1, (trials, 1, QUESTIONS)) + own.normal(0, 0.15, (trials, LANGUAGES, QUESTIONS))
    return np.asarray(question_UQ + ahead + of_seed_SU1 + of_both_SUQ)


def answer(a_SUQ: Floats, b_SUQ: Floats) -> Difference:
    return unpaired(a_SUQ, b_SUQ, {"all": range(a_SUQ.shape[1])})["all"]


def test_one_trial_each_is_the_paired_t_test_of_scipy_over_questions() -> None:
    a_SUQ, b_SUQ = simulated(1, 1, 0.015), simulated(2, 1)
    expected = stats.ttest_rel(a_SUQ[0].mean(axis=0), b_SUQ[0].mean(axis=0))
    interval = expected.confidence_interval(0.95)
    found = answer(a_SUQ, b_SUQ)
    assert 0.02 < expected.pvalue < 0.98
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.seeds, found.questions, found.method) == ((1, 1), QUESTIONS, Method.QUESTIONS)


def test_over_questions_it_agrees_with_sign_flips_and_the_bootstrap() -> None:
    a_SUQ, b_SUQ = simulated(1, 1, 0.015), simulated(2, 1)
    difference_Q = (a_SUQ - b_SUQ)[0].mean(axis=0)
    random = np.random.default_rng(3)
    flipped = stats.permutation_test(
        (difference_Q,), np.mean, permutation_type="samples", vectorized=True, n_resamples=10_000, rng=random
    )
    drawn = stats.bootstrap((difference_Q,), np.mean, n_resamples=10_000, method="percentile", rng=random)
    found = answer(a_SUQ, b_SUQ)
    assert found.p == pytest.approx(flipped.pvalue, abs=0.02)
    assert (found.low, found.high) == pytest.approx(drawn.confidence_interval, abs=0.001)


def test_where_only_seeds_differ_it_is_students_t_test() -> None:
    """Every question moves with its trial's seed alike: nothing but two small samples of figures is left."""
    a_S, b_S = np.array([0.52, 0.50, 0.55]), np.array([0.47, 0.49])
    question_UQ = np.random.default_rng(0).normal(0, 0.2, (LANGUAGES, QUESTIONS))
    found = answer(a_S[:, None, None] + question_UQ, b_S[:, None, None] + question_UQ)
    expected = stats.ttest_ind(a_S, b_S)
    interval = expected.confidence_interval(0.95)
    assert (found.p, found.freedom) == pytest.approx((expected.pvalue, 3))
    assert found.method is Method.UNPAIRED
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_contributions_have_the_mean_and_the_variance_of_the_macro_average_by_the_jackknife() -> None:
    values_UQ = simulated(1, 1)[0]
    values_UQ[np.random.default_rng(5).random(values_UQ.shape) < 0.6] = np.nan

    def macro(kept_UQ: Floats) -> float:
        return float(np.nanmean(kept_UQ, axis=1).mean())

    contribution_Q = contributions(values_UQ).values_xD
    without_Q = np.array([macro(np.delete(values_UQ, question, axis=1)) for question in range(QUESTIONS)])
    jackknife = (QUESTIONS - 1) / QUESTIONS * ((without_Q - without_Q.mean()) ** 2).sum()
    assert contribution_Q.mean() == pytest.approx(macro(values_UQ))
    assert contribution_Q.var(ddof=1) / QUESTIONS == pytest.approx(jackknife, rel=0.05)


def test_documents_have_the_variance_of_the_macro_average_by_the_jackknife_over_documents() -> None:
    """Questions of a document are alike here, so a jackknife over questions would find a third of it."""
    random = np.random.default_rng(5)
    document_Q = random.permutation(np.repeat(np.arange(60), np.arange(1, 61) % 8 + 1))
    values_UQ = random.normal(size=60)[document_Q] + random.normal(scale=0.5, size=(4, len(document_Q)))
    values_UQ[random.random(values_UQ.shape) < 0.3] = np.nan

    def macro(kept_UQ: Floats) -> float:
        return float(np.nanmean(kept_UQ, axis=1).mean())

    contribution_D = contributions(values_UQ, document_Q).values_xD
    without_D = np.array([macro(values_UQ[:, document_Q != document]) for document in range(60)])
    jackknife = 59 / 60 * ((without_D - without_D.mean()) ** 2).sum()
    assert len(contribution_D) == 60
    assert contribution_D.mean() == pytest.approx(macro(values_UQ))
    assert contribution_D.var(ddof=1) / 60 == pytest.approx(jackknife, rel=0.05)
    alone_Q = contributions(values_UQ).values_xD
    assert alone_Q.var(ddof=1) / len(alone_Q) < 0.4 * jackknife


def test_documents_of_equal_size_vary_as_their_means_do() -> None:
    values_UQ = np.random.default_rng(3).random((1, 30))
    document_Q = np.tile(np.arange(10), 3)
    means_D = values_UQ[0].reshape(3, 10).mean(axis=0)
    contribution_D = contributions(values_UQ, document_Q).values_xD
    assert contribution_D == pytest.approx(means_D)
    assert contributions(values_UQ, np.arange(30)).values_xD == pytest.approx(contributions(values_UQ).values_xD)


def test_questions_that_repeat_what_others_of_their_document_say_add_no_certainty() -> None:
    a_SUQ, b_SUQ = simulated(1, 2, 0.02), simulated(2, 2)
    once = answer(a_SUQ, b_SUQ)
    thrice_a, thrice_b = (np.repeat(values_SUQ, 3, axis=2) for values_SUQ in (a_SUQ, b_SUQ))
    figures = {"all": range(LANGUAGES)}
    found = unpaired(thrice_a, thrice_b, figures, np.repeat(np.arange(QUESTIONS), 3))["all"]
    assert (found.value, found.low, found.high, found.p) == pytest.approx((once.value, once.low, once.high, once.p))
    assert (found.questions, found.documents) == (3 * QUESTIONS, QUESTIONS)
    assert (once.questions, once.documents) == (QUESTIONS, QUESTIONS)
    assert unpaired(thrice_a, thrice_b, figures)["all"].high < found.high


def test_further_languages_that_say_the_same_add_no_certainty() -> None:
    a_SUQ, b_SUQ = simulated(1, 2, 0.02)[:, :1], simulated(2, 2)[:, :1]
    one, eleven = answer(a_SUQ, b_SUQ), answer(np.repeat(a_SUQ, 11, axis=1), np.repeat(b_SUQ, 11, axis=1))
    assert (eleven.low, eleven.high, eleven.p) == pytest.approx((one.low, one.high, one.p))


def test_the_figure_is_the_macro_average_also_where_languages_have_different_questions() -> None:
    a_SUQ, b_SUQ = simulated(1, 2, 0.02), simulated(2, 3)
    missing_UQ = np.random.default_rng(5).random((LANGUAGES, QUESTIONS)) < 0.6
    missing_UQ[:, :2] = True, False
    a_SUQ[:, missing_UQ] = b_SUQ[:, missing_UQ] = np.nan
    macro_a, macro_b = (np.nanmean(values_SUQ, axis=2).mean() for values_SUQ in (a_SUQ, b_SUQ))
    found = unpaired(a_SUQ, b_SUQ, {"all": range(LANGUAGES), "th": [7]})
    assert found["all"].value == pytest.approx(macro_a - macro_b)
    assert found["th"].value == pytest.approx(np.nanmean(a_SUQ[:, 7]) - np.nanmean(b_SUQ[:, 7]))
    assert found["all"].questions == QUESTIONS - 1
    assert found["th"].questions == np.count_nonzero(~missing_UQ[7])
    assert found["all"].low < found["all"].value < found["all"].high


def test_equal_trials_do_not_differ() -> None:
    values_SUQ = simulated(1, 2)
    assert answer(values_SUQ[:1], values_SUQ[:1]).p == 1
    assert answer(values_SUQ, values_SUQ).value == 0


def test_the_same_trials_always_get_the_same_answer_and_mirrored_ones_its_mirror_image() -> None:
    a_SUQ, b_SUQ = simulated(1, 2, 0.02), simulated(2, 2)
    there, again, back = (answer(*pair) for pair in ((a_SUQ, b_SUQ), (a_SUQ, b_SUQ), (b_SUQ, a_SUQ)))
    assert there == again
    assert back.value == pytest.approx(-there.value)
    assert back.p == pytest.approx(there.p)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


def test_values_of_other_questions_are_refused() -> None:
    a_SUQ, b_SUQ = simulated(1, 1), simulated(2, 1)
    b_SUQ[0, 0, 0] = np.nan
    with pytest.raises(AssertionError, match="other questions"):
        answer(a_SUQ, b_SUQ)


@pytest.mark.parametrize("trials", [(2, 2), (3, 3), (5, 5), (2, 3)])
def test_trials_that_do_not_differ_are_told_apart_in_5_percent_of_cases(trials: tuple[int, int]) -> None:
    runs, (a, b) = 500, trials
    pairs = ((simulated(2 * i + 1, a), simulated(2 * i + 2, b)) for i in range(runs))
    rejected = sum(answer(*pair).p <= 0.05 for pair in pairs)
    assert 0.03 <= rejected / runs <= 0.07


def test_more_seeds_find_a_difference_that_two_cannot() -> None:
    def found(trials: int) -> int:
        pairs = ((simulated(2 * i + 1, trials, 0.04), simulated(2 * i + 2, trials)) for i in range(50))
        return sum(answer(*pair).p <= 0.05 for pair in pairs)

    assert found(2) < 20
    assert found(5) > 35


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    """Marcus, Peritz and Gabriel 1976: a hypothesis goes where every intersection that holds it goes."""
    places = range(len(p_values))
    subsets = [set(s) for size in range(1, len(p_values) + 1) for s in combinations(places, size)]
    expected = [max(min(1.0, len(s) * min(p_values[j] for j in s)) for s in subsets if i in s) for i in places]
    assert holm(p_values) == pytest.approx(expected)


def test_the_variance_of_a_macro_average_is_right_however_few_questions_a_language_has() -> None:
    """Languages with questions of their own: the variances of independent means add up."""
    values_UQ = np.full((3, 12), np.nan)
    random = np.random.default_rng(7)
    values_UQ[0, :7], values_UQ[1, 7:10], values_UQ[2, 10:] = random.random(7), random.random(3), random.random(2)
    own = [language_Q[~np.isnan(language_Q)] for language_Q in values_UQ]
    contribution_Q = contributions(values_UQ).values_xD
    assert contribution_Q.mean() == pytest.approx(np.mean([language_Q.mean() for language_Q in own]))
    expected = sum(language_Q.var(ddof=1) / len(language_Q) for language_Q in own) / 9
    assert contribution_Q.var(ddof=1) / 12 == pytest.approx(expected)


def test_a_single_question_has_no_spread() -> None:
    values_UQ = np.array([[0.1, 0.5, 0.4], [0.2, np.nan, np.nan]])
    assert [smallest_unit(values_UQ, units) for units in ([0], [1], [0, 1])] == [3, 1, 1]
    with pytest.raises(AssertionError, match="one document has no spread"):
        contributions(values_UQ)


def test_questions_about_a_single_document_have_no_spread() -> None:
    values_UQ = np.array([[0.1, 0.5, 0.4], [0.2, 0.3, np.nan]])
    document_Q = np.array([7, 7, 9])
    assert [smallest_unit(values_UQ, units, document_Q) for units in ([0], [1], [0, 1])] == [2, 1, 1]
    with pytest.raises(AssertionError, match="one document has no spread"):
        contributions(values_UQ, document_Q)


@pytest.mark.parametrize(
    ("sizes_of_units", "freedom"),
    [
        ([[1] * 30], 29),
        ([[25] * 48], 47),
        ([[5] * 10, [5] * 10], 18),
        ([[1] * 7, [1] * 3, [1] * 2], (1 / 7 + 1 / 3 + 1 / 2) ** 2 / (1 / 294 + 1 / 18 + 1 / 4)),
        ([[600, *[1] * 400]], 1),
        ([[60, 2]], 1),
        ([[20] * 40, [31, 31]], 0.13125**2 / (0.00625**2 / 39 + 0.125**2)),
    ],
    ids=["questions", "even", "two languages", "Satterthwaite 1946", "one large", "two", "two in one language"],
)
def test_few_documents_that_hold_most_of_a_figure_leave_few_degrees_of_freedom(
    sizes_of_units: list[list[int]], freedom: float
) -> None:
    """Units have documents of their own here."""
    sizes = [size for unit in sizes_of_units for size in unit]
    document_Q = np.repeat(np.arange(len(sizes)), sizes)
    values_UQ, start = np.full((len(sizes_of_units), len(document_Q)), np.nan), 0
    for unit, own in enumerate(sizes_of_units):
        values_UQ[unit, start : start + sum(own)] = 0.5
        start += sum(own)
    assert contributions(values_UQ, document_Q).freedom == pytest.approx(freedom, rel=0.01)


@pytest.mark.parametrize("sizes", [[600, *[1] * 400], [100, *[1] * 100], [60, 2], [20] * 10], ids=str)
def test_a_difference_that_is_none_is_seldom_found_however_uneven_documents_are(sizes: list[int]) -> None:
    """A tenth of what questions vary by is their document's: 400 studies of one seed each, at level 5 %."""
    random, document_Q, found = np.random.default_rng(0), np.repeat(np.arange(len(sizes)), sizes), 0
    for _ in range(400):
        of_document_Q = random.normal(scale=np.sqrt(0.1), size=len(sizes))[document_Q]
        a_SUQ = (of_document_Q + random.normal(scale=np.sqrt(0.9), size=len(document_Q)))[None, None]
        found += unpaired(a_SUQ, np.zeros_like(a_SUQ), {"all": [0]}, document_Q)["all"].p < 0.05
    assert found / 400 < 0.08
