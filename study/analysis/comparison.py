"""Groups of trials compared in pairs: their differences by setting, metric and language.

A trial's metrics question by question, ready for statistics.

Shapes: U units (languages or ordered pairs, for each metric), Q question ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from study.analysis.pairs import Pair
from study.analysis.statistics import Difference, Floats, holm, unpaired
from study.analysis.study import Group, Study
from study.results.layout import StudyError
from study.results.trial_result import TrialResult
from tasks.metrics import HEADLINE
from tasks.plugins import nearest
from tasks.schema import Setting
from tasks.scoring import query_scores

LEADING = "multilingual/map"


class Figure(NamedTuple):
    """A reported number: a setting's metric."""

    setting: Setting
    metric: str


@dataclass(frozen=True)
class Comparison:
    """How far a group is ahead of its baseline on one benchmark."""

    pair: Pair
    benchmark: str
    overall: dict[Figure, Difference] = field(default_factory=dict)
    by_language: dict[Figure, dict[str, Difference]] = field(default_factory=dict)
    """Query language -> difference; in the cross-lingual setting over the language's pairs."""

    def adjusted(self, figure: Figure) -> dict[str, float]:
        """Return p by language, after Holm's correction over the languages."""
        found = self.by_language[figure]
        return dict(zip(found, holm([difference.p for difference in found.values()]), strict=True))


def compare(study: Study, pairs: Sequence[Pair], benchmark: str) -> list[Comparison]:
    """Test each pair on every setting of a benchmark, overall and by query language.

    Raises:
        StudyError: trials of a pair were measured on different questions.
    """
    comparisons = [Comparison(pair, benchmark) for pair in pairs if _measured(pair, benchmark)]
    trials = {result.number: result for one in comparisons for group in one.pair for result in group.results}
    for setting, metrics in headline(list(trials.values()), benchmark).items():
        numbers = {number for one in comparisons for group in one.pair for number in group.numbers}
        values = {n: query_values(study.positions(n, benchmark), setting, metrics) for n in sorted(numbers)}
        for comparison in comparisons:
            group_SUQ, baseline_SUQ = (_stacked(group, values, comparison) for group in comparison.pair)
            units = values[comparison.pair.group.numbers[0]].units
            figures: dict[tuple[str, str | None], list[int]] = {}
            for number, unit in enumerate(units):
                figures.setdefault((unit.metric, None), []).append(number)
                figures.setdefault((unit.metric, unit.query_language), []).append(number)
            for (metric, language), found in unpaired(group_SUQ, baseline_SUQ, figures).items():
                if language is None:
                    comparison.overall[Figure(setting, metric)] = found
                else:
                    comparison.by_language.setdefault(Figure(setting, metric), {})[language] = found
    return comparisons


def headline(results: Sequence[TrialResult], benchmark: str) -> dict[Setting, tuple[str, ...]]:
    """Return the metrics to test, by setting, of those that all these trials have on a benchmark.

    They are those of `tasks.metrics.HEADLINE`; on a benchmark that has none of them, all.
    """
    held = set.intersection(*(set(result.metrics) for result in results)) if results else set()
    chosen = {}
    for setting in Setting:
        prefix = f"{benchmark}/{setting}/"
        metrics = sorted(key.removeprefix(prefix) for key in held if key.startswith(prefix))
        if metrics:
            chosen[setting] = tuple(metric for metric in HEADLINE if metric in metrics) or tuple(metrics)
    return chosen


def leading_figures(found: Mapping[str, Sequence[Comparison]], metric: str | None = None) -> dict[str, Figure]:
    """Return, for each benchmark that has it, the figure to talk about.

    Args:
        found: benchmark -> comparisons.
        metric: as `setting/metric`; without it each benchmark's multilingual mAP, or else its first figure.

    Raises:
        StudyError: no benchmark has the metric.
    """
    held = {
        benchmark: {f"{figure.setting}/{figure.metric}": figure for one in comparisons for figure in one.overall}
        for benchmark, comparisons in found.items()
    }
    wanted = metric or LEADING
    chosen = {benchmark: figures[wanted] for benchmark, figures in held.items() if wanted in figures}
    if metric is None:
        return {benchmark: next(iter(figures.values())) for benchmark, figures in held.items() if figures} | chosen
    if not chosen:
        known = {name for figures in held.values() for name in figures}
        raise StudyError(f"metric '{metric}' was not measured on the trials compared: {nearest(metric, known)}")
    return chosen


def _measured(pair: Pair, benchmark: str) -> bool:
    return all(benchmark in result.benchmarks for group in pair for result in group.results)


def _stacked(group: Group, values: Mapping[int, QueryValues], comparison: Comparison) -> Floats:
    """Return a group's values, checked against the first trial's of the comparison."""
    first = comparison.pair.group.numbers[0]
    for number in group.numbers:
        if not values[first].same_questions(values[number]):
            raise StudyError(
                f"trials {first} and {number} were not measured on the same questions of {comparison.benchmark}: "
                "evaluate both on the same revision and languages"
            )
    return np.stack([values[number].values_UQ for number in group.numbers])


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
