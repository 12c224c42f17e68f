"""The crossed test against hand-written analyses of variance, scipy's t-tests, permutations and fresh samples."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import integrate, stats

import study.analysis.crossed
from study.analysis.statistics import Error, Floats, Method, Variance
from tests.study.analysis.crossed_of import crossed_of

SETTINGS, SEEDS, QUESTIONS = 4, 3, 60


def simulated(
    random: np.random.Generator, shape: tuple[int, int, int] = (SETTINGS, SEEDS, QUESTIONS), interaction: float = 0.01
) -> Floats:
    """Return values of a crossed design with every random effect, and no difference between settings."""
    settings, seeds, questions = shape
    return np.asarray(
        0.5
        + random.normal(0, 0.05, (1, seeds, 1))
        + random.normal(0, 0.2, (1, 1, questions))
        + random.normal(0, interaction, (settings, seeds, 1))
        + random.normal(0, 0.06, (settings, 1, questions))
        + random.normal(0, 0.05, (1, seeds, questions))
        + random.normal(0, 0.1, (settings, seeds, questions))
    )


def mean_squares(values_ASQ: Floats) -> dict[str, float]:
    """Return the mean squares of a three-way analysis of variance by regression on indicators, effect by effect."""
    axes = [np.ravel(axis) for axis in np.indices(values_ASQ.shape)]
    y = values_ASQ.ravel()

    def indicators(effect: tuple[int, ...]) -> Floats:
        cell = np.ravel_multi_index([axes[axis] for axis in effect], [values_ASQ.shape[axis] for axis in effect])
        return np.asarray(np.eye(cell.max() + 1)[cell])

    def residual(effects: list[tuple[int, ...]]) -> tuple[float, int]:
        design = np.column_stack([np.ones(len(y)), *(indicators(effect) for effect in effects)])
        beta, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
        return float(((y - design @ beta) ** 2).sum()), int(rank)

    found = {}
    for name, effect, below in (
        ("setting", (0,), []),
        ("setting x seed", (0, 1), [(0,), (1,)]),
        ("setting x question", (0, 2), [(0,), (2,)]),
    ):
        (without, rank), (with_it, larger) = residual([*below]), residual([*below, effect])
        found[name] = (without - with_it) / (larger - rank)
    rest, rank = residual([(0, 1), (0, 2), (1, 2)])
    found["rest"] = rest / (len(y) - rank)
    return found


def behrens_fisher(size: float, seed: float, seed_freedom: float, question: float, question_freedom: float) -> float:
    """Return the two-sided tail of the sum of two scaled Student's t, by adaptive quadrature."""

    def density_times_tail(t: float) -> float:
        rest = (size - np.sqrt(question) * t) / np.sqrt(seed)
        return float(stats.t.pdf(t, question_freedom) * stats.t.sf(rest, seed_freedom))

    return float(2 * integrate.quad(density_times_tail, -50, 50, limit=500, points=[0])[0])


def test_with_two_settings_it_is_the_analysis_of_obuchowski_and_rockette_on_regression_mean_squares() -> None:
    values_ASQ = simulated(np.random.default_rng(0), (2, 5, 20))
    values_ASQ[0] += 0.05
    ms = mean_squares(values_ASQ)
    seed, question = ms["setting x seed"], ms["setting x question"] - ms["rest"]
    assert question > 0
    size = np.sqrt(ms["setting"])  # in the same unit: t^2 is the F of MS_setting over the sum of both
    found = crossed_of(values_ASQ).difference(0, 1)
    assert found.freedom == 4
    assert found.p == pytest.approx(behrens_fisher(size, seed, 4, question, 19), abs=1e-4)
    assert found.value == pytest.approx(values_ASQ[0].mean() - values_ASQ[1].mean())


@pytest.mark.parametrize("seed", [0.01, 0.5, 20.0])
@pytest.mark.parametrize("freedom", [1, 2, 12])
@pytest.mark.parametrize("size", [0.5, 3.0, 8.0])
def test_the_error_is_the_sum_of_two_students_t(seed: float, freedom: int, size: float) -> None:
    error = Error(Variance(seed, freedom), Variance(1.0, 199))
    assert 2 * error.tail(size) == pytest.approx(behrens_fisher(size, seed, freedom, 1.0, 199), abs=2e-4)
    assert error.tail(error.margin(0.025)) == pytest.approx(0.025, abs=1e-6)


def test_the_noise_between_seeds_is_the_residual_of_all_settings_with_their_degrees_of_freedom() -> None:
    """Where all questions say the same, only the two-way table of settings by seeds is left."""
    figure_AS = 0.5 + np.random.default_rng(1).normal(0, 0.02, (5, 3))
    crossed = crossed_of(np.repeat(figure_AS[:, :, None], 10, axis=2))
    residual_AS = figure_AS - figure_AS.mean(axis=1, keepdims=True) - figure_AS.mean(axis=0) + figure_AS.mean()
    error = np.sqrt((residual_AS**2).sum() / 8 * 2 / 3)
    own_AA = np.var(figure_AS[:, None] - figure_AS[None], axis=2, ddof=1)
    a, b = np.unravel_index(np.where(own_AA > 0, own_AA, np.inf).argmin(), own_AA.shape)  # certainly pooled
    found = crossed.difference(int(a), int(b))
    assert (found.freedom, found.settings) == pytest.approx((8, 5))
    assert found.method is Method.CROSSED
    value = figure_AS[a].mean() - figure_AS[b].mean()
    assert found.p == pytest.approx(2 * stats.t.sf(abs(value) / error, 8))
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, 8) * error)


