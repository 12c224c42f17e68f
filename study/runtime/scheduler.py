"""Early stopping, decided by Optuna's pruners on the record, so that a decision survives whoever made it."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from study.runtime.searcher import StudySearcher


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
        """Hand on what went wrong, in one line.

        Raises:
            OSError: the disk is full, which every other trial would meet too.
        """
        if trial.error_file:
            what = reason(Path(trial.error_file).read_text(encoding="utf-8"))
            self._searcher.on_trial_error(trial.trial_id, what)
            if os.strerror(errno.ENOSPC) in what:
                raise OSError(errno.ENOSPC, f"trial {trial.config['number']}: {what}")


def reason(report: str) -> str:
    """Return the line that says what went wrong the last time, from Tune's error file of a trial.

    That is the exception's own line where there is a traceback, else the first line below Tune's heading.
    """
    last = re.split(r"^Failure # .*\n", report, flags=re.MULTILINE)[-1]
    raised = re.findall(r"^[\w.]+(?:Error|Exception|Interrupt)\b.*", last, re.MULTILINE)
    return str(raised[-1] if raised else last.strip().partition("\n")[0])
