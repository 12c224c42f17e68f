"""Is the difference between two groups of trials more than noise? Paired on questions, with the noise between seeds.

Shapes: S seeds (trials that differ in nothing else), U units a figure averages over (languages, or ordered pairs of
them), Q question ids, R resamples. `values_SUQ` is NaN where a question has no value in a unit.

Language versions of a question share its id and are not independent: a question is resampled, or has its sign flipped,
in all its languages at once, and each resample has the macro average over units that is reported.

How seeds enter. Two to five trials a group are too few to resample or to permute: of two against two the smallest p of
any permutation is 1/3, and a bootstrap of two has half the variance of two. So noise between seeds is drawn from
Student's t, scaled to the spread of the groups' own figures, with S_a + S_b - 2 degrees of freedom. That spread already
holds the changes from seed to seed that differ by question; what the questions add is shrunk by as much. It is the
analysis of many readers and many cases in radiology, with seeds as readers and questions as cases (Obuchowski and
Rockette; Hillis 2014, doi 10.1002/sim.5926), and the double count is that of a bootstrap of both (Owen and Eckles,
arXiv 1106.2125). Seeds are not paired by their number: that would halve the few degrees of freedom. With one trial a
group, noise between seeds is unknown and left out.
`experiments/2026-11-23-type-one-error` measures this and what else was tried.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import stats

Name = TypeVar("Name", bound=Hashable)
Floats = npt.NDArray[np.float64]
RESAMPLES = 10_000
_BLOCK = 2**23
"""Question counts held at a time."""
_SEED = 20240810


@dataclass(frozen=True)
class Difference:
    """How much group a's figure exceeds group b's, and what is known about that."""

    value: float
    low: float
    """Of the 95 % interval: hierarchical bootstrap over seeds and questions."""
    high: float
    p: float
    """Two-sided: sign flips of whole questions, plus noise between seeds."""
    seeds: tuple[int, int]
    """Trials in a and in b; (1, 1) means that noise between seeds is not covered."""
    questions: int


def differences(
    a_SUQ: Floats, b_SUQ: Floats, figures: Mapping[Name, Sequence[int]], resamples: int = RESAMPLES
) -> dict[Name, Difference]:
    """Test figures of two groups of trials on the same questions; the same input always gives the same answer.

    Args:
        a_SUQ: values of one group.
        b_SUQ: values of the other, NaN in the same places; S may differ.
        figures: name -> units (indices into U) whose macro average the figure is.
        resamples: sign flips, and bootstrap samples.
    """
    assert a_SUQ.shape[1:] == b_SUQ.shape[1:], (a_SUQ.shape, b_SUQ.shape)
    held_UQ = ~np.isnan(a_SUQ[0])
    assert all(np.array_equal(~np.isnan(one_UQ), held_UQ) for one_UQ in (*a_SUQ, *b_SUQ)), "values of other questions"
    difference_UQ = np.where(held_UQ, a_SUQ.mean(axis=0) - b_SUQ.mean(axis=0), 0.0)
    random = np.random.default_rng(_SEED)
    flipped_RU, error_RU = _resampled(difference_UQ, held_UQ, resamples, random)
    freedom = len(a_SUQ) + len(b_SUQ) - 2
    seed_R = _student(freedom, resamples, random) if freedom else np.zeros(resamples)
    answers = {}
    for name, units in figures.items():
        noise = _noise(_contributions(a_SUQ[:, units]), _contributions(b_SUQ[:, units]))
        value = float((difference_UQ[units].sum(axis=1) / held_UQ[units].sum(axis=1)).mean())
        null_R = noise.question * flipped_RU[:, units].mean(axis=1) + noise.seed * seed_R
        error_R = noise.question * error_RU[:, units].mean(axis=1) + noise.seed * seed_R
        low, high = value + np.quantile(error_R, [0.025, 0.975])
        # The sum of the flips is as exact as float64: a tie with the observed difference counts as one.
        extreme = int((np.abs(null_R) >= abs(value) * (1 - 1e-9)).sum())
        answers[name] = Difference(
            value=value,
            low=float(low),
            high=float(high),
            p=(1 + extreme) / (1 + resamples),
            seeds=(len(a_SUQ), len(b_SUQ)),
            questions=int(held_UQ[units].any(axis=0).sum()),
        )
    return answers


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that hold for all the tests of a family at once (Holm 1979), in the same order."""
    p_N = np.asarray(p_values, dtype=np.float64)
    order_N = np.argsort(p_N, kind="stable")
    stepped_N = np.maximum.accumulate(p_N[order_N] * np.arange(len(p_N), 0, -1))
    adjusted_N = np.empty_like(p_N)
    adjusted_N[order_N] = np.minimum(stepped_N, 1.0)
    return [float(p) for p in adjusted_N]


