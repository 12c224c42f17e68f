"""Retrieval metrics as functions of the exact positions of the relevant passages.

Shapes: Q ranked lists, R relevant passages of the list that has most. `positions_QR` holds 1-based positions,
`grades_QR` the grades (1 or more) of the same passages; where a list has fewer than R relevant passages both hold 0.
Every function returns one float64 a list. The figures are those of trec_eval unless the docstring says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.plugins import TaskError, nearest

Positions = npt.NDArray[np.int64]
Grades = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Metric = Callable[[Positions, Grades], Values]

RANK_DISTANCE = "rank_distance"
ACCURACY = "accuracy"


def average_precision(positions_QR: Positions, grades_QR: Grades, k: int | None = None) -> Values:
    """Return the mean, over relevant passages, of the precision at their positions.

    With a cut-off, passages below position k add nothing and the divisor is min(relevant, k), as in XTREME-R's mAP@20
    (arXiv 2104.07412); trec_eval's own cut-off keeps dividing by the number of all relevant passages.
    """
    relevant_Q = _relevant(positions_QR, grades_QR)
    place_QR = np.sort(_places(positions_QR), axis=1)
    found_R = np.arange(1, positions_QR.shape[1] + 1)
    precision_QR = np.where(place_QR <= _cutoff(k), found_R / place_QR, 0.0)
    return np.asarray(precision_QR.sum(axis=1) / np.minimum(relevant_Q, _cutoff(k)), dtype=np.float64)


def ndcg(positions_QR: Positions, grades_QR: Grades, k: int | None = None) -> Values:
    """Return discounted cumulative gain over that of the ideal ranking; gain = grade, discount = log2(1 + position)."""
    _relevant(positions_QR, grades_QR)
    place_QR = _places(positions_QR)
    gain_QR = np.where(place_QR <= _cutoff(k), grades_QR / np.log2(place_QR + 1), 0.0)
    ideal_QR = -np.sort(-grades_QR, axis=1)[:, :k] / np.log2(np.arange(positions_QR.shape[1])[:k] + 2)
    return np.asarray(gain_QR.sum(axis=1) / ideal_QR.sum(axis=1), dtype=np.float64)


def reciprocal_rank(positions_QR: Positions, grades_QR: Grades, k: int | None = None) -> Values:
    """Return 1 / position of the first relevant passage; 0 where it lies below position k."""
    _relevant(positions_QR, grades_QR)
    first_Q = _places(positions_QR).min(axis=1)
    return np.where(first_Q <= _cutoff(k), 1.0 / first_Q, 0.0)


def recall(positions_QR: Positions, grades_QR: Grades, k: int) -> Values:
    """Return the share of relevant passages within the first k positions."""
    found_Q = (_places(positions_QR) <= k).sum(axis=1)
    return np.asarray(found_Q / _relevant(positions_QR, grades_QR), dtype=np.float64)


def accuracy(positions_QR: Positions, grades_QR: Grades) -> Values:
    """Return 1 where a relevant passage comes first, else 0 (Tatoeba, arXiv 1812.10464)."""
    _relevant(positions_QR, grades_QR)
    return np.asarray(_places(positions_QR).min(axis=1) == 1, dtype=np.float64)


def rank_distance(positions_QR: Positions, grades_QR: Grades) -> Values:
    """Return the largest minus the smallest position of the relevant passages; NaN where there is only one.

    Language bias (arXiv 2408.10536): the further apart one query's answers in different languages rank,
    the more the encoder prefers some languages. Lower is better.
    """
    several_Q = _relevant(positions_QR, grades_QR) > 1
    spread_Q = positions_QR.max(axis=1) - _places(positions_QR).min(axis=1)
    return np.where(several_Q, spread_Q, np.nan)


class _Family(NamedTuple):
    function: Callable[..., Values]
    bare: bool
    """Whether the name may stand without `@k`."""
    cutoff: bool
    """Whether the name may carry `@k`."""


_FAMILIES = {
    "map": _Family(average_precision, bare=True, cutoff=True),
    "ndcg": _Family(ndcg, bare=True, cutoff=True),
    "mrr": _Family(reciprocal_rank, bare=True, cutoff=True),
    "recall": _Family(recall, bare=False, cutoff=True),
    ACCURACY: _Family(accuracy, bare=True, cutoff=False),
    RANK_DISTANCE: _Family(rank_distance, bare=True, cutoff=False),
}
COMMON = (
    "map", "map@20", "ndcg@10", "mrr", "mrr@10", "recall@1", "recall@10", "recall@100", ACCURACY, RANK_DISTANCE,
)  # fmt: skip
"""The names most used, offered where a name is not understood; any other cut-off works too."""


def metric(name: str) -> Metric:
    """Return the metric called `name`, such as `map`, `ndcg@10` or `recall@5`.

    Raises:
        TaskError: where there is no such metric, naming the nearest one.
    """
    parts = re.fullmatch(r"(\w+?)(?:@([1-9]\d*))?", name)
    family = _FAMILIES.get(parts[1]) if parts else None
    if parts is None or family is None:
        raise TaskError(f"unknown metric '{name}': {nearest(name, COMMON)}")
    if parts[2] is None and not family.bare:
        raise TaskError(f"metric '{name}' needs a cut-off: write '{name}@10'")
    if parts[2] is not None and not family.cutoff:
        raise TaskError(f"metric '{name}' takes no cut-off: write '{parts[1]}'")
    return family.function if parts[2] is None else partial(family.function, k=int(parts[2]))


def higher_is_better(name: str) -> bool:
    """Return whether a larger value of the metric is the better one."""
    return name != RANK_DISTANCE


def _relevant(positions_QR: Positions, grades_QR: Grades) -> npt.NDArray[np.int64]:
    """Return the number of relevant passages of each list, at least one."""
    assert positions_QR.shape == grades_QR.shape, (positions_QR.shape, grades_QR.shape)
    assert np.array_equal(positions_QR > 0, grades_QR > 0), "a relevant passage has a position and a grade of 1 or more"
    count_Q: npt.NDArray[np.int64] = (positions_QR > 0).sum(axis=1)
    assert count_Q.all(), "a list without relevant passages has no metrics"
    return count_Q


def _places(positions_QR: Positions) -> Values:
    """Return the positions with padding infinitely far down, where it adds nothing to any sum."""
    return np.where(positions_QR > 0, positions_QR, np.inf)


def _cutoff(k: int | None) -> float:
    return float("inf") if k is None else k
