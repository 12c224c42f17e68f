"""Retrieval metrics as functions of the exact positions of the relevant passages.

To add a metric, write its function and add one `Metric` to `METRICS`; tables, comparisons and search spaces read the
record. Values are those of trec_eval unless a docstring says otherwise.

Shapes: Q ranked lists, R relevant passages of the list that has most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.plugins import TaskError, nearest
from tasks.schema import Setting

Integers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


NOT_RETRIEVED = int(np.iinfo(np.int64).max)
"""The position of a relevant passage that is in no list, because the corpus lacks it or it is left out."""


class Lists(NamedTuple):
    """The relevant passages of Q ranked lists, in any order; shorter rows are padded with 0."""

    positions_QR: Integers
    """1-based positions, or `NOT_RETRIEVED`."""
    grades_QR: Integers
    """1 or more."""
    language_QR: Integers
    """A number for the language of each passage."""
    query_language_Q: Integers
    """A number for the language of each query."""

    def in_query_language(self) -> npt.NDArray[np.bool_]:
        """Return, shape (Q, R), whether each passage is in the language of its query."""
        return np.asarray(self.language_QR == self.query_language_Q[:, None])


@dataclass(frozen=True)
class Metric:
    """A metric and everything that other modules need to know about it."""

    name: str
    """As in metric keys, such as `map` or `ndcg@10`; without cut-off in `METRICS`."""
    title: str
    """As papers write it."""
    function: Callable[..., Values]
    """Called with `Lists`, and with the cut-off `k` where the name has one; returns one float64 per list, NaN where
    the metric is not defined."""
    cutoff: Literal["none", "optional", "required"] = "none"
    """Whether the name may or must end in `@k`."""
    higher_is_better: bool = True
    decimals: int = 3
    """Decimals worth printing."""
    bounds: tuple[float, float] = (0, 1)
    settings: tuple[Setting, ...] = tuple(Setting)
    """The settings in which the metric exists."""
    automatic: tuple[str, ...] = ()
    """Names under which every benchmark is measured in these settings, whether or not the benchmark asks for them."""
    description: str = ""
    """Half a sentence that explains it to readers of a report."""
    names_setting: bool = True
    """Whether the setting is part of the metric key."""

    @property
    def is_language_bias(self) -> bool:
        """Whether the metric compares languages: it then exists only where they share one ranking."""
        return self.settings == (Setting.MULTILINGUAL,)

    def __call__(self, lists: Lists) -> Values:
        """Return the metric's value for each list."""
        assert lists.positions_QR.shape == lists.grades_QR.shape == lists.language_QR.shape, lists
        assert np.array_equal(lists.positions_QR > 0, lists.grades_QR > 0), "a relevant passage has position and grade"
        assert (lists.positions_QR > 0).any(axis=1).all(), "a list without relevant passages has no metrics"
        values_Q = self.function(lists)
        low, high = self.bounds
        tolerance = 1e-9  # sums of float64
        inside_Q = (values_Q >= low - tolerance) & (values_Q <= high + tolerance)
        assert (inside_Q | np.isnan(values_Q) | _shares_a_position(lists)).all(), (
            f"{self.name} is outside {self.bounds}"
        )
        return values_Q


def average_precision(lists: Lists, k: int | None = None) -> Values:
    """Return the mean, over relevant passages, of the precision at their positions.

    With a cut-off, passages below position k add nothing and the divisor is min(relevant, k), as in XTREME-R's mAP@20
    (arXiv 2104.07412); trec_eval's own cut-off keeps dividing by the number of all relevant passages.
    """
    place_QR = np.sort(_places(lists), axis=1)
    count_R = np.arange(1, place_QR.shape[1] + 1)
    precision_QR = np.where(place_QR <= _cutoff(k), count_R / place_QR, 0.0)
    return np.asarray(precision_QR.sum(axis=1) / np.minimum(_relevant(lists), _cutoff(k)), dtype=np.float64)


def ndcg(lists: Lists, k: int | None = None) -> Values:
    """Return discounted cumulative gain over that of the ideal ranking; gain = grade, discount = log2(1 + position)."""
    place_QR = _places(lists)
    gain_QR = np.where(place_QR <= _cutoff(k), lists.grades_QR / np.log2(place_QR + 1), 0.0)
    ideal_QR = -np.sort(-lists.grades_QR, axis=1)[:, :k] / np.log2(np.arange(place_QR.shape[1])[:k] + 2)
    return np.asarray(gain_QR.sum(axis=1) / ideal_QR.sum(axis=1), dtype=np.float64)


