"""Is the difference between two groups of trials more than noise? Standard errors over seeds and questions.

Shapes: A settings, S seeds, U units that a figure averages over (languages, or ordered pairs of them), Q question ids.
Values are NaN where a question has no value in a unit.

A figure is a macro average: a mean over units of means over questions. Language versions of a question share its id and
are not independent, so the sampling unit is the question in all its languages at once (`contributions`).

Seeds and questions are both samples: other seeds and other questions would give another difference. With a table
of differences d, seeds by questions, the variance of its mean is that of a two-way random-effects analysis of variance,

    var = (MS_seed + max(MS_question - MS_both, 0)) / (S Q),

where MS_both (seed x question) is subtracted because both other mean squares contain it. This is the analysis of many
readers and many cases in radiology with seeds as readers and questions as cases: Obuchowski and Rockette 1995 (doi
10.1080/03610919508813243), Hillis 2007 (doi 10.1002/sim.2532) and 2014 (doi 10.1002/sim.5926). Degrees of freedom are
Satterthwaite's; Hillis's formula is the limit for many questions. `crossed` estimates MS_seed from all settings that
were trained with the same seeds; this module has the test for groups that share no seeds.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import special

Name = TypeVar("Name", bound=Hashable)
Floats = npt.NDArray[np.float64]
LEVEL = 0.05
"""Tests reject at this level; intervals cover 1 minus this level."""


class Method(StrEnum):
    """How the noise between seeds enters a difference."""

    CROSSED = "crossed"
    """Both groups share seeds: differences are taken within a seed."""
    UNPAIRED = "unpaired"
    """The groups share no seeds, or too few."""
    UNTRAINED = "untrained baseline"
    """The baseline was not trained, so that seeds make a difference in the other group alone."""
    QUESTIONS = "questions only"
    """Noise between seeds is unknown (one seed), or there is none (neither group was trained)."""


@dataclass(frozen=True)
class Variance:
    """Estimated variance of a difference."""

    value: float
    freedom: float
    """Degrees of freedom of the estimate."""


@dataclass(frozen=True)
class Difference:
    """How much group a's figure exceeds group b's, and how sure that is."""

    value: float
    low: float
    """Lower end of the 95 % confidence interval."""
    high: float
    p: float
    """Two-sided, from Student's t."""
    seeds: tuple[int, int]
    """Trials in a and in b that are compared."""
    questions: int
    freedom: float
    """Degrees of freedom (Satterthwaite)."""
    method: Method
    settings: int
    """Settings from which the noise between seeds is estimated."""


def unpaired(a_SUQ: Floats, b_SUQ: Floats, figures: Mapping[Name, Sequence[int]]) -> dict[Name, Difference]:
    """Compare two groups of trials that share no seeds, on the same questions.

    The two groups' spreads between seeds are pooled, with S_a + S_b - 2 degrees of freedom. With one trial in each, the
    noise between seeds is unknown and left out (`Method.QUESTIONS`).

    Args:
        a_SUQ: values of one group.
        b_SUQ: values of the other, NaN in the same places; S may differ.
        figures: name -> units (indices into U) whose macro average the figure is.
    """
    assert a_SUQ.shape[1:] == b_SUQ.shape[1:], (a_SUQ.shape, b_SUQ.shape)
    present_UQ = ~np.isnan(a_SUQ[0])
    assert all(np.array_equal(~np.isnan(trial_UQ), present_UQ) for trial_UQ in (*a_SUQ, *b_SUQ)), "other questions"
    return {
        name: _unpaired(contributions(a_SUQ[:, units]), contributions(b_SUQ[:, units]))
        for name, units in figures.items()
    }


