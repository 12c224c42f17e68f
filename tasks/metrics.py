"""Retrieval metrics as functions of the exact positions of the relevant passages, and the registry of all metrics.

To add a metric, write its function and add one `Metric` to `METRICS`; tables, comparisons and search spaces read the
record. Metrics of language bias are in `tasks.language_bias`. Values are those of trec_eval unless a docstring says
otherwise.

Shapes: Q ranked lists, R relevant passages of the list that has most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from tasks.language_bias import LANGUAGE_BIAS
from tasks.metric import Lists, Metric, Values
from tasks.plugins import TaskError, nearest
from tasks.schema import Setting


def average_precision(lists: Lists, k: int | None = None) -> Values:
    """Return the mean, over relevant passages, of the precision at their positions.

    With a cut-off, passages below position k add nothing and the divisor is min(relevant, k), as in XTREME-R's mAP@20
    (arXiv 2104.07412); trec_eval's own cut-off keeps dividing by the number of all relevant passages.
    """
    place_QR = np.sort(lists.places(), axis=1)
    count_R = np.arange(1, place_QR.shape[1] + 1)
    precision_QR = np.where(place_QR <= _cutoff(k), count_R / place_QR, 0.0)
    return np.asarray(precision_QR.sum(axis=1) / np.minimum(lists.relevant(), _cutoff(k)), dtype=np.float64)


def ndcg(lists: Lists, k: int | None = None) -> Values:
    """Return discounted cumulative gain over that of the ideal ranking; gain = grade, discount = log2(1 + position)."""
    place_QR = lists.places()
    gain_QR = np.where(place_QR <= _cutoff(k), lists.grades_QR / np.log2(place_QR + 1), 0.0)
    ideal_QR = -np.sort(-lists.grades_QR, axis=1)[:, :k] / np.log2(np.arange(place_QR.shape[1])[:k] + 2)
    return np.asarray(gain_QR.sum(axis=1) / ideal_QR.sum(axis=1), dtype=np.float64)


def reciprocal_rank(lists: Lists, k: int | None = None) -> Values:
    """Return 1 / position of the first relevant passage; 0 where it lies below position k."""
    first_Q = lists.places().min(axis=1)
    return np.where(first_Q <= _cutoff(k), 1.0 / first_Q, 0.0)


def recall(lists: Lists, k: int) -> Values:
    """Return the share of relevant passages within the first k positions."""
    return np.asarray((lists.places() <= k).sum(axis=1) / lists.relevant(), dtype=np.float64)


def accuracy(lists: Lists) -> Values:
    """Return 1 where a relevant passage comes first, else 0 (Tatoeba, arXiv 1812.10464)."""
    return np.asarray(lists.places().min(axis=1) == 1, dtype=np.float64)


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "map",
            "mAP",
            average_precision,
            cutoff="optional",
            description="mean of the precision at the position of each answer; higher is better",
        ),
        Metric(
            "ndcg",
            "nDCG",
            ndcg,
            cutoff="optional",
            description="gain of the answers, discounted by position, over that of the best ranking; higher is better",
        ),
        Metric(
            "mrr",
            "MRR",
            reciprocal_rank,
            cutoff="optional",
            description="one over the position of the first answer; higher is better",
        ),
        Metric(
            "recall",
            "Recall",
            recall,
            cutoff="required",
            description="share of the answers that are among the first k; higher is better",
        ),
        Metric(
            "accuracy",
            "Accuracy",
            accuracy,
            description="share of questions whose first passage is an answer; higher is better",
        ),
        *LANGUAGE_BIAS,
    )
}
QUALITY = ("map", "ndcg@10", "mrr")
BIAS = ("rank_distance", "language_preference")
"""The metrics of quality and of language bias that rankings and charts of trials show and comparisons test, where a
benchmark has them."""
_COMMON_CUTOFFS = (1, 10, 100)


def metric(name: str) -> Metric:
    """Return the metric called `name`, such as `map`, `ndcg@10` or `recall@5`.

    Raises:
        TaskError: there is no such metric; names the nearest one.
    """
    parts = re.fullmatch(r"(\w+?)(?:@([1-9]\d*))?", name)
    record = METRICS.get(parts[1]) if parts else None
    if parts is None or record is None:
        raise TaskError(f"unknown metric '{name}': {nearest(name, sorted(_common_names()))}")
    if parts[2] is None and record.cutoff == "required":
        raise TaskError(f"metric '{name}' needs a cut-off: write '{name}@10'")
    if parts[2] is None:
        return record
    if record.cutoff == "none":
        raise TaskError(f"metric '{name}' takes no cut-off: write '{parts[1]}'")
    function = partial(record.function, k=int(parts[2]))
    return replace(record, name=name, title=f"{record.title}@{parts[2]}", function=function)


def known_metric(name: str) -> Metric | None:
    """Return the metric called `name`; None for one that this version does not have, in a result of another version."""
    try:
        return metric(name)
    except TaskError:
        return None


def measured_in(setting: Setting, names: Sequence[str] = (), *, top_lists: bool = False) -> list[str]:
    """Return the metrics of `names` that exist in a setting, and those that are measured in it automatically.

    They are those computed from positions or, with `top_lists`, those computed from the best passages.
    """
    automatic = [name for record in METRICS.values() for name in record.automatic]
    records = {name: metric(name) for name in (*names, *automatic)}
    return [name for name, m in records.items() if setting in m.settings and m.needs_top_lists == top_lists]


def language_bias() -> list[Metric]:
    """Return the metrics of language bias that are measured automatically."""
    return [metric(name) for record in LANGUAGE_BIAS for name in record.automatic]


def higher_is_better(name: str) -> bool:
    """Return whether larger values of a metric are better; True for a metric that this version does not have."""
    record = known_metric(name)
    return record is None or record.higher_is_better


def _common_names() -> Iterator[str]:
    """Yield the names most used, to suggest where a name is not known; any other cut-off works too."""
    for name, record in METRICS.items():
        if record.cutoff != "required":
            yield name
        if record.cutoff != "none":
            yield from (f"{name}@{k}" for k in _COMMON_CUTOFFS)


def _cutoff(k: int | None) -> float:
    return float("inf") if k is None else k