def reciprocal_rank(lists: Lists, k: int | None = None) -> Values:
    """Return 1 / position of the first relevant passage; 0 where it lies below position k."""
    first_Q = _places(lists).min(axis=1)
    return np.where(first_Q <= _cutoff(k), 1.0 / first_Q, 0.0)


def recall(lists: Lists, k: int) -> Values:
    """Return the share of relevant passages within the first k positions."""
    return np.asarray((_places(lists) <= k).sum(axis=1) / _relevant(lists), dtype=np.float64)


def accuracy(lists: Lists) -> Values:
    """Return 1 where a relevant passage comes first, else 0 (Tatoeba, arXiv 1812.10464)."""
    return np.asarray(_places(lists).min(axis=1) == 1, dtype=np.float64)


def rank_distance(lists: Lists) -> Values:
    """Return the largest minus the smallest position of the retrieved relevant passages; NaN where there is only one.

    Language bias (arXiv 2408.10536, section 4): the further apart the answers to one query in different languages
    rank, the more the encoder prefers some languages. Lower is better.
    """
    retrieved_QR = _retrieved(lists)
    largest_Q = np.where(retrieved_QR, lists.positions_QR, 0).max(axis=1)
    smallest_Q = np.where(retrieved_QR, lists.positions_QR, NOT_RETRIEVED).min(axis=1)
    return np.where(retrieved_QR.sum(axis=1) > 1, largest_Q - smallest_Q, np.nan)


def language_preference(lists: Lists) -> Values:
    """Return 1 where the first relevant passage is in the query's language, else 0.

    The mean over queries is the share of queries whose answer in their own language ranks above all its versions in
    other languages (after MLAIRE, arXiv 2605.07249). Without preference it is 1 / number of languages, so lower is
    better. NaN where the retrieved relevant passages are all in the query's language, or none is.
    """
    relevant_QR = _retrieved(lists)
    own_QR, first_Q = lists.in_query_language(), _places(lists).argmin(axis=1)
    first_is_own_Q = np.take_along_axis(own_QR, first_Q[:, None], axis=1)[:, 0]
    own_Q = (own_QR & relevant_QR).any(axis=1)
    other_Q = (~own_QR & relevant_QR).any(axis=1)
    return np.where(own_Q & other_Q, first_is_own_Q.astype(np.float64), np.nan)


def worst_position(lists: Lists) -> Values:
    """Return the largest position of the retrieved relevant passages; NaN where there is only one.

    It is how far a reader has to go to have seen every version of the answer. Lower is better; at best it is the
    number of versions.
    """
    retrieved_QR = _retrieved(lists)
    return np.where(retrieved_QR.sum(axis=1) > 1, np.where(retrieved_QR, lists.positions_QR, 0).max(axis=1), np.nan)


def complete(lists: Lists, k: int) -> Values:
    """Return 1 where all relevant passages are within the first k positions, else 0; NaN where there is only one."""
    within_Q = (np.where(lists.positions_QR > 0, _places(lists), 0).max(axis=1) <= k).astype(np.float64)
    return np.where(_relevant(lists) > 1, within_Q, np.nan)


def peer(lists: Lists, k: int) -> Values:
    """Return the probability of equal expected rank, PEER@k (arXiv 2405.00978): 1 where languages are treated alike.

    It is the p-value of the Kruskal-Wallis test that relevant passages of all languages rank alike, averaged over
    grades. Positions below k tie at k + 1. A grade counts where several languages have passages of it, and one of them
    several: with one passage per language the statistic is the same whatever the ranking, so that the value is NaN
    for benchmarks of parallel passages, such as XQuAD-R.
    """
    position_QR = np.minimum(lists.positions_QR, k + 1)
    grade_QR = np.where(_retrieved(lists), lists.grades_QR, 0)
    values = []
    for positions, grades, languages in zip(position_QR, grade_QR, lists.language_QR, strict=True):
        tests = [_kruskal_wallis(positions[grades == g], languages[grades == g]) for g in np.unique(grades[grades > 0])]
        known = [p for p in tests if not np.isnan(p)]
        values.append(sum(known) / len(known) if known else np.nan)
    return np.array(values, dtype=np.float64)


