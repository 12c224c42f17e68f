"""Settings crossed with seeds and questions: differences taken within a seed, noise estimated from all settings.

Trials of one seed draw the same rows, so part of a seed's luck is common to all settings and cancels in a difference
within the seed. What does not cancel, the interaction of setting and seed, is estimated from all A settings that were
trained with the same S seeds, with (A - 1)(S - 1) degrees of freedom: the fully crossed form of Obuchowski and
Rockette's analysis (sources in `statistics`).

Pooling is right if all settings interact with seeds alike. Where settings further apart differ more from seed to
seed, it would be wrong for just those pairs: with 5 settings and 3 seeds, the two ends of a range were told apart in
29 % of simulations without a difference. So a contrast is not pooled if its own interaction exceeds the others' in an
F test at level 0.1, a rule studied by Bancroft 1964 (Biometrics 20, 427); it then has its own S - 1 degrees of freedom.
`experiments/2026-11-26-crossed-statistics` measures level and power.

Shapes: A settings, S seeds, Q questions, C contrasts. A contrast is a row of weights over settings that sum to 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from study.analysis.statistics import Difference, Error, Floats, Method, Variance, combined, interval_and_p

POOLING_LEVEL = 0.1
"""Level of the F test by which a contrast is not pooled (Bancroft 1964)."""


@dataclass(frozen=True)
class Crossed:
    """One figure of A settings, each trained with the same S seeds, on the same questions."""

    values_ASQ: Floats
    """Contributions of the questions (`statistics.contributions`); S and Q are two or more."""

    def __post_init__(self) -> None:
        """Check the shape."""
        assert min(self.values_ASQ.shape[1:]) > 1, self.values_ASQ.shape

    @cached_property
    def figures(self) -> Floats:
        """Each setting's figure, its mean over seeds, (A,)."""
        return np.asarray(self.values_ASQ.mean(axis=(1, 2)))

    @cached_property
    def pooled_variance(self) -> Variance:
        """Variance of the interaction of setting and seed, from the figures of all settings."""
        figure_AS = self.values_ASQ.mean(axis=2)
        residual_AS = figure_AS - figure_AS.mean(axis=1, keepdims=True) - figure_AS.mean(axis=0) + figure_AS.mean()
        settings, seeds = figure_AS.shape
        freedom = (settings - 1) * (seeds - 1)
        return Variance(float((residual_AS**2).sum()) / max(freedom, 1), freedom)

    def difference(self, a: int, b: int) -> Difference:
        """Compare two settings."""
        weight_A = np.zeros(len(self.values_ASQ))
        weight_A[a], weight_A[b] = 1.0, -1.0
        error = self.contrast_errors(weight_A[None])[0]
        return self._difference(float(self.figures[a] - self.figures[b]), error, Method.CROSSED)

    def difference_from_untrained(self, a: int, untrained_Q: Floats) -> Difference:
        """Compare a setting with a model that was not trained, so that no seed makes a difference in it.

        Here all of a seed's luck counts, common to the settings or not. Its variance is averaged over the settings,
        with Hillis's degrees of freedom for a single setting (2014),

            (S - 1) (MS_seed + (A - 1) MS_residual)^2 / (MS_seed^2 + (A - 1) MS_residual^2).
        """
        settings, seeds, questions = self.values_ASQ.shape
        residual = self.pooled_variance.value
        common = settings * float(np.var(self.values_ASQ.mean(axis=(0, 2)), ddof=1))
        total = common + (settings - 1) * residual
        spread = common**2 + (settings - 1) * residual**2
        freedom = (seeds - 1) * (total**2 / spread if spread else 1.0)
        table_SQ = self.values_ASQ[a] - untrained_Q
        question, both = _question_and_both(table_SQ[None])
        seed = Variance(total / settings / seeds, freedom)
        error = combined(seed, float(question[0]), float(both[0]), questions)
        difference = self._difference(float(table_SQ.mean()), error, Method.UNTRAINED)
        return replace(difference, seeds=(seeds, 0))

    def contrast_errors(self, weights_CA: Floats) -> list[Error]:
        """Return the distribution of the error of each contrast of the settings' figures."""
        seeds, questions = self.values_ASQ.shape[1:]
        table_CSQ = np.einsum("ca,asq->csq", weights_CA, self.values_ASQ)
        question_C, both_C = _question_and_both(table_CSQ)
        norm_C = (weights_CA**2).sum(axis=1)
        own_C = table_CSQ.mean(axis=2).var(axis=1, ddof=1) / norm_C
        errors = []
        for norm, own, question, both in zip(norm_C, own_C, question_C, both_C, strict=True):
            interaction = self._interaction(float(own))
            seed = Variance(interaction.value * float(norm) / seeds, interaction.freedom)
            errors.append(combined(seed, float(question), float(both), questions))
        return errors

    @cached_property
    def covariance(self) -> Floats:
        """Covariance of the settings' figures over questions and seeds, up to what they have in common, (A, A).

        For correlations between contrasts; noise between seeds is pooled.
        """
        settings, seeds, questions = self.values_ASQ.shape
        centred_ASQ = self.values_ASQ - self.values_ASQ.mean(axis=0)
        residual_ASQ = centred_ASQ - centred_ASQ.mean(axis=1, keepdims=True)
        residual_ASQ -= residual_ASQ.mean(axis=2, keepdims=True)
        freedom = (settings - 1) * (seeds - 1) * (questions - 1)
        both = float((residual_ASQ**2).sum()) / freedom / seeds / questions
        values_K, vectors_AK = np.linalg.eigh(np.cov(centred_ASQ.mean(axis=1)) / questions)
        kept_K = np.maximum(values_K - both, 0.0)
        question_AA = vectors_AK * kept_K @ vectors_AK.T
        return np.asarray(question_AA + np.eye(settings) * self.pooled_variance.value / seeds)

    def _interaction(self, own: float) -> Variance:
        """Return the variance of setting x seed for a contrast: pooled, unless its own is larger than the others'."""
        settings, seeds = self.values_ASQ.shape[:2]
        if settings == 2:
            return self.pooled_variance
        pooled, others_freedom = self.pooled_variance, (settings - 2) * (seeds - 1)
        others = max(pooled.value * (settings - 1) - own, 0.0) / (settings - 2)
        limit = float(special.fdtri(seeds - 1, others_freedom, 1 - POOLING_LEVEL))
        return Variance(own, seeds - 1) if own > limit * others else pooled

    def _difference(self, value: float, error: Error, method: Method) -> Difference:
        settings, seeds, questions = self.values_ASQ.shape
        low, high, p = interval_and_p(value, error)
        return Difference(value, low, high, p, (seeds, seeds), questions, error.seed.freedom, method, settings)


def _question_and_both(table_CSQ: Floats) -> tuple[Floats, Floats]:
    """Return MS_question / (S Q) and MS_both / (S Q) of tables of seeds by questions."""
    seeds, questions = table_CSQ.shape[1:]
    mean_CQ = table_CSQ.mean(axis=1)
    residual_CSQ = table_CSQ - mean_CQ[:, None]
    residual_CSQ -= residual_CSQ.mean(axis=2, keepdims=True)
    both_C = (residual_CSQ**2).sum(axis=(1, 2)) / ((seeds - 1) * (questions - 1)) / (seeds * questions)
    return mean_CQ.var(axis=1, ddof=1) / questions, both_C
