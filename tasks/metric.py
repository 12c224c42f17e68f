"""One metric, and the ranked lists that metrics are computed from.

Shapes: Q ranked lists, R relevant passages of the list that has most, K passages of a list's top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.schema import Setting

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
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

    def in_query_language(self) -> Flags:
        """Return, shape (Q, R), whether each passage is in the language of its query."""
        return np.asarray(self.language_QR == self.query_language_Q[:, None])

    def relevant(self) -> Integers:
        """Return, shape (Q), the number of relevant passages."""
        count_Q: Integers = (self.positions_QR > 0).sum(axis=1)
        return count_Q

    def retrieved(self) -> Flags:
        """Return, shape (Q, R), which entries are neither padding nor passages that were not retrieved."""
        return (self.positions_QR > 0) & (self.positions_QR < NOT_RETRIEVED)

    def places(self) -> Values:
        """Return, shape (Q, R), the positions, with all that is not retrieved infinitely far down.

        There it adds nothing to any sum.
        """
        return np.where(self.retrieved(), self.positions_QR, np.inf)


class TopLists(NamedTuple):
    """The best K passages of Q ranked lists over all languages, best first; padded with -1 where there are fewer."""

    passage_QK: Integers
    """A number for each passage."""
    relevant_QK: Flags
    language_QK: Integers
    """A number for the language of each passage."""
    question_Q: Integers
    """A number for the question, shared by the language versions of a query."""
    query_language_Q: Integers
    """A number for the language of each query."""


@dataclass(frozen=True)
class Metric:
    """A metric and everything that other modules need to know about it."""

    name: str
    """As in metric keys, such as `map` or `ndcg@10`; without cut-off in `METRICS`."""
    title: str
    """As papers write it."""
    function: Callable[..., Values]
    """Called with `Lists`, or `TopLists` where the metric needs them, and with the cut-off `k` where the name has one;
    returns one float64 per list, NaN where the metric is not defined."""
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
    needs_top_lists: bool = False
    """Whether it is computed from the best passages of each list, which takes a search (`TrialConfig.top_lists`)."""

    @property
    def is_language_bias(self) -> bool:
        """Whether the metric compares languages: it then exists only where they share one ranking."""
        return self.settings == (Setting.MULTILINGUAL,)

    def __call__(self, lists: Lists | TopLists) -> Values:
        """Return the metric's value for each list."""
        assert isinstance(lists, TopLists) == self.needs_top_lists, self.name
        if isinstance(lists, Lists):
            _check(lists)
        values_Q = self.function(lists)
        low, high = self.bounds
        tolerance = 1e-9  # sums of float64
        inside_Q = (values_Q >= low - tolerance) & (values_Q <= high + tolerance)
        assert (inside_Q | np.isnan(values_Q)).all(), f"{self.name} is outside {self.bounds}"
        return values_Q


def distinct_positions(positions_QR: Integers) -> Integers:
    """Return positions that a ranked list can have: no two relevant passages share one.

    Positions are counted for each passage by itself, and near ties are not transitive: where a ties with b and b with c
    but not a with c (`study.retrieval.positions.TIE`), two passages can be counted at one position. The earlier of them
    then moves up, and down only where there is no place above. Distinct positions are returned as they are.
    """
    retrieved_QR = (positions_QR > 0) & (positions_QR < NOT_RETRIEVED)
    order_QR = np.argsort(np.where(retrieved_QR, positions_QR, NOT_RETRIEVED), axis=1, kind="stable")
    place_R = np.arange(positions_QR.shape[1])
    # Sorted positions are distinct exactly if they never fall once 0, 1, 2, ... are taken off.
    rest_QR = np.take_along_axis(np.where(retrieved_QR, positions_QR, NOT_RETRIEVED), order_QR, axis=1) - place_R
    rest_QR = np.minimum.accumulate(rest_QR[:, ::-1], axis=1)[:, ::-1].clip(min=1)
    distinct_QR = np.empty_like(positions_QR)
    np.put_along_axis(distinct_QR, order_QR, rest_QR + place_R, axis=1)
    return np.where(retrieved_QR, distinct_QR, positions_QR)


def _check(lists: Lists) -> None:
    assert lists.positions_QR.shape == lists.grades_QR.shape == lists.language_QR.shape, lists
    assert np.array_equal(lists.positions_QR > 0, lists.grades_QR > 0), "a relevant passage has position and grade"
    assert lists.relevant().all(), "a list without relevant passages has no metrics"
    assert np.array_equal(distinct_positions(lists.positions_QR), lists.positions_QR), "two passages at one position"
