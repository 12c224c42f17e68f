"""Early stopping, decided by Optuna's pruners on the record, so that decisions survive a killed driver."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from study.results import files
from study.runtime import cluster
from study.runtime.messages import Assignment, read_report, trial_number
from study.runtime.ray_internals import TuneController
from study.runtime.searcher import StudySearcher
from study.training import memory

_CHECKPOINT_BYTES = 2**33
"""More than a checkpoint of XLM-R large's size takes: storage with less may be what had no space for one."""


class EarlyStopping(FIFOScheduler):
    """Passes each report to the searcher and stops the trial if that says so; never with `scheduler: none`.

    Every study needs it: Tune calls the scheduler before the searcher, which it does not show a report that stops a
    trial.
    """

    def __init__(self, searcher: StudySearcher, folder: str) -> None:
        """Decide for the trials of one searcher, in the folder of their study."""
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self._searcher = searcher
        self._folder = folder

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Return STOP for a trial that is stopped early, else CONTINUE."""
        stops = self._searcher.observe(trial.trial_id, read_report(result))
        return TrialScheduler.STOP if stops else TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """Pass the error to the searcher, in one line.

        Raises:
            OSError: the disk is full, which all other trials would meet too; not if it is that of one node of several.
        """
        if trial.error_file:
            error = reason(Path(trial.error_file).read_text(encoding="utf-8"))
            if memory.is_sign(error):
                error = f"its driver was killed: {_memory_advice(trial)}"
            self._searcher.on_trial_error(trial.trial_id, error)
            if os.strerror(errno.ENOSPC) in error and (_is_full(self._folder) or not _runs_elsewhere(trial)):
                raise OSError(errno.ENOSPC, f"trial {trial_number(trial.config)}: {error}")


def _runs_elsewhere(trial: Trial) -> bool:
    """Return whether more than one node can run workers of the trial; a head often runs drivers alone."""
    need = Assignment.from_dict(trial.config).trial.resources
    return sum(node.copies for node in cluster.supply().nodes if node.workers(need)) > 1


def _is_full(folder: str) -> bool:
    """Return whether the storage of the study has no room for a checkpoint; a bucket always has."""
    return files.is_local(folder) and shutil.disk_usage(folder).free < _CHECKPOINT_BYTES


def _memory_advice(trial: Trial) -> str:
    """Return what to change where Ray killed processes of a trial for memory; drivers run on the head."""
    advice = memory.advice(Assignment.from_dict(trial.config).trial)
    if len(cluster.supply().nodes) == 1:
        return advice
    return f"if the head of the cluster was short of memory, set concurrent lower or take a larger head; else {advice}"


def reason(report: str) -> str:
    """Return the line that names the last failure in Tune's error file of a trial.

    That is the last line of the traceback, or without one the first line below Tune's heading.
    """
    last = re.split(r"^Failure # .*\n", report, flags=re.MULTILINE)[-1]
    raised = re.findall(r"^[\w.]+(?:Error|Exception|Interrupt)\b.*", last, re.MULTILINE)
    return str(raised[-1] if raised else last.strip().partition("\n")[0])
