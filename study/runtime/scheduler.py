"""Early stopping, decided by Optuna's pruners on the record, so that decisions survive a killed driver."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from study.runtime.messages import Assignment, read_report, trial_number
from study.runtime.ray_internals import TuneController
from study.runtime.searcher import StudySearcher
from study.training import memory


class EarlyStopping(FIFOScheduler):
    """Passes each report to the searcher and stops the trial if that says so; never with `scheduler: none`.

    Every study needs it: Tune calls the scheduler before the searcher, which it does not show a report that stops a
    trial.
    """

    def __init__(self, searcher: StudySearcher) -> None:
        """Decide for the trials of one searcher."""
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self._searcher = searcher

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Return STOP for a trial that is stopped early, else CONTINUE."""
        stops = self._searcher.observe(trial.trial_id, read_report(result))
        return TrialScheduler.STOP if stops else TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """Pass the error to the searcher, in one line.

        Raises:
            OSError: the disk is full, which all other trials would meet too.
        """
        if trial.error_file:
            error = reason(Path(trial.error_file).read_text(encoding="utf-8"))
            if memory.is_sign(error):
                error = f"its driver was killed: {memory.advice(Assignment.from_dict(trial.config).trial)}"
            self._searcher.on_trial_error(trial.trial_id, error)
            if os.strerror(errno.ENOSPC) in error:
                raise OSError(errno.ENOSPC, f"trial {trial_number(trial.config)}: {error}")


def reason(report: str) -> str:
    """Return the line that names the last failure in Tune's error file of a trial.

    That is the last line of the traceback, or without one the first line below Tune's heading.
    """
    last = re.split(r"^Failure # .*\n", report, flags=re.MULTILINE)[-1]
    raised = re.findall(r"^[\w.]+(?:Error|Exception|Interrupt)\b.*", last, re.MULTILINE)
    return str(raised[-1] if raised else last.strip().partition("\n")[0])
