"""A search space: fixed values, distributions, objectives and budget. Checks all that can be checked without hardware.

Imports neither torch, Ray nor Optuna.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import pydantic

from study.config import TrialConfig
from study.config_sections import VALIDATION, ValidationConfig
from study.config_values import Frozen
from study.space import fields, selection
from study.space.all_trials import backbone_elsewhere, incomparable, lacking_weight
from study.space.distributions import MOST_TRIALS
from study.space.early_stopping import early_stopping_problem
from study.space.fields import Values
from study.space.file_keys import FileKeys, Sampler
from study.space.leaks import leak
from study.space.selection import Objective, Stopping, check_references
from study.space.spaces import Branch, Space, combinations, draw, grid, overlap, read_points, read_space, untrained
from study.space.strict_yaml import SpaceError, absolute_paths, checked, explain, read
from tasks.errors import UserError
from tasks.paths import user_path
from tasks.plugins import nearest

SHIPPED = Path(__file__).resolve().parents[2] / "search_spaces"
DATABASES = ("sqlite", "postgresql", "mysql")


class Search(Frozen):
    """Which trials there are, and in which order."""

    sampler: Sampler
    trials: int
    """Trials of the study, those stopped early or failed included: zero-shot ones, and `seeds` for each point."""
    seeds: int
    """Trials of every point, which differ in their seed alone: 1 leaves the trial's seed as it is."""
    seed: int
    """Trial n depends on this seed, on n, on the points tried before it and, with TPE, on the results known then."""
    startup: int
    """Finished points before TPE stops drawing at random; first points count."""
    points: tuple[Values, ...]
    """Values of the first points, in order; a grid gives all of them."""
    zero_shot: tuple[Values, ...]
    """Values of the trials that come before all points: each backbone as it is, without a step of training."""
    space: Space


class StudyConfig(Frozen):
    """A checked search space."""

    name: str
    """The file's name without its suffix."""
    source: Mapping[str, Any]
    """The file's content: `parse(source, name)` returns this configuration again."""
    trial: Mapping[str, Any]
    """Values of all trials."""
    search: Search
    objectives: tuple[Objective, ...]
    scheduler: Stopping
    concurrent: int | None
    """Maximum number of trials that run at once; as many as fit by default."""
    storage: str | None
    """URL of the Optuna storage; a SQLite file in the study's folder by default."""
    loggers: tuple[Literal["mlflow", "wandb"], ...]

    @property
    def fixed(self) -> Values:
        """Values under `trial`, by dotted key."""
        return fields.flatten(self.trial)

    def trial_config(self, drawn: Values) -> TrialConfig:
        """Return the whole trial for the values drawn for it.

        Raises:
            pydantic.ValidationError: the values are not allowed together.
        """
        return TrialConfig.model_validate(fields.merge(self.trial, drawn))

    @property
    def draws(self) -> bool:
        """Whether there are other trials than zero-shot ones and those of first and grid points."""
        search = self.search
        return search.trials > len(search.zero_shot) + len(search.points) * search.seeds

    @cached_property
    def examples(self) -> tuple[TrialConfig, ...]:
        """Trials of all first and grid points, others that take all fields' bounds and choices in turn, and zero-shot.

        The others are left out where every trial of the study has a point of its own: they would never be run.

        Raises:
            SpaceError: values that are not allowed together.
        """
        space = self.search.space
        turns = max((len(b.distribution.probes()) for branches in space for b in branches), default=1)
        fixed = self.fixed
        starts: list[tuple[Values, int]] = [(point, 0) for point in self.search.points]
        if self.draws:
            starts += [({}, turn) for turn in range(turns)]
        trained = [draw(space, fixed, partial(_probe, point, turn)) for point, turn in starts]
        return tuple(self._example(drawn) for drawn in (*trained, *self.search.zero_shot))

    def _example(self, drawn: Values) -> TrialConfig:
        try:
            return self.trial_config(drawn)
        except pydantic.ValidationError as error:
            shown = ", ".join(f"{key}={value}" for key, value in drawn.items()) or "these values"
            raise SpaceError(f"trial with {shown}: {explain(TrialConfig, error.errors())}") from None