def _kruskal_wallis(values: Integers, groups: Integers) -> float:
    """Return the p-value of the test, corrected for ties; NaN where there is one group, or no group of several."""
    from scipy.special import chdtrc  # noqa: PLC0415 - takes long to import, and few benchmarks measure PEER

    _, group_N, size_G = np.unique(groups, return_inverse=True, return_counts=True)
    if len(size_G) < 2 or size_G.max() < 2:
        return float("nan")
    # The rank of equal values is the mean of the ranks that they share.
    _, value_N, count_V = np.unique(values, return_inverse=True, return_counts=True)
    rank_N = (np.cumsum(count_V) - (count_V - 1) / 2)[value_N]
    mean = rank_N.mean()
    total = ((rank_N - mean) ** 2).sum()
    if not total:
        return 1.0
    between = (size_G * (np.bincount(group_N, rank_N) / size_G - mean) ** 2).sum()
    return float(chdtrc(len(size_G) - 1, (len(values) - 1) * between / total))


METRICS = {
    metric.name: metric
    for metric in (
        Metric("map", "mAP", average_precision, cutoff="optional"),
        Metric("ndcg", "nDCG", ndcg, cutoff="optional"),
        Metric("mrr", "MRR", reciprocal_rank, cutoff="optional"),
        Metric("recall", "Recall", recall, cutoff="required"),
        Metric("accuracy", "Accuracy", accuracy, names_setting=False),
        Metric(
            "rank_distance",
            "rank distance",
            rank_distance,
            description="how far apart the answers to one question in different languages rank; lower is better",
            higher_is_better=False,
            decimals=1,
            bounds=(0, np.inf),
            settings=(Setting.MULTILINGUAL,),
            automatic=("rank_distance",),
        ),
        Metric(
            "language_preference",
            "language preference",
            language_preference,
            description="share of questions whose first answer is in the language of the question; lower is better",
            higher_is_better=False,
            settings=(Setting.MULTILINGUAL,),
            automatic=("language_preference",),
        ),
        Metric(
            "worst_position",
            "worst position",
            worst_position,
            description="position of the last of the answers to one question in different languages; lower is better",
            higher_is_better=False,
            decimals=1,
            bounds=(2, np.inf),
            settings=(Setting.MULTILINGUAL,),
            automatic=("worst_position",),
        ),
        Metric(
            "complete",
            "complete",
            complete,
            description="share of questions whose answers in all languages are among the first k; higher is better",
            cutoff="required",
            settings=(Setting.MULTILINGUAL,),
            automatic=("complete@100",),
        ),
        Metric(
            "peer",
            "PEER",
            peer,
            description="p-value of the hypothesis that answers of all languages rank alike; higher is better",
            cutoff="required",
            settings=(Setting.MULTILINGUAL,),
        ),
    )
}
HEADLINE = ("map", "ndcg@10", "mrr", "rank_distance", "language_preference")
"""The metrics that rankings of trials show and comparisons test, where a benchmark has them."""
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


def measured_in(setting: Setting, names: Sequence[str] = ()) -> list[str]:
    """Return the metrics of `names` that exist in a setting, and those that are measured in it automatically."""
    automatic = [name for record in METRICS.values() for name in record.automatic]
    return [name for name in dict.fromkeys([*names, *automatic]) if setting in metric(name).settings]


def language_bias() -> list[Metric]:
    """Return the metrics of language bias that every benchmark with a multilingual setting has."""
    return [metric(name) for name in measured_in(Setting.MULTILINGUAL) if metric(name).is_language_bias]


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


def _shares_a_position(lists: Lists) -> npt.NDArray[np.bool_]:
    """Return for each list whether two relevant passages have one position: their scores differ by rounding alone."""
    sorted_QR = np.sort(lists.positions_QR, axis=1)
    return np.asarray(((np.diff(sorted_QR, axis=1) == 0) & (sorted_QR[:, 1:] > 0)).any(axis=1))


def _relevant(lists: Lists) -> Integers:
    """Return the number of relevant passages of each list."""
    count_Q: Integers = (lists.positions_QR > 0).sum(axis=1)
    return count_Q


def _retrieved(lists: Lists) -> npt.NDArray[np.bool_]:
    """Return which entries are neither padding nor passages that were not retrieved."""
    return (lists.positions_QR > 0) & (lists.positions_QR < NOT_RETRIEVED)


def _places(lists: Lists) -> Values:
    """Return the positions with all that is not retrieved infinitely far down, where it adds nothing to any sum."""
    return np.where(_retrieved(lists), lists.positions_QR, np.inf)


def _cutoff(k: int | None) -> float:
    return float("inf") if k is None else k
