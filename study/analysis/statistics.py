"""Is the difference between two groups of trials more than noise? Standard errors over seeds and questions.

Shapes: A settings, S seeds, U units that a figure averages over (languages, or ordered pairs of them), Q question ids,
D documents. Values are NaN where a question has no value in a unit.

A figure is a macro average: a mean over units of means over questions. Language versions of a question share its id and
are not independent, and neither are questions about one document, so what is sampled is the document with all its
questions in all their languages (`contributions`). A question about which the data says nothing has its own document.

Seeds and documents are both samples: other seeds and other documents would give another difference. With a table
of differences d, seeds by documents, the variance of its mean is that of a two-way random-effects analysis of variance,

    var = (MS_seed + max(MS_document - MS_both, 0)) / (S D),

where MS_both (seed x document) is subtracted because both other mean squares contain it. This is the analysis of many
readers and many cases in radiology with seeds as readers and documents as cases: Obuchowski and Rockette 1995 (doi
10.1080/03610919508813243), Hillis 2007 (doi 10.1002/sim.2532) and 2014 (doi 10.1002/sim.5926). `crossed` estimates
MS_seed from all settings that were trained with the same seeds; this module has the test for groups that share none.

There are few seeds and many documents, so the two errors have very different degrees of freedom. Hillis compares their
sum with one Student's t (Satterthwaite's approximation). With two seeds that rejects far too often at the small levels
of a correction for many tests: 17 % in place of 5 % for any of eleven languages. So the sum is compared with the sum
of two Student's t, the distribution of Behrens and Fisher (Fisher 1935, Annals of Eugenics 6, 391), which errs on the
side of caution. With many seeds the two agree.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from tasks.schema import Rows

Name = TypeVar("Name", bound=Hashable)
Floats = npt.NDArray[np.float64]
_NODES = np.sinh(np.linspace(-8, 8, 321))
"""Where `Error.tail` integrates, in standard errors: close in the middle, out to 1,490."""
_EDGES = (_NODES[1:] + _NODES[:-1]) / 2
LEVEL = 0.05
"""Tests reject at this level; intervals cover 1 minus this level."""


class Method(StrEnum):
    """How the noise between seeds enters a difference."""

    CROSSED = "crossed"
    """Both groups share seeds: differences are taken within a seed."""
    UNPAIRED = "unpaired"
    """The groups share no seeds, or too few."""
    UNTRAINED = "untrained"
    """One group was not trained, or neither was: seeds make a difference in the trained group alone."""
    QUESTIONS = "questions only"
    """One seed each: noise between seeds is unknown and left out."""


class Contributions(NamedTuple):
    """What each document contributes to a figure."""

    values_xD: Floats
    """Their mean is the figure; their variance over D is its variance under sampling of documents."""
    freedom: float
    """Degrees of freedom of that variance."""
    questions: int


@dataclass(frozen=True)
class Variance:
    """An estimated variance, and the degrees of freedom of the estimate."""

    value: float
    freedom: float


@dataclass(frozen=True)
class Error:
    """Distribution of the error of a difference: the sum of two scaled Student's t (Behrens and Fisher)."""

    seed: Variance
    """From other seeds; value 0 if there is no such noise, or it is unknown."""
    document: Variance
    """From other documents; value 0 if the noise between seeds explains it all."""

    @cached_property
    def _parts(self) -> tuple[Variance, Variance, Floats]:
        """The smaller and the larger variance, and the smaller error's probability around each of `_NODES`."""
        small, large = sorted((self.seed, self.document), key=lambda variance: variance.value)
        return small, large, np.diff(special.stdtr(small.freedom, _EDGES), prepend=0.0, append=1.0)

    def tail(self, size: float) -> float:
        """Return the probability that the error exceeds `size`.

        The smaller error is integrated over 321 intervals; within each, the larger one's tail is exact.
        """
        small, large, weight_G = self._parts
        if not large.value:
            return 0.5 if not size else float(size < 0)
        if not small.value:
            return float(special.stdtr(large.freedom, -size / np.sqrt(large.value)))
        rest_G = size - np.sqrt(small.value) * _NODES
        return float(weight_G @ special.stdtr(large.freedom, -rest_G / np.sqrt(large.value)))

    def margin(self, probability: float) -> float:
        """Return the size that the error exceeds with this probability, at most 0.5."""
        total = np.sqrt(self.seed.value + self.document.value)
        if not total:
            return 0.0
        widest = max(
            float(-special.stdtrit(part.freedom, probability / 2)) for part in (self.seed, self.document) if part.value
        )
        # Both errors stay within `widest` standard errors with more than the wanted probability.
        wanted = optimize.brentq(lambda size: self.tail(size) - probability, 0.0, 2 * widest * total, xtol=1e-6 * total)
        return float(wanted)


