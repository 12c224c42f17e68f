"""Draws trial n as a function of the seed, n and earlier trials, so that an interrupted study draws the same ones."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from study.config import TrialConfig
from study.space.distributions import Categorical, Float, Int
from study.space.fields import Values
from study.space.spaces import Branch, column_name, draw
from study.space.study_config import Search, StudyConfig

_DRAWS = 50
"""Times that a new point is drawn if each was tried before; a small space may have no other."""
_TPE_DRAWS = 10
"""So many of them are TPE's, which may insist on the points that it believes in; the others are random."""


class Drawn(NamedTuple):
    """The values of a trial's fields, and the same values as Optuna stores them."""

    values: dict[str, Any]
    """Values by dotted trial field."""
    params: dict[str, Any]
    """Values, or a categorical's labels, by branch name."""
    distributions: dict[str, BaseDistribution]


def draw_trial(
    config: StudyConfig, number: int, earlier: Sequence[FrozenTrial], params: Mapping[str, Any] | None = None
) -> Drawn:
    """Return trial `number`, a pure function of the arguments; grids and random search do not use results of `earlier`.

    The trial is drawn from a copy of the study in memory, so that the storage never contains half a trial.
    The trials of a point follow each other: the first draws its values, the others repeat them with the next seeds.
    A new point that equals an earlier one is drawn again, as its trial would tell nothing new.
    Zero-shot trials come first. They have no parameters, and others are drawn as if they were not there.

    Args:
        config: the study.
        number: of the trial.
        earlier: all trials before it.
        params: its values as Optuna stores them, if they have been drawn before.
    """
    search = config.search
    if number < len(search.zero_shot):
        return Drawn(dict(search.zero_shot[number]), {}, {})
    number, earlier = number - len(search.zero_shot), earlier[len(search.zero_shot) :]
    point, repetition = divmod(number, search.seeds)
    if params is None and repetition:
        params = earlier[number - repetition].params
    elif params is None and point < len(search.points):
        params = _params(search, search.points[point])
    tried = [trial.params for trial in earlier]
    for attempt in range(_DRAWS):
        drawn = _draw(config, _sampler(search, number, attempt), earlier, params)
        if params is not None or drawn.params not in tried:
            break
    if search.seeds > 1:
        drawn.values["seed"] = int(config.fixed.get("seed", TrialConfig.model_fields["seed"].default)) + repetition
    return drawn


def _draw(
    config: StudyConfig, sampler: BaseSampler, earlier: Sequence[FrozenTrial], params: Mapping[str, Any] | None
) -> Drawn:
    """Return a draw from a copy of the study in memory; `params` are values that are given."""
    copy = optuna.create_study(directions=[objective.direction for objective in config.objectives], sampler=sampler)
    copy.add_trials([trial for trial in earlier if trial.state != TrialState.WAITING])
    if params is not None:
        # Studies of earlier versions have stored names of any length.
        copy.enqueue_trial({column_name(name): value for name, value in params.items()})
    trial = copy.ask()
    stored: dict[str, Any] = {}

    def choose(branch: Branch) -> Any:
        value, stored[branch.name] = _suggest(trial, branch)
        return value

    return Drawn(draw(config.search.space, config.fixed, choose), stored, trial.distributions)


def _sampler(search: Search, number: int, attempt: int) -> BaseSampler:
    entropy = [search.seed, number, *([attempt] if attempt else [])]
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    if not search.sampler.startswith("tpe") or attempt >= _TPE_DRAWS:
        return RandomSampler(seed)
    grouped = search.sampler == "tpe-multivariate"
    with warnings.catch_warnings():
        # The search space asks for grouping, which has been in Optuna since version 2.8, by name.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(
            seed=seed, n_startup_trials=search.startup * search.seeds, multivariate=grouped, group=grouped
        )


def _params(search: Search, point: Values) -> dict[str, Any]:
    """Return a point by its branches' names; Optuna uses the branch of a field that it is asked for."""
    return {
        branch.name: _label(branch, point[branch.key])
        for branches in search.space
        for branch in branches
        if branch.key in point
    }


def _label(branch: Branch, value: Any) -> Any:
    distribution = branch.distribution
    if not isinstance(distribution, Categorical) or value not in distribution.choices:
        return value
    return distribution.labels[distribution.choices.index(value)]


def _suggest(trial: optuna.Trial, branch: Branch) -> tuple[Any, Any]:
    """Return the field's value, and the value that Optuna stores for it."""
    name, distribution = branch.name, branch.distribution
    if isinstance(distribution, Categorical):
        label = trial.suggest_categorical(name, distribution.labels)
        return distribution.choices[distribution.labels.index(label)], label
    low, high, step, log = distribution.low, distribution.high, distribution.step, distribution.log
    if isinstance(distribution, Int):
        whole = trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step, log=log)
        return whole, whole
    assert isinstance(distribution, Float)
    real = distribution.place(trial.suggest_float(name, low, high, step=step, log=log))
    return real, real
