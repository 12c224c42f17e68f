"""Who else hears of a study's trials: TensorBoard always; MLflow and Weights & Biases where the search space asks.

Where they log to and as whom comes from their own environment variables (MLFLOW_TRACKING_URI, WANDB_API_KEY and so on),
never from a search space, which is kept with the results.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune import Callback

from study.runtime.tensorboard import TensorBoard, plain
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
