"""Which settings cannot be told from the best, and how sure the shape of a curve is.

Choosing the best of several settings and then comparing it with each of the others finds differences too easily: the
best one is partly lucky. Multiple comparisons with the best (Hsu 1984, Annals of Statistics 12, 1136; Hsu 1996,
Multiple Comparisons, chapter 4) hold for all settings at once: the set of candidates contains the truly best setting in
at least 95 % of studies.

Shapes: A settings, S seeds, C contrasts of settings, D draws, P settings that are ahead, O objectives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from study.analysis.crossed import Crossed
from study.analysis.statistics import LEVEL, Floats

_DRAWS = 20_000
_SEED = 20240810


@dataclass(frozen=True)
class BestSettings:
    """How each setting compares with the best of the others; larger is better."""

    candidate_A: npt.NDArray[np.bool_]
    """Whether a setting cannot be told from the best."""
    lead_A: Floats
    """A setting's figure minus the best of the other settings' figures."""
    low_A: Floats
    """Lower end of the simultaneous 95 % interval of the lead (constrained: it contains 0 or ends there)."""
    high_A: Floats


def best_settings(crossed: Crossed, members: Sequence[int] | None = None, level: float = LEVEL) -> BestSettings:
    """Compare every setting with the best of the others (Hsu 1996, section 4.2: unequal variances of differences).

    Setting i is a candidate if no other setting's figure exceeds its own by more than d_i standard errors. d_i is the
    one-sided critical value for comparing all other settings with setting i (Dunnett 1955).

    Args:
        crossed: figures of which larger is better; negate those of which smaller is better.
        members: the settings to compare; all of them unless given. Noise is estimated from all either way.
        level: 1 minus the coverage.
    """
    chosen = list(range(len(crossed.figures))) if members is None else list(members)
    figure_A, settings = crossed.figures[chosen], len(chosen)
    unit_AA = np.eye(len(crossed.figures))[chosen]
    margin_AA = np.zeros((settings, settings))
    for i in range(settings):
        others = [j for j in range(settings) if j != i]
        weights_CA = unit_AA[others] - unit_AA[i]
        margin_AA[i, others] = simultaneous_margins(crossed, weights_CA, "one-sided", level)
    other_AA = ~np.eye(settings, dtype=np.bool_)
    ahead_AA = np.where(other_AA, figure_A[:, None] - figure_A, np.inf)
    highest_A = (ahead_AA + margin_AA).min(axis=1)
    candidate_A = highest_A >= 0
    # The margin of i against rival j is the rival's own: j is the setting that the others are compared with.
    rivals_AA = other_AA & candidate_A
    lowest_A = np.where(rivals_AA, ahead_AA - margin_AA.T, np.inf).min(axis=1)
    low_A = np.where(rivals_AA.any(axis=1), lowest_A, 0.0)
    return BestSettings(candidate_A, ahead_AA.min(axis=1), low_A, np.maximum(highest_A, 0.0))


def curve_band(crossed: Crossed, members: Sequence[int] | None = None, level: float = LEVEL) -> Floats:
    """Return the half-width of a simultaneous 95 % band around the settings' figures, (A,).

    The band is about the shape of the curve: it covers every setting's distance from the mean over settings at once.
    How high the whole curve lies also depends on seeds and questions, but alike for all settings; that is left out,
    since it would hide differences that are certain.
    """
    chosen = list(range(len(crossed.figures))) if members is None else list(members)
    unit_AA = np.eye(len(crossed.figures))[chosen]
    return simultaneous_margins(crossed, unit_AA - unit_AA.mean(axis=0), "two-sided", level)


def simultaneous_margins(
    crossed: Crossed, weights_CA: Floats, sides: Literal["one-sided", "two-sided"], level: float = LEVEL
) -> Floats:
    """Return by how much the estimate of each contrast may err, for all contrasts at once.

    The critical value is the quantile of the largest of C correlated Student's t with the degrees of freedom of the
    pooled noise, from 20,000 draws that are always the same. It is then turned into a level for a single contrast,
    which each contrast meets with its own degrees of freedom.
    """
    errors = crossed.contrast_errors(weights_CA)
    freedom = crossed.pooled_variance.freedom
    covariance_CC = weights_CA @ crossed.covariance @ weights_CA.T
    single = _single_level(covariance_CC, freedom, sides, level)
    return np.array([error.margin(single) for error in errors])


def _single_level(
    covariance_CC: Floats, freedom: float, sides: Literal["one-sided", "two-sided"], level: float
) -> float:
    """Return the one-sided level at which each contrast is met so that all are met at `level`."""
    error_C = np.sqrt(np.diag(covariance_CC))
    if not error_C.all():
        return level / len(error_C) / (2 if sides == "two-sided" else 1)  # no noise at all: any level does
    values_K, vectors_CK = np.linalg.eigh(covariance_CC / np.outer(error_C, error_C))
    root_CK = vectors_CK * np.sqrt(np.maximum(values_K, 0.0))
    normal_DK, scale_D = _draws(len(error_C), freedom)
    error_DC = normal_DK @ root_CK.T
    largest_D = (np.abs(error_DC) if sides == "two-sided" else error_DC).max(axis=1) / scale_D
    return float(special.stdtr(freedom, -np.quantile(largest_D, 1 - level)))


@lru_cache(maxsize=8)
def _draws(contrasts: int, freedom: float) -> tuple[Floats, Floats]:
    """Return independent standard normal errors, (D, C), and the estimated over the true standard error, (D,)."""
    random = np.random.default_rng(_SEED)
    return random.normal(size=(_DRAWS, contrasts)), np.sqrt(random.chisquare(freedom, _DRAWS) / freedom)


def dominated_by(objectives: Sequence[Crossed], level: float = LEVEL) -> dict[int, list[int]]:
    """Return for each setting the settings that are better in every objective, beyond noise.

    Settings without any are the possible Pareto front: it contains the whole true front in at least 95 % of studies.
    "Better in every objective" is an intersection-union test (Berger 1982, Technometrics 24): each objective is tested
    one-sidedly at the same level, here Bonferroni's over all ordered pairs of settings.

    Args:
        objectives: one figure each, of the same settings; larger is better.
        level: 1 minus the coverage.
    """
    settings = len(objectives[0].figures)
    unit_AA, pairs = np.eye(settings), settings * (settings - 1)
    dominated: dict[int, list[int]] = {}
    for i in range(settings):
        ahead_OA = np.array([one.figures - one.figures[i] for one in objectives])
        # Others are not tested: their errors would take time and memory.
        better_P = np.flatnonzero((ahead_OA > 0).all(axis=0))
        margin_OP = np.array(
            [
                [error.margin(level / pairs) for error in one.contrast_errors(unit_AA[better_P] - unit_AA[i])]
                for one in objectives
            ]
        )
        dominated[i] = better_P[(ahead_OA[:, better_P] > margin_OP).all(axis=0)].tolist()
    return dominated
