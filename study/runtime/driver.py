"""Runs a study to its end: Tune executes the trials that the searcher assigns, and the record stores them."""

from __future__ import annotations

import logging
import os
import time
from functools import partial
from typing import Any

from optuna.trial import TrialState
from ray import tune
from rich.console import Console

from study import cli
from study.results import files, layout
from study.runtime import loggers, ray_internals
from study.runtime.messages import trial_number
from study.runtime.progress import Counts, Progress
from study.runtime.record import Record
from study.runtime.scheduler import EarlyStopping
from study.runtime.searcher import StudySearcher
from study.runtime.trial import run_trial
from study.space.selection import NoStopping
from study.space.study_config import StudyConfig

logger = logging.getLogger(__name__)
TRIAL_FAILURES = 2
"""How often Tune retries a trial that died of something other than its own settings."""
DRIVER = {"node:__internal_head__": 0.001}
"""A trial's driver takes no CPU from its workers and runs on the head, so that losing a worker node does not end it."""


def run(config: StudyConfig, record: Record, folder: str, console: Console, at_once: int) -> bool:
    """Run every trial of a study that has not ended; return whether there was one.

    Args:
        config: the study.
        record: its trials so far.
        folder: its folder, reachable from every node.
        console: where the live table goes.
        at_once: most trials that run side by side.
    """
    searcher = StudySearcher(config, record, at_once)
    _clear_stopped(record, folder)
    if searcher.remaining == 0:
        return False
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # its newer console prints a banner even at verbosity 0
    os.environ["TUNE_PRINT_ALL_TRIAL_ERRORS"] = "0"  # we print one line; the trace is in the trial's folder
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # Ctrl-C ends the study at once: the record is complete
    ray_internals.survive_memory_monitor()
    progress = Progress(
        console,
        config.objectives[0].metric,
        Counts(searcher.ended + searcher.remaining, searcher.ended, at_once),
        searcher.assignment,
        partial(layout.trial_folder, folder),
    )
    tuner = tune.Tuner(
        tune.with_resources(partial(run_trial, study_folder=folder), tune.PlacementGroupFactory([DRIVER])),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=EarlyStopping(searcher, folder),
            num_samples=searcher.remaining,
            max_concurrent_trials=at_once,
            trial_dirname_creator=_dirname,
            # Spares the next trial's driver a process and its imports. With early stopping the driver has to die: its
            # run ends with it and frees the processors, for which the next trial would otherwise wait.
            reuse_actors=isinstance(config.scheduler, NoStopping),
        ),
        run_config=tune.RunConfig(
            name=f"{time.strftime('%Y%m%d-%H%M%S')}",
            storage_path=files.join(folder, layout.TUNE),
            callbacks=[progress, ReleaseEnded(folder), *loggers.callbacks(config, folder, searcher.assignment)],
            failure_config=tune.FailureConfig(max_failures=TRIAL_FAILURES),
            verbose=0,
        ),
    )
    with progress:
        tuner.fit()
    if searcher.gave_up:
        cli.say(
            console,
            f"no more trials are drawn, as {searcher.gave_up} in a row could not be finished and the sampler learns "
            "nothing from those: repair what they say, and resume",
        )
    _clear_stopped(record, folder)
    return True


def _clear_stopped(record: Record, folder: str) -> None:
    """Remove what trials that were stopped early have left: they never go on, and their results would be shown.

    Workers train on until the decision reaches them, and outlive a driver that was killed: a short trial may end first.
    """
    for trial in record.trials():
        if trial.state == TrialState.PRUNED:
            place = layout.trial_folder(folder, trial.number)
            try:
                for name in (*layout.checkpoints(place), layout.RESULT):
                    files.remove(files.join(place, name))
            except OSError as error:  # a worker is still writing; the next run removes it
                logger.warning("warning: %s is not removed yet (%s)", place, error)


class ReleaseEnded(tune.Callback):
    """Releases the placement groups of trials that have ended, among them those that the scheduler stopped.

    The driver of a stopped trial leaves its group behind when it dies, some time after Tune counts the trial as ended:
    so this looks again at every step of Tune, once per second, until the study ends.
    """

    _EVERY_S = 1.0

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._ended: set[str] = set()
        self._looked = 0.0

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Remember a trial that completed or was stopped."""
        self._remember(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Remember a trial that failed for good."""
        self._remember(trial)

    def _remember(self, trial: Any) -> None:
        self._ended.add(layout.trial_folder(self._folder, trial_number(trial.config)))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Release what ended trials have left."""
        if self._ended and time.monotonic() - self._looked > self._EVERY_S:
            ray_internals.release(*self._ended)
            self._looked = time.monotonic()


def _dirname(trial: Any) -> str:
    return f"{trial_number(trial.config):04d}"
