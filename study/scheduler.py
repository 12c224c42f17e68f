"""Early stopping, decided by Optuna's pruners on the record, so that a decision survives whoever made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from study.searcher import StudySearcher


class EarlyStopping(FIFOScheduler):
    """Shows each report to the record and stops the trial where that says so; with `scheduler: none` it never does.

    Tune asks the scheduler before the searcher, and does not tell the searcher of a report that stops a trial. So this
    class passes every report on, and a study always needs it.
    """

    def __init__(self, searcher: StudySearcher) -> None:
        """Decide for the trials of one searcher."""
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self._searcher = searcher

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Return STOP for a trial that is stopped early, else CONTINUE."""
        return TrialScheduler.STOP if self._searcher.observe(trial.trial_id, result) else TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """Hand on the last line of what went wrong."""
        lines = Path(trial.error_file).read_text(encoding="utf-8").split("\n") if trial.error_file else []
        self._searcher.on_trial_error(trial.trial_id, next((line for line in reversed(lines) if line.strip()), "lost"))
