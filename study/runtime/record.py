"""The record of a study: an Optuna study, to which each trial is added in one transaction.

A trial is RUNNING from its start until its outcome is recorded: COMPLETE, PRUNED (stopped early) or FAIL (it diverged,
or its values are not allowed together). A trial that ends for any other reason stays RUNNING, and a resumed study
continues it. User attributes: `trial`, the whole configuration; `error`, why it ended; `stopped`, the step after which
the scheduler stopped it; and every final metric under its own key.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from study.config import TrialConfig
from study.runtime.sampling import Drawn
from study.space.fields import flatten
from study.space.selection import Asha, Hyperband, Median, Stopping
from study.space.strict_yaml import SpaceError
from study.space.study_config import StudyConfig

STOPPED = "stopped"
_IDENTITY = "study"
_SQLITE_WAITS_S = 60
_MAY_CHANGE = ("search.trials", "concurrent", "storage", "loggers")


class Record:
    """A study's trials in an Optuna storage, by number."""

    def __init__(self, config: StudyConfig, url: str, name: str, started: Mapping[str, Any] | None = None) -> None:
        """Open the study `name` in the storage at `url`, or create it.

        Args:
            config: the study.
            url: of the storage.
            name: the study's name there.
            started: the search space that it was started with, if the storage has lost it.

        Raises:
            SpaceError: the study was started with another search space.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # A dashboard locks a SQLite file while it reads; a database server may close an idle connection.
        local = url.startswith("sqlite")
        options = {"connect_args": {"timeout": _SQLITE_WAITS_S}} if local else {"pool_pre_ping": True}
        kept = config.scheduler.startup if isinstance(config.scheduler, Asha) else 0
        self._never_stopped = len(config.search.zero_shot) + kept
        self._storage = RDBStorage(url, engine_kwargs=options)
        self.study = optuna.create_study(
            storage=self._storage,
            study_name=name,
            directions=[objective.direction for objective in config.objectives],
            sampler=optuna.samplers.RandomSampler(),  # not used: `study.runtime.sampling` draws
            pruner=_pruner(config.scheduler, len(config.search.zero_shot)),
            load_if_exists=True,
        )
        self._study_id = self._storage.get_study_id_from_name(name)
        self._check_same(config, started)
        with warnings.catch_warnings():
            # Names of the axes in optuna-dashboard; nothing else depends on them.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study.set_metric_names([objective.metric for objective in config.objectives])

    @property
    def identity(self) -> str:
        """What tells the study from others that have its name in the storage; empty in studies of earlier versions."""
        return str(self.study.user_attrs.get(_IDENTITY, ""))

    def identify(self, identity: str) -> None:
        """Store what tells the study from others."""
        self.study.set_user_attr(_IDENTITY, identity)

    def _check_same(self, config: StudyConfig, started: Mapping[str, Any] | None) -> None:
        stored = self.study.user_attrs.get("search_space")
        before = started if stored is None else stored
        if before is not None:
            _refuse_changes(before, config, self.study.study_name)
        if stored is None:
            # Without the storage's URL: it may contain a password, and optuna-dashboard shows every attribute.
            source = {key: value for key, value in config.source.items() if key != "storage"}
            self.study.set_user_attr("search_space", source)

    def trials(self) -> list[FrozenTrial]:
        """Return all trials, by number."""
        return self.study.get_trials(deepcopy=False)

    def trial(self, number: int) -> FrozenTrial:
        """Return one trial in its present state."""
        return self._storage.get_trial(self._id(number))

    def begin(self, drawn: Drawn, trial: TrialConfig) -> int:
        """Add a running trial in one transaction and return its number."""
        return self._add(drawn, {"trial": trial.model_dump(mode="json")}, TrialState.RUNNING)

    def reject(self, drawn: Drawn, reason: str) -> None:
        """Add a failed trial, whose values are not allowed together."""
        self._add(drawn, {"error": reason}, TrialState.FAIL)

    def _add(self, drawn: Drawn, attributes: dict[str, Any], state: TrialState) -> int:
        trial = optuna.trial.create_trial(
            state=state, params=drawn.params, distributions=drawn.distributions, user_attrs=attributes
        )
        trial_id = self._storage.create_new_trial(self._study_id, trial)
        return self._storage.get_trial_number_from_id(trial_id)

    def report(self, number: int, step: int, value: float) -> bool:
        """Record an intermediate score; return whether it is new (a resumed trial repeats some steps)."""
        if step in self.trial(number).intermediate_values:
            return False
        self._storage.set_trial_intermediate_value(self._id(number), step, value)
        return True

    def prune(self, number: int) -> bool:
        """Record the trial as stopped early if the pruner decides so; return whether it does.

        A pruner writes to the storage while it decides, and would decide differently if asked again. The decision is
        therefore made on a copy and recorded before anything else, so that a kill at any moment does not change it.
        """
        trial = self.trial(number)
        stops = STOPPED in trial.user_attrs or self._stops(number)
        if stops:
            self._storage.set_trial_user_attr(self._id(number), STOPPED, trial.last_step)
        self.study.pruner.prune(self.study, trial)
        if stops:
            self.study.tell(number, state=TrialState.PRUNED)
        return stops

    def _stops(self, number: int) -> bool:
        if isinstance(self.study.pruner, NopPruner) or number < self._never_stopped:
            return False
        copy = optuna.create_study(study_name=self.study.study_name, directions=self.study.directions)
        copy.add_trials(self.study.get_trials(deepcopy=True))
        return self.study.pruner.prune(copy, copy.trials[number])

    def complete(self, number: int, values: Sequence[float], metrics: Mapping[str, float]) -> None:
        """Record a finished trial: the values of its objectives and all final metrics."""
        for key, value in metrics.items():
            self._storage.set_trial_user_attr(self._id(number), key, value)
        self.study.tell(number, list(values))

    def fail(self, number: int, reason: str) -> None:
        """Record a trial that cannot be finished, however often it is started."""
        self.note(number, reason)
        self.study.tell(number, state=TrialState.FAIL)

    def note(self, number: int, error: str | None) -> None:
        """Record what interrupted a running trial, or None once it runs again."""
        self._storage.set_trial_user_attr(self._id(number), "error", error)

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)


def _refuse_changes(before: Mapping[str, Any], config: StudyConfig, name: str) -> None:
    """Refuse a search space that is not the one that a study was started with.

    Raises:
        SpaceError: it is not.
    """
    then, now = flatten(before), flatten(config.source)
    for key in sorted(then.keys() | now.keys()):
        by_parts = isinstance(then.get(key), Mapping) and isinstance(now.get(key), Mapping)
        if then.get(key) != now.get(key) and key not in _MAY_CHANGE and not by_parts:
            raise SpaceError(
                f"{config.name}.yaml: '{key}' is {now.get(key)!r} but the study '{name}' was "
                f"started with {then.get(key)!r}: put it back, or start a new study with another --name"
            )
    for key in ("search.space", "search.first"):
        orders = [list(each[key]) for each in (then, now) if isinstance(each.get(key), Mapping)]
        if len(orders) == 2 and orders[0] != orders[1]:
            raise SpaceError(
                f"{config.name}.yaml: '{key}' names {', '.join(orders[1])}, and the study was started with the "
                f"order {', '.join(orders[0])}, which decides what point comes next: put that back, or start a new "
                "study with another --name"
            )


def storage_failure(error: BaseException) -> str | None:
    """Return the first line of the storage error behind `error`, or None if storage did not cause it."""
    cause: BaseException | None = error
    seen: list[BaseException] = []
    while cause is not None and cause not in seen:  # Ray raises errors whose causes are a circle
        if isinstance(cause, (OSError, SQLAlchemyError)):
            return str(cause).partition("\n")[0]
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return None


def _pruner(stopping: Stopping, untrained: int) -> BasePruner:
    if isinstance(stopping, Asha):
        return SuccessiveHalvingPruner(stopping.min_steps, stopping.reduction_factor)
    if isinstance(stopping, Median):
        # Optuna counts every trial that has ended, the untrained ones among them, which have no score at any step.
        return MedianPruner(stopping.startup + untrained, stopping.min_steps)
    if isinstance(stopping, Hyperband):
        return HyperbandPruner(stopping.min_steps, stopping.max_steps, stopping.reduction_factor)
    return NopPruner()
