"""One study, run to its end: Tune executes the trials that the searcher hands out and the record keeps."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

from ray import tune
from ray.tune.execution.placement_groups import PlacementGroupFactory
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from study.results import files, layout
from study.runtime import loggers
from study.runtime.progress import Progress
from study.runtime.record import Record
from study.runtime.scheduler import EarlyStopping
from study.runtime.searcher import StudySearcher
from study.runtime.trial import run_trial
from study.space.selection import NoStopping
from study.space.study_config import StudyConfig

TRIAL_FAILURES = 2
"""Times Tune starts a trial again that died of something other than its own settings."""
DRIVER = {"node:__internal_head__": 0.001}
"""A trial's driver takes no CPU from its workers, and lives where a lost worker node cannot take it along."""


def run(config: StudyConfig, record: Record, folder: str, console: Console, at_once: int) -> float:
    """Run every trial of a study that has not ended yet; return the seconds it took.

    Args:
        config: the study.
        record: its trials so far.
        folder: its folder; every node reaches it.
        console: where the live table goes.
        at_once: most trials that run side by side.
    """
    searcher = StudySearcher(config, record)
    if searcher.remaining == 0:
        return 0.0
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # Tune's newer console prints a banner even at verbosity 0
    os.environ["TUNE_PRINT_ALL_TRIAL_ERRORS"] = "0"  # a failed trial is a line of ours, its trace is in its folder
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # Ctrl-C ends the study at once: all that counts is on record
    progress = Progress(console, config.objectives[0].metric, searcher.remaining, at_once)
    tuner = tune.Tuner(
        tune.with_resources(partial(run_trial, study_folder=folder), PlacementGroupFactory([DRIVER])),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=EarlyStopping(searcher),
            num_samples=searcher.remaining,
            max_concurrent_trials=at_once,
            trial_dirname_creator=_dirname,
            # The next trial's driver need not start a process and import Ray Train again. One that is stopped early has
            # to die: its run ends with it and frees the processors, which the next trial would else wait for.
            reuse_actors=isinstance(config.scheduler, NoStopping),
        ),
        run_config=tune.RunConfig(
            name=f"{time.strftime('%Y%m%d-%H%M%S')}",
            storage_path=files.join(folder, layout.TUNE),
            callbacks=[progress, *loggers.callbacks(config, folder)],
            failure_config=tune.FailureConfig(max_failures=TRIAL_FAILURES),
            verbose=0,
        ),
    )
    with progress:
        tuner.fit()
    return progress.seconds


def open_record(config: StudyConfig, url: str, folder: str) -> Record:
    """Open the record of the study in `folder`, by the folder's name."""
    return Record(config, url, folder.rpartition("/")[2])


def storage_failure(error: BaseException) -> str | None:
    """Return what storage said where an error, or one that it was raised for, is storage's; None where it is not."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, (OSError, SQLAlchemyError)):
            return str(found).partition("\n")[0]
        found = found.__cause__ or found.__context__
    return None


def _dirname(trial: Any) -> str:
    return f"{trial.config['number']:04d}"
