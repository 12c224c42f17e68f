"""Loggers of a study: TensorBoard always; MLflow and Weights & Biases if the search space names them.

MLflow and W&B take their server and credentials from their own environment variables (MLFLOW_TRACKING_URI,
WANDB_API_KEY and so on), never from a search space, which is stored with the results.

TensorBoard gets each trial's metrics over its own steps, and its settings as HParams, in <study>/tensorboard/0003/.
Tune's own TensorBoard logger, which this one replaces, writes outside the study's folder, copies every five minutes,
counts reports instead of steps and learns a trial's settings when it ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.logger import TBXLoggerCallback
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.summary import hparams, scalar

from study.config import SEPARATOR, TrialConfig
from study.config_sections import VALIDATION
from study.results import files, layout
from study.runtime.messages import Assignment, Failure, FinalReport, TrainingReport, finite, read_report
from study.space.fields import flatten
from study.space.study_config import StudyConfig
from tasks.errors import UserError

MLFLOW = "mlflow.db"
"""MLflow's SQLite file in a study's folder, unless MLFLOW_TRACKING_URI is set."""
ALWAYS = ("backbone", "alpha", "temperature", "learning_rate", "batch_size", "steps", "seed")
"""Settings shown for every trial, besides those that are searched."""
AssignmentOf = Callable[[str], Assignment]
"""Returns the assignment behind one of Tune's trial ids."""


class LoggerError(UserError):
    """A logger that cannot be used, in one sentence."""


def first_sentence(error: Exception) -> str:
    """Return the first sentence of an error's text, without its full stop."""
    return str(error).partition("\n")[0].partition(". ")[0].rstrip(".")


def callbacks(config: StudyConfig, folder: str, assignment_of: AssignmentOf) -> list[Callback]:
    """Return the loggers of the study in `folder`; Tune calls them on the machine that drives the study."""
    name, local = folder.rpartition("/")[2], files.is_local(folder)
    loggers: list[Callback] = [TensorBoard(config, folder, assignment_of)] if local else []
    if "mlflow" in config.loggers:
        default = f"sqlite:///{folder}/{MLFLOW}" if local else None
        loggers.append(MLflow(os.environ.get("MLFLOW_TRACKING_URI", default), experiment_name=name))
    if "wandb" in config.loggers:
        from study.runtime.wandb_logger import WeightsAndBiases  # noqa: PLC0415 - Ray's warns where wandb is missing

        project = os.environ.get("WANDB_PROJECT", config.name)
        loggers.append(WeightsAndBiases(project, name, layout.read_study(folder).id, assignment_of))
    return loggers


def plain(name: str) -> str:
    """Return a metric's name without `@`, which other tools refuse or rewrite: `ndcg@10` is `ndcg_at_10`."""
    return name.replace("@", "_at_")


ITERATION = "training_iteration"
"""The key of Tune's results that Ray's loggers of MLflow and W&B draw metrics over."""


def logged(report: TrainingReport | FinalReport) -> dict[str, float]:
    """Return a report's finite metrics by the names that loggers get.

    A final report repeats the validation of the best step, which is not the figure of the last one: names of these
    figures start with `best/`.
    """
    best = "best/" if isinstance(report, FinalReport) and report.step else ""
    return {
        f"{best if name.startswith(f'{VALIDATION}{SEPARATOR}') else ''}{plain(name)}": value
        for name, value in finite(report.metrics).items()
    }


class MLflow(MLflowLoggerCallback):
    """Ray's MLflow logger, with metric names that MLflow accepts, over the steps of training."""

    def setup(self, *arguments: Any, **named: Any) -> None:
        """Connect to the tracking server.

        Raises:
            LoggerError: MLflow refuses.
        """
        try:
            super().setup(*arguments, **named)  # type: ignore[no-untyped-call]  # Ray's
        except Exception as error:  # a plugin's or a database's own
            raise LoggerError(
                f"loggers: MLflow cannot be used ({first_sentence(error)}): set MLFLOW_TRACKING_URI to a server or "
                "database that it can use, or remove 'mlflow' from the search space"
            ) from error

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """Log a report's metrics at its step."""
        report = read_report(result)
        if not isinstance(report, Failure):
            super().log_trial_result(iteration, trial, {**logged(report), ITERATION: report.step})

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        """End a trial's run, if it has one: a trial whose drivers all died before they had started has none."""
        if trial in self._trial_runs:
            super().log_trial_end(trial, failed)


class EventFile:
    """A file of TensorBoard events, written before `add` returns.

    tensorboardX's SummaryWriter writes in a thread. If that thread fails, for example on a full disk, no error is
    raised, and adding more than ten events blocks forever.

    Args:
        folder: where the file goes; made if it is missing.
    """

    def __init__(self, folder: str) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._writer = EventsWriter(files.join(folder, "events"))

    def add(self, *summaries: Summary, step: int = 0) -> None:
        """Append summaries.

        Raises:
            OSError: they cannot be written.
        """
        for summary in summaries:
            self._writer.write_event(Event(summary=summary, wall_time=time.time(), step=step))
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class TensorBoard(TBXLoggerCallback):
    """Writes what trials report. It derives from Tune's own TensorBoard logger, which Tune then does not add.

    Args:
        config: the study.
        folder: its folder, on this machine.
        assignment_of: returns the assignment behind one of Tune's trial ids.
    """

    def __init__(self, config: StudyConfig, folder: str, assignment_of: AssignmentOf) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        searched = (branch.key for branches in config.search.space for branch in branches)
        self._names = tuple(dict.fromkeys((*ALWAYS, *searched)))
        self._folder, self._assignment_of = folder, assignment_of
        self._files: dict[int, EventFile] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return no state: Tune pickles callbacks, but a resumed study creates new ones."""
        return {}

    def log_trial_start(self, trial: Trial) -> None:
        """Write a trial's settings, unless this is a retry."""
        assignment = self._assignment_of(trial.trial_id)
        if assignment.number not in self._files:
            folder = files.join(self._folder, layout.TENSORBOARD, f"{assignment.number:04d}")
            self._files[assignment.number] = EventFile(folder)
            _, start, _ = hparams(self._settings(assignment.trial), {})
            self._files[assignment.number].add(start)

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """Write a report's metrics at its step."""
        report = read_report(result)
        if not isinstance(report, Failure):
            metrics = [scalar(name, value) for name, value in logged(report).items()]
            self._files[self._assignment_of(trial.trial_id).number].add(*metrics, step=report.step)

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        """Mark a trial as ended, unless it failed, perhaps without a start: a resumed study writes another file."""
        ended = self._files.pop(self._assignment_of(trial.trial_id).number, None)
        if ended is None:
            return
        if not failed:
            _, _, end = hparams({}, {})
            ended.add(end)
        ended.close()

    def _settings(self, trial: TrialConfig) -> dict[str, str | float]:
        """Return a trial's settings by dotted name; HParams accept numbers and text only."""
        values = flatten(trial.model_dump(mode="json"))
        shown = {name: values[name] for name in self._names if values.get(name) is not None}
        return {name: value if isinstance(value, int | float | str) else str(value) for name, value in shown.items()}
