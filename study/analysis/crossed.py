"""Settings crossed with seeds and documents: differences taken within a seed, noise estimated from all settings.

Trials of one seed draw the same rows, so part of a seed's luck is common to all settings and cancels in a difference
within the seed. What does not cancel, the interaction of setting and seed, is estimated from all A settings that were
trained with the same S seeds, with (A - 1)(S - 1) degrees of freedom: the fully crossed form of Obuchowski and
Rockette's analysis (sources in `statistics`).

Pooling is right if all settings interact with seeds alike. Where settings further apart differ more from seed to
seed, it would be wrong for just those pairs: with 5 settings and 3 seeds, the two ends of a range were told apart in
29 % of simulations without a difference. So a contrast is not pooled if its own interaction exceeds the others' in an
F test at level 0.1, a rule studied by Bancroft 1964 (Biometrics 20, 427); it then has its own S - 1 degrees of freedom.
`experiments/2026-11-26-crossed-statistics` measures level and power.

Shapes: A settings, S seeds, D documents, C contrasts. A contrast is a row of weights over settings that sum to 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from study.analysis.statistics import (
    Contributions,
    Difference,
    Error,
    Floats,
    Method,
    Variance,
    combined,
    interval_and_p,
)

POOLING_LEVEL = 0.1
"""Level of the F test by which a contrast is not pooled (Bancroft 1964)."""


@dataclass(frozen=True)
class Crossed:
    """One figure of A settings, each trained with the same S seeds, on the same questions."""

    contributions: Contributions
    """Of the documents, (A, S, D); S and D are two or more."""

    def __post_init__(self) -> None:
        """Check the shape."""
        assert min(self.values_ASD.shape[1:]) > 1, self.values_ASD.shape

    @property
    def values_ASD(self) -> Floats:  # noqa: N802 - a shape
        """What the documents contribute."""
        return self.contributions.values_xD

    def times(self, sign: int) -> Crossed:
        """Return the same with all figures times 1 or -1."""
        return Crossed(self.contributions._replace(values_xD=sign * self.values_ASD))

    @cached_property
    def figures(self) -> Floats:
        """Each setting's figure, its mean over seeds, (A,)."""
        return np.asarray(self.values_ASD.mean(axis=(1, 2)))

    @cached_property
    def pooled_variance(self) -> Variance:
        """Variance of the interaction of setting and seed, from the figures of all settings."""
        figure_AS = self.values_ASD.mean(axis=2)
        residual_AS = figure_AS - figure_AS.mean(axis=1, keepdims=True) - figure_AS.mean(axis=0) + figure_AS.mean()
        settings, seeds = figure_AS.shape
        freedom = (settings - 1) * (seeds - 1)
        return Variance(float((residual_AS**2).sum()) / max(freedom, 1), freedom)

    def difference(self, a: int, b: int) -> Difference:
        """Compare two settings."""
        weight_A = np.zeros(len(self.values_ASD))
        weight_A[a], weight_A[b] = 1.0, -1.0
        error = self.contrast_errors(weight_A[None])[0]
        return self._difference(float(self.figures[a] - self.figures[b]), error, Method.CROSSED)

    def difference_from_untrained(self, a: int, untrained_D: Floats) -> Difference:
        """Compare a setting with a model that was not trained, so that no seed makes a difference in it.

        Here all of a seed's luck counts, common to the settings or not. Its variance is averaged over the settings,
        with Hillis's degrees of freedom for a single setting (2014),

            (S - 1) (MS_seed + (A - 1) MS_residual)^2 / (MS_seed^2 + (A - 1) MS_residual^2).
        """
        settings, seeds = self.values_ASD.shape[:2]
        residual = self.pooled_variance.value
        common = settings * float(np.var(self.values_ASD.mean(axis=(0, 2)), ddof=1))
        total = common + (settings - 1) * residual
        spread = common**2 + (settings - 1) * residual**2
        freedom = (seeds - 1) * (total**2 / spread if spread else 1.0)
        table_SD = self.values_ASD[a] - untrained_D
        document, both = _document_and_both(table_SD[None])
        seed = Variance(total / settings / seeds, freedom)
        error = combined(seed, self._of_documents(float(document[0])), float(both[0]))
        difference = self._difference(float(table_SD.mean()), error, Method.UNTRAINED)
        return replace(difference, seeds=(seeds, 0))

    def contrast_errors(self, weights_CA: Floats) -> list[Error]:
        """Return the distribution of the error of each contrast of the settings' figures."""
        seeds = self.values_ASD.shape[1]
        table_CSD = np.einsum("ca,asd->csd", weights_CA, self.values_ASD)
        document_C, both_C = _document_and_both(table_CSD)
        norm_C = (weights_CA**2).sum(axis=1)
        own_C = table_CSD.mean(axis=2).var(axis=1, ddof=1) / norm_C
        errors = []
        for norm, own, document, both in zip(norm_C, own_C, document_C, both_C, strict=True):
            interaction = self._interaction(float(own))
            seed = Variance(interaction.value * float(norm) / seeds, interaction.freedom)
            errors.append(combined(seed, self._of_documents(float(document)), float(both)))
        return errors

    @cached_property
    def covariance(self) -> Floats:
        """Covariance of the settings' figures over documents and seeds, up to what they have in common, (A, A).

        For correlations between contrasts; noise between seeds is pooled.
        """
        settings, seeds, documents = self.values_ASD.shape
        centred_ASD = self.values_ASD - self.values_ASD.mean(axis=0)
        residual_ASD = centred_ASD - centred_ASD.mean(axis=1, keepdims=True)
        residual_ASD -= residual_ASD.mean(axis=2, keepdims=True)
        freedom = (settings - 1) * (seeds - 1) * (documents - 1)
        both = float((residual_ASD**2).sum()) / freedom / seeds / documents
        values_K, vectors_AK = np.linalg.eigh(np.cov(centred_ASD.mean(axis=1)) / documents)
        kept_K = np.maximum(values_K - both, 0.0)
        document_AA = vectors_AK * kept_K @ vectors_AK.T
        return np.asarray(document_AA + np.eye(settings) * self.pooled_variance.value / seeds)

    def _interaction(self, own: float) -> Variance:
        """Return the variance of setting x seed for a contrast: pooled, unless its own is larger than the others'."""
        settings, seeds = self.values_ASD.shape[:2]
        if settings == 2:
            return self.pooled_variance
        pooled, others_freedom = self.pooled_variance, (settings - 2) * (seeds - 1)
        others = max(pooled.value * (settings - 1) - own, 0.0) / (settings - 2)
        limit = float(special.fdtri(seeds - 1, others_freedom, 1 - POOLING_LEVEL))
        return Variance(own, seeds - 1) if own > limit * others else pooled

    def _difference(self, value: float, error: Error, method: Method) -> Difference:
        settings, seeds, documents = self.values_ASD.shape
        low, high, p = interval_and_p(value, error)
        questions = self.contributions.questions
        return Difference(
            value, low, high, p, (seeds, seeds), questions, documents, error.seed.freedom, method, settings
        )

    def _of_documents(self, value: float) -> Variance:
        return Variance(value, self.contributions.freedom)


def _document_and_both(table_CSD: Floats) -> tuple[Floats, Floats]:
    """Return MS_document / (S D) and MS_both / (S D) of tables of seeds by documents."""
    seeds, documents = table_CSD.shape[1:]
    mean_CD = table_CSD.mean(axis=1)
    residual_CSD = table_CSD - mean_CD[:, None]
    residual_CSD -= residual_CSD.mean(axis=2, keepdims=True)
    both_C = (residual_CSD**2).sum(axis=(1, 2)) / ((seeds - 1) * (documents - 1)) / (seeds * documents)
    return mean_CD.var(axis=1, ddof=1) / documents, both_C