def test_with_two_settings_and_equal_questions_it_is_the_paired_t_test_of_scipy() -> None:
    figure_AS = 0.5 + np.random.default_rng(2).normal(0, 0.02, (2, 4))
    found = crossed_of(np.repeat(figure_AS[:, :, None], 10, axis=2)).difference(0, 1)
    expected = stats.ttest_rel(*figure_AS)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_luck_that_a_seed_brings_to_all_settings_cancels() -> None:
    values_ASQ = simulated(np.random.default_rng(3))
    luck_S = np.array([0.3, -0.2, 0.1])
    before, after = (crossed_of(values).difference(0, 1) for values in (values_ASQ, values_ASQ + luck_S[:, None]))
    assert (after.value, after.low, after.p) == pytest.approx((before.value, before.low, before.p))


def test_it_agrees_with_all_permutations_of_ten_seeds() -> None:
    random = np.random.default_rng(4)
    figure_AS = 0.5 + random.normal(0, 0.02, (2, 10))
    figure_AS[0] += 0.02
    difference_S = figure_AS[0] - figure_AS[1]
    signs = np.array(list(product([-1, 1], repeat=10)))
    permuted = (np.abs(signs @ difference_S) >= abs(difference_S.sum()) * (1 - 1e-9)).mean()
    found = crossed_of(np.repeat(figure_AS[:, :, None], 10, axis=2)).difference(0, 1)
    assert 0.01 < permuted < 0.3
    assert found.p == pytest.approx(permuted, abs=0.02)


def test_its_variance_is_that_of_fresh_samples_of_seeds_and_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study.analysis.crossed, "POOLING_LEVEL", 1e-9)  # always pooled: unbiased
    random = np.random.default_rng(5)
    found = [crossed_of(simulated(random)) for _ in range(3_000)]
    differences = [one.figures[0] - one.figures[1] for one in found]
    weights = np.array([[1.0, -1.0, 0.0, 0.0]])
    errors = [one.contrast_errors(weights)[0] for one in found]
    estimated = np.mean([error.seed.value + error.document.value for error in errors])
    assert estimated == pytest.approx(np.var(differences), rel=0.08)


def test_a_pair_that_varies_more_between_seeds_than_the_others_is_not_pooled() -> None:
    values_ASQ = simulated(np.random.default_rng(6), (6, 4, 50), interaction=0.001)
    values_ASQ[0] += np.array([0.2, -0.2, 0.1, -0.1])[:, None]
    crossed = crossed_of(values_ASQ)
    assert (crossed.difference(0, 1).freedom, crossed.difference(1, 2).freedom) == (3, 15)
    own = (values_ASQ[0] - values_ASQ[1]).mean(axis=1)
    assert crossed.difference(0, 1).p == pytest.approx(stats.ttest_1samp(own, 0).pvalue, rel=0.05)


def test_against_an_untrained_model_the_whole_luck_of_a_seed_counts() -> None:
    """Where settings do not interact with seeds, a seed's luck has S - 1 degrees of freedom: one figure a seed."""
    luck_S = np.array([0.03, -0.01, 0.0, 0.02])
    values_ASQ = np.ones((3, 1, 12)) * (0.5 + luck_S)[:, None]
    found = crossed_of(values_ASQ).difference_from_untrained(1, np.full(12, 0.4))
    expected = stats.ttest_1samp(0.5 + luck_S, 0.4)
    assert (found.freedom, found.p) == pytest.approx((3, expected.pvalue))
    assert found.method is Method.UNTRAINED


def test_against_an_untrained_model_seeds_are_pooled_over_settings_as_hillis_does_for_one_of_them() -> None:
    figure_AS = 0.5 + np.random.default_rng(7).normal(0, 0.02, (4, 3))
    within = figure_AS.var(axis=1, ddof=1).mean()
    found = crossed_of(np.repeat(figure_AS[:, :, None], 9, axis=2)).difference_from_untrained(2, np.full(9, 0.45))
    seed = 4 * figure_AS.mean(axis=0).var(ddof=1)
    residual = (within * 4 - seed) / 3
    freedom = 2 * (seed + 3 * residual) ** 2 / (seed**2 + 3 * residual**2)
    assert found.freedom == pytest.approx(freedom)
    assert found.p == pytest.approx(2 * stats.t.sf((figure_AS[2].mean() - 0.45) / np.sqrt(within / 3), freedom))


def test_trials_that_do_not_vary_at_all_are_certain() -> None:
    values_ASQ = np.ones((3, 2, 5)) * np.array([0.5, 0.5, 0.6])[:, None, None]
    crossed = crossed_of(values_ASQ)
    assert crossed.difference(0, 1).p == 1
    assert (crossed.difference(2, 0).p, crossed.difference(2, 0).low) == pytest.approx((0, 0.1))


@pytest.mark.parametrize(("settings", "seeds", "interaction"), [(3, 2, 0.01), (5, 3, 0.01), (4, 5, 0.0)])
def test_settings_that_do_not_differ_are_told_apart_in_5_percent_of_cases(
    settings: int, seeds: int, interaction: float
) -> None:
    random, runs = np.random.default_rng(8), 600
    p = [crossed_of(simulated(random, (settings, seeds, 60), interaction)).difference(0, 1).p for _ in range(runs)]
    assert 0.025 <= np.mean(np.array(p) <= 0.05) <= 0.07
