"""A trial's metrics question by question, ready for statistics.

Shapes: U units (languages or ordered pairs of them, for each metric), Q question ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from study.analysis.statistics import Floats
from study.analysis.study import Study
from study.results.layout import StudyError
from tasks.schema import Rows, Setting
from tasks.scoring import query_scores


class Unit(NamedTuple):
    """A unit that a figure averages over: queries of one language, in the cross-lingual setting against one pool."""

    metric: str
    query_language: str
    passage_language: str | None


@dataclass(frozen=True)
class QueryValues:
    """One trial in one setting of one benchmark."""

    units: tuple[Unit, ...]
    questions: tuple[str, ...]
    values_UQ: Floats
    """NaN where a question has no value in a unit."""

    def same_questions(self, other: QueryValues) -> bool:
        """Return whether both were measured on the same questions in the same languages."""
        return (self.units, self.questions) == (other.units, other.questions) and np.array_equal(
            np.isnan(self.values_UQ), np.isnan(other.values_UQ)
        )


def query_values(positions: pa.Table, setting: Setting, metrics: Sequence[str]) -> QueryValues:
    """Lay out the metrics of every list by unit and question; units and questions are sorted."""
    scores = query_scores(positions, setting, metrics)
    several = setting is Setting.CROSSLINGUAL
    queries, query_T = _encoded(scores["query_language"])
    passages, passage_T = _encoded(scores["passage_language"]) if several else ([None], np.zeros_like(query_T))
    questions, question_T = _encoded(scores["query_id"])
    places, place_T = np.unique(query_T * len(passages) + passage_T, return_inverse=True)
    entry = (place_T, question_T)
    assert len(np.unique(place_T * len(questions) + question_T)) == len(place_T), "a question has one list in each unit"
    values_MUQ = np.full((len(metrics), len(places), len(questions)), np.nan)
    for number, metric in enumerate(metrics):
        values_MUQ[number][entry] = scores[metric].to_numpy()
    pairs = [(queries[place // len(passages)], passages[place % len(passages)]) for place in places]
    units = [Unit(metric, *pair) for metric in metrics for pair in pairs]
    values_UQ = values_MUQ.reshape(len(units), len(questions))
    known_U = ~np.isnan(values_UQ).all(axis=1)  # rank distance has no value where answers are single
    kept = tuple(unit for unit, known in zip(units, known_U, strict=True) if known)
    return QueryValues(kept, tuple(questions), values_UQ[known_U])


def _encoded(column: pa.ChunkedArray) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return a column's distinct texts, sorted, and the place of each row's text among them."""
    encoded = column.combine_chunks().cast(pa.string()).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    place = {name: number for number, name in enumerate(sorted(names))}
    return sorted(names), np.array([place[name] for name in names], dtype=np.int64)[encoded.indices.to_numpy()]


class SettingValues:
    """Values of a study's trials in one setting of one benchmark, each read once."""

    def __init__(self, study: Study, benchmark: str, setting: Setting, metrics: Sequence[str]) -> None:
        self._study, self._benchmark, self._setting, self._metrics = study, benchmark, setting, metrics
        self._read: dict[int, QueryValues] = {}

    def of(self, number: int) -> QueryValues:
        """Return a trial's values."""
        if number not in self._read:
            positions = self._study.positions(number, self._benchmark)
            self._read[number] = query_values(positions, self._setting, self._metrics)
        return self._read[number]

    def document_of(self, number: int) -> Rows:
        """Return a number for the document of each question of a trial, (Q,); its own where nothing is known."""
        known, places = self._study.documents(self._benchmark) or {}, dict[tuple[bool, str], int]()
        named = ((question in known, known.get(question, question)) for question in self.of(number).questions)
        return np.array([places.setdefault(document, len(places)) for document in named], dtype=np.int64)

    def stacked(self, numbers: Sequence[int]) -> Floats:
        """Return the values of several trials, (trials, U, Q).

        Raises:
            StudyError: they were measured on different questions.
        """
        for number in numbers:
            if not self.of(numbers[0]).same_questions(self.of(number)):
                raise StudyError(
                    f"trials {numbers[0]} and {number} were not measured on the same questions of {self._benchmark}: "
                    "evaluate both on the same revision and languages"
                )
        return np.stack([self.of(number).values_UQ for number in numbers])
