"""Groups of trials compared in pairs: their differences by setting, metric and language.

Shapes: A groups of a crossed design, S seeds, U units (languages or ordered pairs, for each metric), Q question ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from study.analysis.blocks import Block, block_of
from study.analysis.crossed import Crossed
from study.analysis.formats import metric_name, setting_name
from study.analysis.groups import Group, groups_of, settings_text, varied_settings
from study.analysis.pairs import Pair
from study.analysis.query_values import SettingValues
from study.analysis.shown_metrics import shown_metrics
from study.analysis.statistics import (
    Difference,
    Floats,
    Method,
    contributions,
    holm,
    smallest_unit,
    unpaired,
)
from study.analysis.study import Study
from study.config_sections import VALIDATION
from study.results.layout import StudyError
from tasks.plugins import nearest
from tasks.schema import UNANSWERED, Setting

LEADING = "multilingual/map"
_Key = tuple[str, str | None]
"""Metric and query language; None for the macro average over languages."""


class Figure(NamedTuple):
    """A reported number: a setting's metric."""

    setting: Setting
    metric: str

    @property
    def name(self) -> str:
        """The figure as prose has it, such as `cross-lingual mAP`."""
        return f"{setting_name(self.setting)} {metric_name(self.metric)}"


@dataclass(frozen=True)
class Comparison:
    """How far a group is ahead of its baseline on one benchmark."""

    pair: Pair
    benchmark: str
    overall: dict[Figure, Difference] = field(default_factory=dict)
    by_language: dict[Figure, dict[str, Difference]] = field(default_factory=dict)
    """Query language -> difference; in the cross-lingual setting over the language's pairs."""
    block: Block | None = None
    """The crossed design they are part of; None if they are compared unpaired."""
    at: str = ""
    """Settings of the group that other groups of the study do not share, apart from those that are compared."""
    untested: dict[Figure, tuple[str, ...]] = field(default_factory=dict)
    """The figures that have no test because they average over the questions about a single document in some languages,
    with those languages."""

    @property
    def left_out(self) -> tuple[int, ...]:
        """Trials of the two groups whose seeds are not shared, and which are therefore not compared."""
        if self.block is None:
            return ()
        results = (result for group in self.pair.groups if group.config.steps for result in group.results)
        return tuple(result.number for result in results if result.config.seed not in self.block.seeds)

    @property
    def measured_otherwise(self) -> dict[str, tuple[str, str]]:
        """The details in which the measurements of the two differ, such as the texts that `@centred` takes means of."""
        own, other = (group.results[0].benchmarks[self.benchmark].details for group in self.pair.groups)
        if UNANSWERED not in own or UNANSWERED not in other:  # results of earlier versions do not tell it
            own, other = ({k: v for k, v in each.items() if k != UNANSWERED} for each in (own, other))
        values = {key: (own.get(key, "none"), other.get(key, "none")) for key in (*own, *other)}
        return {key: (ours, theirs) for key, (ours, theirs) in values.items() if ours != theirs}

    def adjusted(self, figure: Figure) -> dict[str, float]:
        """Return p by language, after Holm's correction over the languages."""
        values = self.by_language.get(figure, {})
        return dict(zip(values, holm([difference.p for difference in values.values()]), strict=True))


def compare(study: Study, pairs: Sequence[Pair], benchmark: str) -> list[Comparison]:
    """Test each pair on every setting of a benchmark, overall and by query language.

    Groups that share seeds are compared within a seed, with the noise between seeds estimated from all groups of the
    study that have these seeds (`crossed`); others are compared unpaired (`statistics.unpaired`).

    Raises:
        StudyError: trials of a pair were measured on different questions.
    """
    groups = measured_groups(study, benchmark)
    comparisons = [
        Comparison(pair, benchmark, block=block_of(pair.groups, groups), at=_at(pair, groups))
        for pair in pairs
        if all(group in groups for group in pair.groups)
    ]
    results = [result for comparison in comparisons for group in comparison.pair.groups for result in group.results]
    for setting, metrics in shown_metrics(results, benchmark, shared=True).items():
        values = SettingValues(study, benchmark, setting, metrics)
        for comparison in comparisons:
            tested, single = _figures(values, comparison.pair.group.numbers[0])
            for (metric, language), found in _differences(comparison, values, tested).items():
                if language is None:
                    comparison.overall[Figure(setting, metric)] = found
                else:
                    comparison.by_language.setdefault(Figure(setting, metric), {})[language] = found
            comparison.untested.update({Figure(setting, metric): languages for metric, languages in single.items()})
    return comparisons


def _at(pair: Pair, groups: Sequence[Group]) -> str:
    """Return the settings of a pair's group that tell it from other groups of its backbone."""
    if not pair.group.config.steps or pair.confounded:
        return ""
    trained = [group for group in groups if group.config.steps and group.backbone == pair.group.backbone]
    return settings_text(pair.group, (name for name in varied_settings(trained) if name not in pair.compared), trained)


