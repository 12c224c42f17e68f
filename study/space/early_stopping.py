"""Whether early stopping stops the trials that it should: what judges them is a score at each validation."""

from __future__ import annotations

from collections.abc import Sequence

from study.config import TrialConfig
from study.space.selection import Asha, Hyperband, NoStopping, Stopping


def early_stopping_problem(scheduler: Stopping, trials: Sequence[TrialConfig]) -> str | None:
    """Return why a scheduler would stop none of these trials, or too many."""
    if isinstance(scheduler, NoStopping):
        return None
    steps = max(trial.steps for trial in trials)
    every = max(trial.validation.every for trial in trials)
    first = scheduler.min_steps
    if first >= steps:
        return (
            f"scheduler.min_steps: {first} is not below the {steps} steps of a trial, so none would be stopped: lower "
            "it, or write 'scheduler: none'"
        )
    # A trial is not stopped at its last step.
    last = max((trial.steps - 1) // trial.validation.every * trial.validation.every for trial in trials)
    if first > last or not last:
        return (
            f"scheduler.min_steps: trials of {steps} steps that are validated every {every} are not validated between "
            f"step {first} and their last, so none would be stopped: lower validation.every, or write 'scheduler: none'"
        )
    # Optuna judges a score in every round whose step it has passed (`SuccessiveHalvingPruner.prune`). Rounds are at
    # least one validation apart where the first is.
    if isinstance(scheduler, Asha | Hyperband) and first < every:
        return (
            f"scheduler.min_steps: {first} is below the {every} steps between two validations, so one score would be "
            f"judged in several rounds at once, and too many trials stopped: set it to {every} or more, or lower "
            "validation.every"
        )
    return None
