"""Rankings of trials: all, the best setting of each way to sample batches, the Pareto front of several objectives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from study.analysis import formats
from study.analysis.groups import SAMPLINGS, Group, groups_of, ranked, sampling_of
from study.analysis.shown_metrics import shown_metrics
from study.analysis.tables import Cell, Table, number_cell, setting_cell, text_cells
from study.config import TrialConfig
from study.results.trial_result import TrialResult
from study.space.selection import Objective
from tasks.schema import Setting

SHORT = {Setting.MONOLINGUAL: "mono", Setting.CROSSLINGUAL: "cross", Setting.MULTILINGUAL: "multi"}
FRONT = "pareto.json"
"""File in the folder of a study with several objectives."""
MARK = "●"
_TEXTS = frozenset({"front", "backbone", "batches"})
_SETTINGS = frozenset({"backbone", "batches", "alpha", "temperature", "seed"})


def trials_table(results: Sequence[TrialResult], objective: Objective, benchmark: str, seeds: int = 1) -> Table:
    """Return all trials, best first by the objective, with their scores on one benchmark."""
    columns = _columns(benchmark, results)
    names, others = formats.short_names(result.config.backbone for result in results), _other_settings(results)
    settings = ("alpha", "temperature", *others, "seed")
    groups = groups_of(results)
    over_seeds = ("mean over seeds",) if any(len(group.results) > 1 for group in groups) else ()
    headings = ("trial", "backbone", "batches", *settings, *over_seeds, _heading(objective))
    rows = []
    for place, result in enumerate(ranked(results, objective, seeds)):
        mean = _group_of(result, groups).mean(objective.metric)
        cells = (
            setting_cell(result.number),
            *text_cells(names[result.config.backbone], sampling_of(result.config, result.training_languages)),
            *_settings(result.config, *settings),
            *(number_cell(mean, formats.decimals(objective.metric)) for _ in over_seeds),
            number_cell(result.metrics[objective.metric], formats.decimals(objective.metric)),
            *_scores(result, benchmark, columns),
        )
        rows.append(tuple(cell._replace(strong=place == 0) for cell in cells))
    by = ", ".join((objective.metric, *over_seeds))
    title = f"Trials, best first by {by}; scores on {benchmark}"
    return Table(title, (*headings, *_headings(columns)), tuple(rows), _TEXTS, settings=_SETTINGS.union(others))


def samplings_table(results: Sequence[TrialResult], objective: Objective, benchmark: str, seeds: int = 1) -> Table:
    """Return, per backbone, the best setting by the objective of each way to sample batches; means over its seeds."""
    columns = _columns(benchmark, results)
    names = formats.short_names(result.config.backbone for result in results)
    groups = groups_of(results)
    rows = []
    for backbone, name in sorted(names.items()):
        for sampling in SAMPLINGS:
            alike = [
                r
                for r in results
                if r.config.backbone == backbone and sampling_of(r.config, r.training_languages) == sampling
            ]
            for best in ranked(alike, objective, seeds)[:1]:
                group = _group_of(best, groups)
                means = ((metric, group.mean(f"{benchmark}/{setting}/{metric}")) for setting, metric in columns)
                cells = (
                    *text_cells(name, sampling, str(len(alike)), formats.some_of([*map(str, group.numbers)])),
                    *_settings(best.config, "alpha", "temperature"),
                    *(number_cell(mean, formats.decimals(metric)) for metric, mean in means),
                )
                rows.append(cells)
    several = any(len(group.results) > 1 for group in groups)
    means_of = ", means over its seeds" if several else ""
    title = f"Ways to sample batches on {benchmark}: the best setting of each by {objective.metric}{means_of}"
    headings = ("backbone", "batches", "trials", "best", "alpha", "temperature", *_headings(columns))
    return Table(title, headings, tuple(rows), _TEXTS, keys=2, settings=_SETTINGS)


def _group_of(result: TrialResult, groups: Sequence[Group]) -> Group:
    return next(group for group in groups if group.holds(result.number))


def _other_settings(results: Sequence[TrialResult]) -> tuple[str, ...]:
    """Return the other settings in which trained trials differ, apart from those that are no number or word."""
    configs = [result.config for result in results if result.config.steps]
    names = (name for name in TrialConfig.model_fields if name not in {*_SETTINGS, "mixing"})
    values = {name: {repr(getattr(config, name)): getattr(config, name) for config in configs} for name in names}
    return tuple(
        name
        for name, different in values.items()
        if len(different) > 1 and all(isinstance(value, int | float | str | None) for value in different.values())
    )


def _settings(config: TrialConfig, *names: str) -> tuple[Cell, ...]:
    """Return settings of training; dashes for a model that was not trained."""
    return tuple(setting_cell(getattr(config, name)) if config.steps else number_cell(None) for name in names)


def _columns(benchmark: str, results: Sequence[TrialResult]) -> list[tuple[Setting, str]]:
    """Return the first metric of each setting, then the others of the multilingual one."""
    shown = shown_metrics(results, benchmark)
    first = [(setting, metrics[0]) for setting, metrics in shown.items()]
    return [*first, *((Setting.MULTILINGUAL, name) for name in shown.get(Setting.MULTILINGUAL, ())[1:])]


def _heading(objective: Objective) -> str:
    """Return an objective as a heading, such as `validation multi mAP`."""
    source, *between, metric = objective.metric.split("/")
    return " ".join((source, *(SHORT[Setting(setting)] for setting in between), formats.metric_name(metric)))


def _headings(columns: Sequence[tuple[Setting, str]]) -> list[str]:
    return [f"{SHORT[setting]} {formats.metric_name(metric)}" for setting, metric in columns]


def _scores(result: TrialResult, benchmark: str, columns: Sequence[tuple[Setting, str]]) -> list[Cell]:
    values = ((metric, result.metrics.get(f"{benchmark}/{setting}/{metric}")) for setting, metric in columns)
    return [number_cell(value, formats.decimals(metric)) for metric, value in values]


def front(results: Sequence[TrialResult], objectives: Sequence[Objective]) -> list[TrialResult]:
    """Return the trials that no other trial dominates: none is as good in every objective and better in one."""
    measured = _with_all(results, objectives)
    signs = np.array([1.0 if objective.direction == "maximize" else -1.0 for objective in objectives])
    values = np.array([[result.metrics[o.metric] for o in objectives] for result in measured])
    dominated = _dominated(values.reshape(-1, len(signs)) * signs)
    return [result for result, is_dominated in zip(measured, dominated, strict=True) if not is_dominated]


def _with_all(results: Sequence[TrialResult], objectives: Sequence[Objective]) -> list[TrialResult]:
    return [result for result in results if all(objective.metric in result.metrics for objective in objectives)]


def _dominated(values_TO: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return for each of T trials whether another dominates it in O objectives, more being better."""
    at_least = (values_TO[:, None] >= values_TO[None]).all(2)
    better = (values_TO[:, None] > values_TO[None]).any(2)
    return np.asarray((at_least & better).any(0), np.bool_)