def contributions(values_xUQ: Floats) -> Floats:
    """Return each question's contribution to a figure, (..., Q'), where Q' are the questions with a value in any unit.

    The mean of the contributions is the macro average; their variance divided by Q' is its variance under sampling of
    questions, to first order: figure + influence (the infinitesimal jackknife; Efron and Tibshirani 1993, chapter 21).
    Units with other questions than the rest make this more than a sum of values: a unit's mean is a ratio.

    Args:
        values_xUQ: any leading axes, then units and questions; NaN in the same places in all.
    """
    first_UQ = values_xUQ.reshape(-1, *values_xUQ.shape[-2:])[0]
    present_UQ = ~np.isnan(first_UQ)
    asked_Q, size_U = present_UQ.any(axis=0), present_UQ.sum(axis=1)
    value_xUQ = np.where(present_UQ, values_xUQ, 0.0)
    mean_xU = value_xUQ.sum(axis=-1) / size_U
    centred_xUQ = np.where(present_UQ, value_xUQ - mean_xU[..., None], 0.0)
    weight_U = asked_Q.sum() / size_U / len(size_U)
    influence_xQ = np.einsum("...uq,u->...q", centred_xUQ, weight_U)
    return np.asarray(mean_xU.mean(axis=-1)[..., None] + influence_xQ[..., asked_Q], dtype=np.float64)


def combined(seed: Variance, question: float, both: float, questions: int, seed_freedom: int) -> Variance:
    """Return the variance over seeds and questions of a mean difference (formula in the module's docstring).

    Degrees of freedom: Satterthwaite 1946. Without the terms of `question` and `both`, which vanish for many questions,
    it is the formula of Hillis 2007.

    Args:
        seed: MS_seed / (S Q).
        question: MS_question / (S Q), the variance if seeds were fixed.
        both: MS_both / (S Q).
        questions: Q.
        seed_freedom: degrees of freedom between seeds in the two groups themselves, those of `both` per question.
    """
    if question <= both:
        return seed
    value = seed.value + question - both
    spread = question**2 / (questions - 1)
    if seed_freedom:
        spread += seed.value**2 / seed.freedom + both**2 / (seed_freedom * (questions - 1))
    return Variance(value, value**2 / spread)


def t_interval(value: float, variance: Variance, level: float = LEVEL) -> tuple[float, float, float]:
    """Return the lower and upper end of the interval of a difference, and its two-sided p (Student's t)."""
    error = float(np.sqrt(variance.value))
    if not error:
        return value, value, float(not value)
    half = -error * float(special.stdtrit(variance.freedom, level / 2))
    return value - half, value + half, float(2 * special.stdtr(variance.freedom, -abs(value) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that hold for all the tests of a family at once (Holm 1979), in the same order."""
    p_N = np.asarray(p_values, dtype=np.float64)
    order_N = np.argsort(p_N, kind="stable")
    stepped_N = np.maximum.accumulate(p_N[order_N] * np.arange(len(p_N), 0, -1))
    adjusted_N = np.empty_like(p_N)
    adjusted_N[order_N] = np.minimum(stepped_N, 1.0)
    return [float(p) for p in adjusted_N]


def _unpaired(a_SQ: Floats, b_SQ: Floats) -> Difference:
    """Compare one figure, from each trial's contributions."""
    freedom, questions = len(a_SQ) + len(b_SQ) - 2, a_SQ.shape[1]
    difference_Q = a_SQ.mean(axis=0) - b_SQ.mean(axis=0)
    question = float(np.var(difference_Q, ddof=1)) / questions
    seed, both = Variance(0.0, 0.0), 0.0
    if freedom:
        per_trial = 1 / len(a_SQ) + 1 / len(b_SQ)
        residual_SQ = np.concatenate([a_SQ - a_SQ.mean(axis=0), b_SQ - b_SQ.mean(axis=0)])
        seed = Variance(float((residual_SQ.mean(axis=1) ** 2).sum()) / freedom * per_trial, freedom)
        both = float(np.var(residual_SQ, axis=1, ddof=1).sum()) / freedom * per_trial / questions
    value, variance = float(difference_Q.mean()), combined(seed, question, both, questions, freedom)
    low, high, p = t_interval(value, variance)
    return Difference(
        value=value,
        low=low,
        high=high,
        p=p,
        seeds=(len(a_SQ), len(b_SQ)),
        questions=questions,
        freedom=variance.freedom,
        method=Method.UNPAIRED if freedom else Method.QUESTIONS,
        settings=2,
    )
