"""Loggers of a study: TensorBoard always; MLflow and Weights & Biases if the search space names them.

MLflow and W&B take their server and credentials from their own environment variables (MLFLOW_TRACKING_URI,
WANDB_API_KEY and so on), never from a search space, which is stored with the results.

TensorBoard gets each trial's metrics over its own steps, and its settings as HParams, in <study>/tensorboard/0003/.
Tune's own TensorBoard logger writes outside the study's folder, copies every five minutes, counts reports instead of
steps and learns a trial's settings when it ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune import Callback
from ray.tune.experiment import Trial
from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from study.config import TrialConfig
from study.results import files, layout
from study.runtime.messages import Assignment, Failure, finite, read_report
from study.space.fields import flatten
from study.space.study_config import StudyConfig

MLFLOW = "mlflow.db"
"""MLflow's SQLite file in a study's folder, unless MLFLOW_TRACKING_URI is set."""
ALWAYS = ("backbone", "alpha", "temperature", "learning_rate", "batch_size", "steps", "seed")
"""Settings shown for every trial, besides those that are searched."""
_FLUSH_S = 5
AssignmentOf = Callable[[str], Assignment]
"""Returns the assignment behind one of Tune's trial ids."""


def callbacks(config: StudyConfig, folder: str, assignment_of: AssignmentOf) -> list[Callback]:
    """Return the loggers of the study in `folder`; Tune calls them on the machine that drives the study."""
    name, local = folder.rpartition("/")[2], files.is_local(folder)
    loggers: list[Callback] = [TensorBoard(config, folder, assignment_of)] if local else []
    if "mlflow" in config.loggers:
        default = f"sqlite:///{folder}/{MLFLOW}" if local else None
        loggers.append(MLflow(os.environ.get("MLFLOW_TRACKING_URI", default), experiment_name=name))
    if "wandb" in config.loggers:
        from ray.air.integrations.wandb import WandbLoggerCallback  # noqa: PLC0415 - warns where wandb is missing

        loggers.append(WandbLoggerCallback(project=os.environ.get("WANDB_PROJECT", config.name), group=name))
    return loggers


def plain(name: str) -> str:
    """Return a metric's name without `@`, which other tools refuse or rewrite: `ndcg@10` is `ndcg_at_10`."""
    return name.replace("@", "_at_")


class MLflow(MLflowLoggerCallback):
    """Ray's MLflow logger, with metric names that MLflow accepts."""

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """Log a report."""
        super().log_trial_result(iteration, trial, {plain(key): value for key, value in result.items()})


class TensorBoard(Callback):
    """Writes what trials report.

    Args:
        config: the study.
        folder: its folder, on this machine.
        assignment_of: returns the assignment behind one of Tune's trial ids.
    """

    def __init__(self, config: StudyConfig, folder: str, assignment_of: AssignmentOf) -> None:
        super().__init__()
        searched = (branch.key for branches in config.search.space for branch in branches)
        self._names = tuple(dict.fromkeys((*ALWAYS, *searched)))
        self._folder, self._assignment_of = folder, assignment_of
        self._writers: dict[int, SummaryWriter] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return no state: Tune pickles callbacks, but a resumed study creates new ones."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Write a trial's settings, unless this is a retry."""
        assignment = self._assignment_of(trial.trial_id)
        if assignment.number not in self._writers:
            path = files.join(self._folder, layout.TENSORBOARD, f"{assignment.number:04d}")
            self._writers[assignment.number] = SummaryWriter(path, flush_secs=_FLUSH_S)
            _, start, _ = hparams(self._settings(assignment.trial), {})
            self._writers[assignment.number].file_writer.add_summary(start)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Write a report's metrics at its step."""
        report = read_report(result)
        if isinstance(report, Failure):
            return
        writer = self._writers[self._assignment_of(trial.trial_id).number]
        for name, value in finite(report.metrics).items():
            writer.add_scalar(plain(name), value, report.step)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Mark a trial as ended."""
        writer = self._writers.pop(self._assignment_of(trial.trial_id).number)
        _, _, end = hparams({}, {})
        writer.file_writer.add_summary(end)
        writer.close()

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Close the file of a trial; a resumed study writes another one."""
        self._writers.pop(self._assignment_of(trial.trial_id).number).close()

    def _settings(self, trial: TrialConfig) -> dict[str, str | float]:
        """Return a trial's settings by dotted name; HParams accept numbers and text only."""
        values = flatten(trial.model_dump(mode="json"))
        shown = {name: values[name] for name in self._names if values.get(name) is not None}
        return {name: value if isinstance(value, int | float | str) else str(value) for name, value in shown.items()}
