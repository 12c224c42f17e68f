"""The logger of Weights & Biases; imported only where it is used, as Ray's warns where the package is missing."""

from __future__ import annotations

from ray.air.integrations.wandb import WandbLoggerCallback
from ray.tune.experiment import Trial


class WeightsAndBiases(WandbLoggerCallback):
    """Ray's logger, told of failures of trials that never started."""

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        """End a trial's run, if it has one: a trial whose drivers all died before they had started has none."""
        if trial in self._trial_queues:
            super().log_trial_end(trial, failed)
