"""A trial's metrics question by question, ready for statistics.

Shapes: U units (languages or ordered pairs, for each metric), Q question ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from study.analysis.statistics import Floats
from tasks.schema import Setting
from tasks.scoring import query_scores


class Unit(NamedTuple):
    """What a figure averages over: queries of one language, in the cross-lingual setting against one pool."""

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
    across = ["query_language"] if setting is Setting.MULTILINGUAL else ["query_language", "passage_language"]
    names_T = list(zip(*(scores[name].to_pylist() for name in across), strict=True))
    ids_T = scores["query_id"].to_pylist()
    places, questions = sorted(set(names_T)), sorted(set(ids_T))
    place = {name: number for number, name in enumerate(places)}
    row = {name: number for number, name in enumerate(questions)}
    entry = ([place[name] for name in names_T], [row[name] for name in ids_T])
    assert len(set(zip(*entry, strict=True))) == len(ids_T), "a question has one list in each unit"
    values_MUQ = np.full((len(metrics), len(places), len(questions)), np.nan)
    for number, metric in enumerate(metrics):
        values_MUQ[number][entry] = scores[metric].to_numpy()
    several = setting is Setting.CROSSLINGUAL
    units = [Unit(metric, name[0], name[1] if several else None) for metric in metrics for name in places]
    values_UQ = values_MUQ.reshape(len(units), len(questions))
    known_U = ~np.isnan(values_UQ).all(axis=1)  # rank distance has no value where answers are single
    return QueryValues(
        tuple(unit for unit, known in zip(units, known_U, strict=True) if known), tuple(questions), values_UQ[known_U]
    )
