"""Who else hears of a study's trials: TensorBoard always; MLflow and Weights & Biases where the search space asks.

Where they log to and as whom comes from their own environment variables (MLFLOW_TRACKING_URI, WANDB_API_KEY and so on),
never from a search space, which is kept with the results.

A study in TensorBoard: each trial's scalars as they come, over its own steps, and its settings as HParams.

Tune's own logger writes far from the study, copies every five minutes, counts reports instead of steps and knows a
trial's settings when it ends; this one writes <study>/tensorboard/0003/ itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune import Callback
from ray.tune.experiment import Trial
from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from study.results import files, layout
from study.runtime.searcher import STEP, figures
from study.space.fields import flatten
from study.space.study_config import StudyConfig

if TYPE_CHECKING:
    from ray.tune.experiment import Trial


MLFLOW = "mlflow.db"
"""MLflow's SQLite file in a study's folder, unless MLFLOW_TRACKING_URI says where to log to."""


class MLflow(MLflowLoggerCallback):
    """Ray's own, with names that MLflow takes: it knows no `@`."""

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """Log a report."""
        super().log_trial_result(iteration, trial, {plain(key): value for key, value in result.items()})


def callbacks(config: StudyConfig, folder: str) -> list[Callback]:
    """Return the loggers of a study whose folder this is; they are told by Tune, on the machine that drives it."""
    name, local = folder.rpartition("/")[2], "://" not in folder
    made: list[Callback] = [TensorBoard(config, folder)] if local else []
    if "mlflow" in config.loggers:
        here = f"sqlite:///{folder}/{MLFLOW}" if local else None
        made.append(MLflow(os.environ.get("MLFLOW_TRACKING_URI", here), experiment_name=name))
    if "wandb" in config.loggers:
        from ray.air.integrations.wandb import WandbLoggerCallback  # noqa: PLC0415 - warns where wandb is missing

        made.append(WandbLoggerCallback(project=os.environ.get("WANDB_PROJECT", config.name), group=name))
    return made


ALWAYS = ("backbone", "alpha", "temperature", "learning_rate", "batch_size", "steps", "seed")
"""Settings shown of every trial, besides those that are searched."""
_FLUSH_S = 5


def plain(name: str) -> str:
    """Return a metric's name without `@`, which other tools refuse or rewrite: `ndcg@10` is `ndcg_at_10`."""
    return name.replace("@", "_at_")


class TensorBoard(Callback):
    """Writes what trials report."""

    def __init__(self, config: StudyConfig, folder: str) -> None:
        """Write under `folder`, the study's, on this machine."""
        super().__init__()
        searched = (branch.key for branches in config.search.space for branch in branches)
        self._names = tuple(dict.fromkeys((*ALWAYS, *searched)))
        self._folder = folder
        self._writers: dict[int, SummaryWriter] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Be nothing when Tune pickles its state, which a resumed study never reads."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Write a trial's settings, unless it only starts again."""
        number = trial.config["number"]
        if number not in self._writers:
            place = files.join(self._folder, layout.TENSORBOARD, f"{number:04d}")
            self._writers[number] = SummaryWriter(place, flush_secs=_FLUSH_S)
            _, start, _ = hparams(self._settings(trial.config["trial"]), {})
            self._writers[number].file_writer.add_summary(start)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Write a report's figures at the step it was made."""
        writer, held = self._writers[trial.config["number"]], figures(result)
        step = int(held.pop(STEP, 0))
        for name, value in held.items():
            writer.add_scalar(plain(name), value, step)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Mark a trial as ended."""
        writer = self._writers.pop(trial.config["number"])
        _, _, end = hparams({}, {})
        writer.file_writer.add_summary(end)
        writer.close()

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Close the file of a trial that may go on in a resumed study."""
        self._writers.pop(trial.config["number"]).close()

    def _settings(self, trial: dict[str, Any]) -> dict[str, str | float]:
        """Return a trial's settings by flat name; what is neither a number nor a text is written as one."""
        held = flatten(trial)
        chosen = {name: held[name] for name in self._names if held.get(name) is not None}
        return {name: value if isinstance(value, int | float | str) else str(value) for name, value in chosen.items()}
