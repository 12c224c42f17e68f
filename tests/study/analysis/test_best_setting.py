"""Multiple comparisons with the best against Dunnett's table, exact integrals, and simulated studies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from study.analysis.best_setting import best_settings, curve_band, dominated_by, simultaneous_margins
from study.analysis.crossed import Crossed
from study.analysis.statistics import Floats
from tests.study.analysis.crossed_of import crossed_of


def with_noise_between_seeds_alone(settings: int, seeds: int, figure_A: Floats | None = None) -> Crossed:
    """Return a design whose settings x seeds residual is balanced: every contrast has the same pooled error."""
    random = np.random.default_rng(settings * 10 + seeds)
    figure_AS = random.normal(0, 0.01, (settings, seeds))
    figure_AS -= figure_AS.mean(axis=1, keepdims=True)
    figure_AS += (np.zeros(settings) if figure_A is None else figure_A)[:, None]
    return crossed_of(np.repeat(figure_AS[:, :, None], 8, axis=2))


@pytest.fixture
def always_pooled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.analysis.crossed.POOLING_LEVEL", 1e-12)


@pytest.mark.parametrize(
    ("settings", "seeds", "expected"),
    [(3, 6, 2.15), (4, 6, 2.24), (5, 6, 2.30), (6, 5, 2.39)],  # 10, 15, 20 and 20 degrees of freedom
)
@pytest.mark.usefixtures("always_pooled")
def test_critical_values_are_those_of_dunnetts_one_sided_table(settings: int, seeds: int, expected: float) -> None:
    """Dunnett 1955, table 1a, joint level 0.95."""
    crossed = with_noise_between_seeds_alone(settings, seeds)
    weights_CA = np.eye(settings)[1:] - np.eye(settings)[0]
    margin_C = simultaneous_margins(crossed, weights_CA, "one-sided")
    error = np.sqrt(crossed.pooled_variance.value * 2 / seeds)
    assert margin_C / error == pytest.approx(np.full(settings - 1, expected), abs=0.03)


@pytest.mark.usefixtures("always_pooled")
def test_the_band_is_the_integral_of_the_multivariate_t_over_a_cube() -> None:
    settings, seeds = 4, 4
    crossed = with_noise_between_seeds_alone(settings, seeds)
    error = np.sqrt(crossed.pooled_variance.value / seeds * (1 - 1 / settings))
    (critical,) = set(np.round(curve_band(crossed) / error, 9))
    # The last distance from the mean is minus the sum of the others; the cube is cut accordingly by fresh draws.
    shape = np.eye(settings) - 1 / settings
    t = stats.multivariate_t(shape=shape / (1 - 1 / settings), df=9, allow_singular=True)
    draws = t.rvs(200_000, random_state=np.random.default_rng(0))
    assert (np.abs(draws).max(axis=1) <= critical).mean() == pytest.approx(0.95, abs=0.003)


@pytest.mark.usefixtures("always_pooled")
def test_the_interval_of_the_best_is_hsus_for_a_balanced_design() -> None:
    figure_A = np.array([0.60, 0.62, 0.58, 0.40])
    crossed = with_noise_between_seeds_alone(4, 6, figure_A)
    allowance = 2.24 * np.sqrt(crossed.pooled_variance.value * 2 / 6)
    assert 0.001 < allowance < 0.02
    found = best_settings(crossed)
    assert found.candidate_A.tolist() == [False, True, False, False]
    assert found.lead_A == pytest.approx([-0.02, 0.02, -0.04, -0.22])
    assert found.high_A == pytest.approx([0, 0.02 + allowance, 0, 0], abs=2e-4)
    assert found.low_A == pytest.approx([-0.02 - allowance, 0, -0.04 - allowance, -0.22 - allowance], abs=2e-4)


def test_settings_within_noise_of_the_best_are_candidates() -> None:
    crossed = with_noise_between_seeds_alone(4, 3, np.array([0.600, 0.601, 0.599, 0.5]))
    found = best_settings(crossed)
    assert found.candidate_A.tolist() == [True, True, True, False]
    assert (found.low_A[:3] < 0).all()
    assert (found.high_A[:3] > 0).all()


def test_equal_settings_without_noise_are_all_candidates() -> None:
    assert best_settings(crossed_of(np.ones((3, 2, 4)))).candidate_A.all()


def simulated(random: np.random.Generator, figure_A: Floats) -> Crossed:
    """Return a study of 4 settings with 3 seeds on 50 questions."""
    shape = (len(figure_A), 3, 50)
    noise = (
        random.normal(0, 0.05, (1, 3, 1))
        + random.normal(0, 0.2, (1, 1, 50))
        + random.normal(0, 0.01, (shape[0], 3, 1))
        + random.normal(0, 0.08, (shape[0], 1, 50))
        + random.normal(0, 0.1, shape)
    )
    return crossed_of(figure_A[:, None, None] + noise)


def test_the_truly_best_setting_is_a_candidate_and_the_true_curve_in_the_band_in_95_percent_of_studies() -> None:
    random, runs = np.random.default_rng(1), 200
    truth_A = np.array([0.50, 0.50, 0.49, 0.45])
    kept = covered = 0
    for _ in range(runs):
        crossed = simulated(random, truth_A)
        kept += best_settings(crossed).candidate_A[0]
        error_A = (crossed.figures - crossed.figures.mean()) - (truth_A - truth_A.mean())
        covered += (np.abs(error_A) <= curve_band(crossed)).all()
    assert kept / runs >= 0.95
    assert 0.92 <= covered / runs <= 0.99


def test_a_setting_is_dominated_only_by_one_that_is_better_in_everything_beyond_noise() -> None:
    first = with_noise_between_seeds_alone(4, 5, np.array([0.8, 0.7, 0.6, 0.6]))
    second = with_noise_between_seeds_alone(4, 5, np.array([0.3, 0.4, 0.2, 0.3999]))
    assert dominated_by([first, second]) == {0: [], 1: [], 2: [0, 1], 3: []}


def test_the_possible_front_contains_the_whole_true_front_in_95_percent_of_studies() -> None:
    """Settings 0 to 2 are equal and so all on the front; 3 is dominated in both."""
    random, runs = np.random.default_rng(2), 200
    first, second = np.array([0.5, 0.5, 0.5, 0.4]), np.array([0.3, 0.3, 0.3, 0.2])
    kept = dropped = 0
    for _ in range(runs):
        found = dominated_by([simulated(random, first), simulated(random, second)])
        kept += not any(found[setting] for setting in range(3))
        dropped += bool(found[3])
    assert kept / runs >= 0.95
    assert dropped / runs > 0.5