def _probe(point: Values, turn: int, branch: Branch) -> Any:
    probes = branch.distribution.probes()
    return point.get(branch.key, probes[turn % len(probes)])


def shipped() -> list[str]:
    """Return the names of the search spaces that come with the project."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load(name_or_path: str, started: Mapping[str, Any] | None = None) -> StudyConfig:
    """Read a shipped search space by its name, or any other by its path. Paths in a file are relative to its folder.

    Args:
        name_or_path: the name or the path.
        started: the content that the study was started with, if it is resumed.

    Raises:
        SpaceError: no such file, or something in it, in one sentence that names the key, the value and what is allowed.
    """
    path = user_path(name_or_path)
    if re.fullmatch(r"[\w-]+", name_or_path) and not path.is_file():
        if name_or_path not in shipped():
            raise SpaceError(f"unknown search space '{name_or_path}': {nearest(name_or_path, shipped())}")
        path = SHIPPED / f"{name_or_path}.yaml"
    content = read(path)
    try:
        source = absolute_paths(content, base=path.parent)
    except UserError as error:
        raise SpaceError(f"{path.stem}.yaml: {error}") from None
    config = parse(source, path.stem)
    if started is None or "validation.metric" in fields.flatten(started.get("trial") or {}):
        config = _with_metric(config)  # studies of earlier versions have none
    problem = _without_effect(config)
    if started is None:  # older studies resume
        problem = problem or backbone_elsewhere(config.examples, path.parent) or _of_new_studies(config)
    if problem:
        raise SpaceError(f"{config.name}.yaml: {problem}")
    return config


def _with_metric(config: StudyConfig) -> StudyConfig:
    """Return a study whose objective chooses checkpoints too, unless its search space names a metric for these.

    The metric is written into the content, which is stored with the study, so that a study resumes as it began.
    """
    searched = {branch.key for branches in config.search.space for branch in branches}
    metric = config.objectives[0].metric.removeprefix(f"{VALIDATION}/")
    if "validation.metric" in searched | config.fixed.keys() or metric == ValidationConfig().metric:
        return config
    if VALIDATION in searched:
        raise SpaceError(
            f"{config.name}.yaml: search.space.validation: the objective '{metric}' chooses checkpoints too, and this "
            "would replace it: search a part of it instead, such as validation.every"
        )
    return parse({**config.source, "trial": fields.merge(config.trial, {"validation.metric": metric})}, config.name)


def parse(source: Mapping[str, Any], name: str) -> StudyConfig:
    """Check the content of a search space's file; `name` stands for the file in messages.

    Raises:
        SpaceError: see `load`.
    """
    try:
        keys = checked(FileKeys, source)
        _check_fixed(keys.trial)
        goals = selection.objectives(keys.objective, "objective")
        config = StudyConfig(
            name=name,
            source=source,
            trial=keys.trial,
            search=_search(keys),
            objectives=goals,
            scheduler=selection.stopping(keys.scheduler, goals, "scheduler"),
            concurrent=keys.concurrent,
            storage=keys.storage,
            loggers=keys.loggers,
        )
        _check_storage(keys.storage)
        seen: set[str] = set()
        for trial in config.examples:
            check_references(trial, seen)
    except SpaceError as error:
        raise SpaceError(f"{name}.yaml: {error}") from None
    return config


def _check_storage(url: str | None) -> None:
    scheme = (url or "sqlite://").partition("://")[0]
    if scheme.partition("+")[0] not in DATABASES:
        raise SpaceError(
            f"storage: '{scheme}' is not a database that Optuna can use: write a URL that begins with "
            f"{', '.join(f'{database}://' for database in DATABASES)}"
        )


def _without_effect(config: StudyConfig) -> str | None:
    """Return what is wrong with a setting that has no effect, or not the one that is meant.

    It is not asked in `parse`, so that older studies resume.
    """
    for trial in config.examples:
        corpora = [repr((corpus.name, corpus.options)) for corpus in trial.corpora]
        for name, corpus in zip(corpora, trial.corpora, strict=True):
            if corpora.count(name) > 1:
                return f"trial.corpora: '{corpus.name}' is written twice: to draw it more often, set its weight"
    steps = max(trial.steps for trial in config.examples)
    every = max(trial.validation.every for trial in config.examples)
    if "validation.every" in config.fixed and 0 < steps < every:
        return f"trial.validation.every: {every} is above the {steps} steps of a trial: lower it"
    if problem := incomparable(config.examples):
        return problem
    loss = f"{VALIDATION}/{selection.LOSS}"
    searched = {branch.key for branches in config.search.space for branch in branches}
    if "temperature" in searched and any(objective.metric == loss for objective in config.objectives):
        return (
            f"objective: {loss} cannot rank trials whose temperature is searched, as each computes it at its own: "
            f"write a metric of the ranking, such as {selection.DEFAULT_OBJECTIVE}, or fix the temperature under trial"
        )
    return None


def _of_new_studies(config: StudyConfig) -> str | None:
    """Return what is wrong with a search space that earlier versions accepted."""
    if overlapping := overlap(config.search.space, config.fixed):
        return f"search.space.{overlapping}"
    problem = early_stopping_problem(config.scheduler, config.examples) or leak(config.examples)
    return problem or lacking_weight(config.examples) or _too_many_points(config)


def _too_many_points(config: StudyConfig) -> str | None:
    """Return that a search would train points again, as its space has fewer than it draws."""
    search = config.search
    points = (search.trials - len(search.zero_shot)) // search.seeds
    try:
        different = len(combinations(search.space, config.fixed, points)) if config.draws else points
    except ValueError:  # more, or infinitely many
        return None
    if different < points:
        return f"search.trials: {points} points, and the space has {different}: write 'sampler: grid', or fewer trials"
    return None


def _check_fixed(trial: Mapping[str, Any]) -> None:
    """Refuse fixed values that no searched value can make valid."""
    try:
        TrialConfig.model_validate(trial)
    except pydantic.ValidationError as error:
        problems = [problem for problem in error.errors() if problem["loc"]]
        if problems:
            raise SpaceError(explain(TrialConfig, problems, "trial")) from None


def _search(keys: FileKeys) -> Search:
    search, fixed = keys.search, fields.flatten(keys.trial)
    if search.seeds > 1 and "seed" in search.space:
        raise SpaceError(
            f"search.seeds: {search.seeds} repeats every point with its own seeds, so seed cannot be searched too: "
            "remove it from search.space, or set seeds to 1"
        )
    space = read_space(search.space, fixed, "search.space")
    if search.sampler == "grid":
        if search.first:
            raise SpaceError("search.first: a grid visits every combination: remove 'first', or choose another sampler")
        points = grid(space, fixed, "search.space")
        trials = search.trials or len(points)
        if trials > len(points):
            raise SpaceError(f"search.trials: {trials} is more than the grid's {len(points)} combinations")
    else:
        if not space or search.trials is None:
            missing = "trials" if space else "space"
            raise SpaceError(f"search.{missing}: the sampler '{search.sampler}' needs it")
        points, trials = read_points(search.first, space, fixed, "search.first"), search.trials
        if trials < len(points):
            raise SpaceError(f"search.trials: {trials} is less than the {len(points)} points in 'first'")
    if trials * search.seeds > MOST_TRIALS:
        raise SpaceError(
            f"search.seeds: {search.seeds:,} seeds of {trials:,} points are more than {MOST_TRIALS:,} trials: lower one"
        )
    zero_shot = untrained(space, fixed, "search.zero_shot") if search.zero_shot else ()
    return Search(
        sampler=search.sampler,
        trials=len(zero_shot) + trials * search.seeds,
        seeds=search.seeds,
        seed=search.seed,
        startup=search.startup,
        points=points,
        zero_shot=zero_shot,
        space=space,
    )