@dataclass(frozen=True)
class Difference:
    """How much group a's figure exceeds group b's, and how sure that is."""

    value: float
    low: float
    """Lower end of the 95 % confidence interval."""
    high: float
    p: float
    """Two-sided."""
    seeds: tuple[int, int]
    """Trials in a and in b that are compared; 0 for a model that was not trained, which has no seeds."""
    questions: int
    documents: int
    """What the questions are about; as many as questions if each has its own."""
    freedom: float
    """Degrees of freedom of the noise between seeds; 0 if it is left out."""
    method: Method
    settings: int
    """Settings from which the noise between seeds is estimated."""

    def __neg__(self) -> Difference:
        """Return by how much group b's figure exceeds group a's."""
        return replace(self, value=-self.value, low=-self.high, high=-self.low, seeds=self.seeds[::-1])


def unpaired(
    a_SUQ: Floats, b_SUQ: Floats, figures: Mapping[Name, Sequence[int]], document_Q: Rows | None = None
) -> dict[Name, Difference]:
    """Compare two groups of trials that share no seeds, on the same questions.

    The two groups' spreads between seeds are pooled, with S_a + S_b - 2 degrees of freedom. With one trial in each, the
    noise between seeds is unknown and left out (`Method.QUESTIONS`).

    Args:
        a_SUQ: values of one group.
        b_SUQ: values of the other, NaN in the same places; S may differ.
        figures: name -> units (indices into U) whose macro average the figure is.
        document_Q: see `contributions`.
    """
    assert a_SUQ.shape[1:] == b_SUQ.shape[1:], (a_SUQ.shape, b_SUQ.shape)
    present_UQ = ~np.isnan(a_SUQ[0])
    assert all(np.array_equal(~np.isnan(trial_UQ), present_UQ) for trial_UQ in (*a_SUQ, *b_SUQ)), "other questions"
    return {
        name: _unpaired(contributions(a_SUQ[:, units], document_Q), contributions(b_SUQ[:, units], document_Q))
        for name, units in figures.items()
    }


def contributions(values_xUQ: Floats, document_Q: Rows | None = None) -> Contributions:
    """Return each document's contribution to a figure, of the documents with a question in any unit.

    To first order, the variance of a macro average is that of the influences of its documents (the infinitesimal
    jackknife; Efron and Tibshirani 1993, chapter 21), each the sum of its questions': the variance that is robust to
    clusters (Liang and Zeger 1986, doi 10.1093/biomet/73.1.13). A document that holds the share h of a unit's
    questions pulls the unit's mean towards itself. As in a jackknife that leaves out one document at a time, its
    deviation there is divided by 1 - h (MacKinnon, Nielsen and Webb 2023, doi 10.1016/j.jeconom.2022.04.001). Times
    sqrt(1 - 1/D_u), for the D_u documents of the unit, the variance is unbiased where these are of one size, however
    few they are.

    The degrees of freedom are Satterthwaite's, for documents whose questions are all alike: few where a few documents
    hold most of a figure, and D - 1 where all hold as much.

    Args:
        values_xUQ: any leading axes, then units and questions; NaN in the same places in all. A unit has two documents
            or more (`smallest_unit`).
        document_Q: equal numbers for questions about one document; None if each has its own.
    """
    present_UQ = _present(values_xUQ)
    asked_Q, size_U = present_UQ.any(axis=0), present_UQ.sum(axis=1)
    document_Q = np.arange(present_UQ.shape[1]) if document_Q is None else document_Q
    place_Q = np.unique(document_Q[asked_Q], return_inverse=True)[1]
    documents, units = int(place_Q.max()) + 1, len(size_U)
    present_UQ, value_xUQ = present_UQ[:, asked_Q], values_xUQ[..., asked_Q]
    share_UD = np.stack([np.bincount(place_Q, present_Q, documents) for present_Q in present_UQ]) / size_U[:, None]
    documents_U = np.count_nonzero(share_UD, axis=1)
    assert documents_U.min() > 1, "one document has no spread"
    value_xUQ = np.where(present_UQ, value_xUQ, 0.0)
    mean_xU = value_xUQ.sum(axis=-1) / size_U
    centred_xUQ = np.where(present_UQ, value_xUQ - mean_xU[..., None], 0.0)
    weight_U = documents / size_U / units * np.sqrt((1 - 1 / documents) * (1 - 1 / documents_U))
    influence_xQ = np.einsum("...uq,uq->...q", centred_xUQ, weight_U[:, None] / (1 - share_UD)[:, place_Q])
    order = np.argsort(place_Q, kind="stable")
    first_D = np.searchsorted(place_Q[order], np.arange(documents))
    influence_xD = np.add.reduceat(influence_xQ[..., order], first_D, axis=-1)
    influence_xD -= influence_xD.mean(axis=-1, keepdims=True)
    figure_x = mean_xU.mean(axis=-1)
    return Contributions(np.asarray(figure_x[..., None] + influence_xD), _freedom(share_UD), int(asked_Q.sum()))