@dataclass(frozen=True)
class _Noise:
    question: float
    """Factor on what resampling the questions gives: below 1 where the noise between seeds holds part of it."""
    seed: float
    """Scale of the noise between seeds; 0 where it is unknown."""


def _noise(a_SQ: Floats, b_SQ: Floats) -> _Noise:
    """Return how much noise is the questions' and how much the seeds', from each trial's share of each question."""
    freedom = len(a_SQ) + len(b_SQ) - 2
    if not freedom:
        return _Noise(question=1.0, seed=0.0)
    questions, per_trial = a_SQ.shape[1], 1 / len(a_SQ) + 1 / len(b_SQ)
    of_question = np.var(a_SQ.mean(axis=0) - b_SQ.mean(axis=0), ddof=1) / questions
    residual_SQ = np.concatenate([a_SQ - a_SQ.mean(axis=0), b_SQ - b_SQ.mean(axis=0)])
    mean_S = residual_SQ.mean(axis=1)
    of_seed = (mean_S**2).sum() / freedom * per_trial
    of_both = np.var(residual_SQ, axis=1, ddof=1).sum() / freedom * per_trial / questions
    own = max(0.0, 1 - of_both / of_question) if of_question else 0.0
    return _Noise(question=float(np.sqrt(own)), seed=float(np.sqrt(of_seed)))


def _student(freedom: int, resamples: int, random: np.random.Generator) -> Floats:
    """Return draws from Student's t, one from each of R equally likely slices: its tails are those of all R draws."""
    return random.permutation(stats.t.ppf((np.arange(resamples) + 0.5) / resamples, freedom))


def _contributions(values_SUQ: Floats) -> Floats:
    """Return each question's contribution: their mean over the questions that have one is the macro average."""
    held_UQ = ~np.isnan(values_SUQ[0])
    weight_U = held_UQ.any(axis=0).sum() / held_UQ.sum(axis=1) / len(held_UQ)
    contribution_SQ = np.einsum("suq,u->sq", np.where(held_UQ, values_SUQ, 0.0), weight_U)
    return np.asarray(contribution_SQ[:, held_UQ.any(axis=0)], dtype=np.float64)


def _resampled(
    difference_UQ: Floats, held_UQ: npt.NDArray[np.bool_], resamples: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return each unit's mean difference under random signs, and the error of its mean in bootstrap samples.

    A unit without any of the questions drawn has no error.
    """
    questions = difference_UQ.shape[1]
    sum_QU, held_QU, size_U = difference_UQ.T, held_UQ.T.astype(np.float64), held_UQ.sum(axis=1)
    mean_U = sum_QU.sum(axis=0) / size_U
    flipped, errors = [], []
    for block in _blocks(resamples, questions):
        sign_RQ = random.integers(0, 2, (block, questions), dtype=np.int8) * 2.0 - 1.0
        flipped.append(sign_RQ @ sum_QU / size_U)
        count_RQ = _counts(block, questions, random)
        size_RU = count_RQ @ held_QU
        errors.append(np.where(size_RU > 0, count_RQ @ sum_QU / np.maximum(size_RU, 1) - mean_U, 0.0))
    return np.concatenate(flipped), np.concatenate(errors)


def _counts(block: int, questions: int, random: np.random.Generator) -> Floats:
    """Return how often each question is in each bootstrap sample; ten times as fast as `random.multinomial`."""
    place_RQ = random.integers(0, questions, (block, questions)) + questions * np.arange(block)[:, None]
    count_RQ = np.bincount(place_RQ.ravel(), minlength=block * questions).reshape(block, questions)
    return count_RQ.astype(np.float64)


def _blocks(resamples: int, questions: int) -> Iterator[int]:
    """Yield how many resamples to make at a time."""
    most = max(1, _BLOCK // questions)
    for first in range(0, resamples, most):
        yield min(most, resamples - first)
