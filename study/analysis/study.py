"""A study as its folder tells it: the search space, the results of its trials, and their positions.

Trials that differ only by seed, and which groups stand for a backbone's way to sample batches.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

import pyarrow as pa

from study.analysis.leaderboard import Result, number, sampling_of, setting_text
from study.results import files, layout
from study.space import study_config
from study.space.selection import better
from tasks.errors import UserError
from tasks.schema import Setting


class StudyError(UserError):
    """A study that cannot be read or compared, in one sentence that says what to do."""


@dataclass(frozen=True)
class Study:
    """Everything a report is made of, but for the positions, which are read as they are needed."""

    folder: str
    description: dict[str, Any]
    """What `study.json` holds."""
    results: tuple[Result, ...]
    """Of the finished trials, by number."""

    @property
    def name(self) -> str:
        """The folder's name, which tells apart two runs of one search space."""
        return self.folder.rstrip("/").rpartition("/")[2]

    @cached_property
    def objective(self) -> str:
        """The metric that trials are selected by."""
        return study_config.parse(self.description["search_space"], self.description["name"]).objectives[0].metric

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Every benchmark that some trial was measured on."""
        return tuple(sorted({name for result in self.results for name in result["benchmarks"]}))

    def positions(self, number: int, benchmark: str) -> pa.Table:
        """Return a trial's positions of the relevant passages (`tasks.scoring.POSITIONS`)."""
        return files.read_table(layout.positions_file(layout.trial_folder(self.folder, number), benchmark))

    def attachment(self, number: int, name: str) -> Any:
        """Return a further JSON file of a trial; None where it has none."""
        path = files.join(layout.trial_folder(self.folder, number), name)
        return files.read_json(path) if files.exists(path) else None


def read_study(folder: str) -> Study:
    """Read a study from its folder or URI.

    Raises:
        StudyError: there is no study, or none of its trials has finished.
    """
    folder = files.absolute(folder)
    record = files.join(folder, layout.STUDY)
    if not files.exists(record):
        raise StudyError(
            f"there is no study in {folder}: it has no {layout.STUDY}; give the folder that study.run named"
        )
    held = tuple(layout.finished(folder))
    if not held:
        raise StudyError(f"the study in {folder} has no finished trial yet: wait for one, or resume it")
    return Study(folder, files.read_json(record), held)


@dataclass(frozen=True)
class Group:
    """One configuration at one or more seeds."""

    results: tuple[Result, ...]
    """By number."""

    @property
    def backbone(self) -> str:
        """The name of what was fine-tuned."""
        return str(self.results[0]["config"]["backbone"])

    @property
    def sampling(self) -> str:
        """X-X-mono, X-Y, hybrid or zero-shot."""
        return sampling_of(self.results[0])

    @property
    def label(self) -> str:
        """The sampling, with its alpha where the name does not tell it."""
        return f"{self.sampling} (alpha {number(self.alpha)})" if self.sampling == "hybrid" else self.sampling

    @property
    def alpha(self) -> float | dict[str, float]:
        """A probability, or a schedule as plain data."""
        alpha: float | dict[str, float] = self.results[0]["config"]["alpha"]
        return alpha

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the trials."""
        return tuple(result["number"] for result in self.results)

    def mean(self, metric: str) -> float | None:
        """Return a figure's mean over seeds; None where a trial has none."""
        values = [result["metrics"].get(metric) for result in self.results]
        return None if None in values else fmean(values)

    def by_language(self, benchmark: str, setting: Setting, metric: str) -> dict[str, float]:
        """Return a figure's mean over seeds by query language, for the languages that all trials have it in."""
        tables = [result["benchmarks"][benchmark]["by_language"].get(setting, {}) for result in self.results]
        return {
            language: fmean(table[language][metric] for table in tables)
            for language in tables[0]
            if all(metric in table.get(language, {}) for table in tables)
        }


def groups_of(results: Iterable[Result]) -> tuple[Group, ...]:
    """Return the trials grouped by everything but their seed, in the order of their first trials."""
    grouped: dict[str, list[Result]] = {}
    for result in results:
        rest = {key: value for key, value in result["config"].items() if key != "seed"}
        grouped.setdefault(json.dumps(rest, sort_keys=True), []).append(result)
    return tuple(Group(tuple(sorted(group, key=lambda result: result["number"]))) for group in grouped.values())


def differing(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return for each configuration the settings in which some differ, alpha and seed aside, as a text."""
    keys = [
        key
        for key in (configs[0] if configs else ())
        if key not in {"alpha", "seed"} and any(one[key] != configs[0][key] for one in configs)
    ]
    return [", ".join(f"{key} {setting_text(one[key])}" for key in keys) for one in configs]


def merit(group: Group, objective: str) -> tuple[float, int]:
    """Return what grows with a group's mean objective; of equals the one begun first is greater."""
    sign = 1 if better(objective) == "maximize" else -1
    mean = group.mean(objective)
    return -float("inf") if mean is None else sign * mean, -group.numbers[0]


def representatives(groups: Sequence[Group], objective: str) -> dict[tuple[str, str], Group]:
    """Return, for each backbone and sampling, the group with most seeds; of those the best by the objective."""
    best: dict[tuple[str, str], Group] = {}
    for group in groups:
        key = (group.backbone, group.sampling)
        best[key] = max(best.get(key, group), group, key=lambda one: (len(one.results), merit(one, objective)))
    return best
