"""The logger of Weights & Biases (W&B); imported only where it is used, as Ray's warns where the package is missing."""

from __future__ import annotations

from typing import Any

from ray.air.integrations.wandb import WandbLoggerCallback
from ray.tune.experiment import Trial

from study.runtime.loggers import ITERATION, AssignmentOf, LoggerError, first_sentence, logged
from study.runtime.messages import Failure, read_report


class WeightsAndBiases(WandbLoggerCallback):
    """Ray's logger over the steps of training, with one run for each trial however often it is started.

    Args:
        project: where the runs go.
        group: the study's name.
        identity: the study's id, as names are used again.
        assignment_of: returns the assignment behind one of Tune's trial ids.
    """

    def __init__(self, project: str, group: str, identity: str, assignment_of: AssignmentOf) -> None:
        super().__init__(project=project, group=group)
        self._identity, self._assignment_of = identity, assignment_of

    def __getstate__(self) -> dict[str, Any]:
        """Return no state: Tune pickles callbacks, but a resumed study creates new ones."""
        return {}

    def setup(self, *arguments: Any, **named: Any) -> None:
        """Look for the key.

        Raises:
            LoggerError: there is none.
        """
        try:
            super().setup(*arguments, **named)  # type: ignore[no-untyped-call]  # Ray's
        except Exception as error:  # Ray's and W&B's own
            raise LoggerError(
                f"loggers: W&B cannot be used ({first_sentence(error)}): set WANDB_API_KEY, or WANDB_MODE=offline, or "
                "remove 'wandb' from the search space"
            ) from error

    def _start_logging_actor(self, trial: Trial, exclude_results: list[str], **settings: Any) -> None:
        assignment = self._assignment_of(trial.trial_id)
        number = f"{assignment.number:04d}"
        own = {
            "id": f"{self._identity[:16]}-{number}",
            "name": number,
            "resume": "allow",
            "config": assignment.trial.model_dump(mode="json"),
        }
        super()._start_logging_actor(trial, exclude_results, **(settings | own))

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """Log a report's metrics at its step."""
        report = read_report(result)
        if not isinstance(report, Failure):
            super().log_trial_result(iteration, trial, {**logged(report), ITERATION: report.step})

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:
        """End a trial's run, if it has one: a trial whose drivers all died before they had started has none."""
        if trial in self._trial_queues:
            super().log_trial_end(trial, failed)