def _freedom(share_UD: Floats) -> float:
    """Return Satterthwaite's degrees of freedom of the variance of a mean over units, at least 1.

    A document's part of the variance is the square of its share of the figure; the deviations of a unit's documents,
    which add up to 0, tell about one of them less than there are.
    """
    share_D = share_UD.mean(axis=0)
    within_D = (share_UD**2).sum(axis=0) / share_UD.sum(axis=0)
    return max(1.0, float((share_D**2).sum() ** 2 / (share_D**4 / (1 - within_D)).sum()))


def smallest_unit(values_xUQ: Floats, units: Sequence[int], document_Q: Rows | None = None) -> int:
    """Return the number of documents of a figure's smallest unit; with one, nothing says how others would vary.

    Args:
        values_xUQ: as in `contributions`.
        units: indices into U.
        document_Q: as in `contributions`.
    """
    present_UQ = _present(values_xUQ)[list(units)]
    document_Q = np.arange(present_UQ.shape[1]) if document_Q is None else document_Q
    return min(len(np.unique(document_Q[present_Q])) for present_Q in present_UQ)


def _present(values_xUQ: Floats) -> npt.NDArray[np.bool_]:
    """Return where a question has a value in a unit, (U, Q)."""
    return np.asarray(~np.isnan(values_xUQ.reshape(-1, *values_xUQ.shape[-2:])[0]), dtype=np.bool_)


def combined(seed: Variance, document: Variance, both: float) -> Error:
    """Return the error of a mean difference over seeds and documents (formula in the module's docstring).

    Args:
        seed: MS_seed / (S D).
        document: MS_document / (S D), the variance if seeds were fixed.
        both: MS_both / (S D).
    """
    return Error(seed, Variance(max(document.value - both, 0.0), document.freedom))


def interval_and_p(value: float, error: Error) -> tuple[float, float, float]:
    """Return the lower and upper end of the 95 % interval of a difference, and its two-sided p."""
    margin = error.margin(LEVEL / 2)
    return value - margin, value + margin, 2 * error.tail(abs(value))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that hold for all the tests of a family at once (Holm 1979), in the same order."""
    p_N = np.asarray(p_values, dtype=np.float64)
    order_N = np.argsort(p_N, kind="stable")
    stepped_N = np.maximum.accumulate(p_N[order_N] * np.arange(len(p_N), 0, -1))
    adjusted_N = np.empty_like(p_N)
    adjusted_N[order_N] = np.minimum(stepped_N, 1.0)
    return [float(p) for p in adjusted_N]


def _unpaired(a: Contributions, b: Contributions) -> Difference:
    """Compare one figure, from each trial's contributions."""
    a_SD, b_SD = a.values_xD, b.values_xD
    freedom, documents = len(a_SD) + len(b_SD) - 2, a_SD.shape[1]
    difference_D = a_SD.mean(axis=0) - b_SD.mean(axis=0)
    document = Variance(float(np.var(difference_D, ddof=1)) / documents, a.freedom)
    seed, both = Variance(0.0, 0.0), 0.0
    if freedom:
        per_trial = 1 / len(a_SD) + 1 / len(b_SD)
        residual_SD = np.concatenate([a_SD - a_SD.mean(axis=0), b_SD - b_SD.mean(axis=0)])
        seed = Variance(float((residual_SD.mean(axis=1) ** 2).sum()) / freedom * per_trial, freedom)
        both = float(np.var(residual_SD, axis=1, ddof=1).sum()) / freedom * per_trial / documents
    value = float(difference_D.mean())
    low, high, p = interval_and_p(value, combined(seed, document, both))
    return Difference(
        value=value,
        low=low,
        high=high,
        p=p,
        seeds=(len(a_SD), len(b_SD)),
        questions=a.questions,
        documents=documents,
        freedom=freedom,
        method=Method.UNPAIRED if freedom else Method.QUESTIONS,
        settings=2,
    )