def measured_groups(study: Study, benchmark: str) -> list[Group]:
    """Return the groups whose trials were all measured on a benchmark."""
    groups = groups_of(study.results)
    return [group for group in groups if all(benchmark in result.benchmarks for result in group.results)]


def leading_figures(
    by_benchmark: Mapping[str, Sequence[Comparison]], metric: str | None = None, *, objective: str = LEADING
) -> dict[str, Figure]:
    """Return, for each benchmark that has it, the figure to talk about.

    Args:
        by_benchmark: benchmark -> comparisons.
        metric: as `setting/metric`; without it each benchmark's figure of the objective, else its multilingual mAP,
            else its first figure.
        objective: what trials are selected by, with or without `validation/`.

    Raises:
        StudyError: no benchmark has the metric.
    """
    measured = {
        benchmark: {f"{figure.setting}/{figure.metric}": figure for one in comparisons for figure in one.overall}
        for benchmark, comparisons in by_benchmark.items()
    }
    if metric is None:
        preferred = (objective.removeprefix(f"{VALIDATION}/"), LEADING)
        return {
            benchmark: next((figures[name] for name in preferred if name in figures), next(iter(figures.values())))
            for benchmark, figures in measured.items()
            if figures
        }
    chosen = {benchmark: figures[metric] for benchmark, figures in measured.items() if metric in figures}
    if not chosen:
        known = {name for figures in measured.values() for name in figures}
        raise StudyError(f"metric '{metric}' was not measured on the trials compared: {nearest(metric, known)}")
    return chosen


def crossed_design(block: Block, values: SettingValues) -> Floats:
    """Return the values of a block's trials, (A, S, U, Q)."""
    numbers = [number for trials in block.numbers for number in trials]
    stacked = values.stacked(numbers)
    return stacked.reshape(len(block.groups), len(block.seeds), *stacked.shape[1:])


def _differences(
    comparison: Comparison, values: SettingValues, figures: Mapping[_Key, Sequence[int]]
) -> dict[_Key, Difference]:
    """Return the difference of a pair in each figure: on each metric, overall and by query language."""
    group, baseline = comparison.pair.groups
    both_SUQ = values.stacked([*group.numbers, *baseline.numbers])
    document_Q = values.document_of(group.numbers[0])
    if comparison.block is None:
        # Trials without training are equal whatever their seed: several of them say nothing about noise between seeds.
        own, other = (len(each.results) if each.config.steps else 1 for each in comparison.pair.groups)
        a_SUQ, b_SUQ = both_SUQ[:own], both_SUQ[len(group.results) :][:other]
        compared = unpaired(a_SUQ, b_SUQ, figures, document_Q)
        if group.config.steps or baseline.config.steps:
            return compared
        return {key: replace(each, method=Method.UNTRAINED, seeds=(0, 0)) for key, each in compared.items()}
    block_ASUQ = crossed_design(comparison.block, values)
    place = {member.numbers: number for number, member in enumerate(comparison.block.groups)}
    answers = {}
    for key, units in figures.items():
        crossed = Crossed(contributions(block_ASUQ[:, :, units], document_Q))
        if group.numbers in place and baseline.numbers in place:
            answers[key] = crossed.difference(place[group.numbers], place[baseline.numbers])
        elif group.numbers in place:
            untrained_D = contributions(both_SUQ[len(group.results) :, units], document_Q).values_xD.mean(axis=0)
            answers[key] = crossed.difference_from_untrained(place[group.numbers], untrained_D)
        else:
            untrained_D = contributions(both_SUQ[: len(group.results), units], document_Q).values_xD.mean(axis=0)
            answers[key] = -crossed.difference_from_untrained(place[baseline.numbers], untrained_D)
    return answers


def _figures(held: SettingValues, trial: int) -> tuple[dict[_Key, list[int]], dict[str, tuple[str, ...]]]:
    """Return the units that each figure averages over.

    Returns:
        The units of each figure that can be tested; and for each metric whose average over all languages cannot be,
        the languages that have questions about a single document.
    """
    values, document_Q = held.of(trial), held.document_of(trial)
    figures: dict[_Key, list[int]] = {}
    for number, unit in enumerate(values.units):
        figures.setdefault((unit.metric, None), []).append(number)
        figures.setdefault((unit.metric, unit.query_language), []).append(number)
    single = [key for key, units in figures.items() if smallest_unit(values.values_UQ, units, document_Q) == 1]
    languages: dict[str, list[str]] = {}
    for metric, language in single:
        if language is not None:
            languages.setdefault(metric, []).append(language)
    tested = {key: units for key, units in figures.items() if key not in single}
    return tested, {metric: tuple(sorted(names)) for metric, names in languages.items()}