def front_table(results: Sequence[TrialResult], objectives: Sequence[Objective], seeds: int = 1) -> Table:
    """Return all trials, those on the front first and marked, each part best first by the first objective."""
    on_front = {result.number for result in front(results, objectives)}
    names = formats.short_names(result.config.backbone for result in results)
    rows = []
    best_first = ranked(_with_all(results, objectives), objectives[0], seeds)
    for result in sorted(best_first, key=lambda result: result.number not in on_front):
        marked = result.number in on_front
        cells = (
            *text_cells(str(result.number), MARK if marked else ""),
            *text_cells(names[result.config.backbone], sampling_of(result.config, result.training_languages)),
            *_settings(result.config, "alpha", "temperature"),
            *(number_cell(result.metrics[o.metric], formats.decimals(o.metric)) for o in objectives),
        )
        rows.append(tuple(cell._replace(strong=marked) for cell in cells))
    title = f"Pareto front ({MARK}): trials that no other matches in every objective and beats in one"
    headings = ("trial", "front", "backbone", "batches", "alpha", "temperature")
    return Table(title, (*headings, *map(_heading, objectives)), tuple(rows), _TEXTS, settings=_SETTINGS)


def front_data(results: Sequence[TrialResult], objectives: Sequence[Objective]) -> dict[str, Any]:
    """Return the front as plain data for JSON."""
    return {
        "objectives": [objective.model_dump() for objective in objectives],
        "front": [
            {"number": result.number, "values": {o.metric: result.metrics[o.metric] for o in objectives}}
            for result in front(results, objectives)
        ],
    }
