"""Connects Ray Tune to the study's record: which trial runs next, and how each trial ended.

Tune only executes. A resumed study creates a new Tuner and a new searcher on the same record: interrupted trials run
first, with the same number and values; trials that ended do not run again.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import pydantic
from optuna.trial import TrialState
from ray.tune.search import Searcher

from study.config import TrialConfig
from study.results.layout import RecordError
from study.runtime.messages import Assignment, Failure, FinalReport, TrainingReport, finite
from study.runtime.record import Record
from study.runtime.sampling import draw_trial
from study.space.strict_yaml import explain
from study.space.study_config import StudyConfig

_MOST_UNFINISHED = 3
"""New trials in a row, or as many as run side by side, that may end unfinished before no more are drawn."""


class StudySearcher(Searcher):
    """Assigns trials to Tune and records what they report."""

    def __init__(self, config: StudyConfig, record: Record, at_once: int = 1) -> None:
        """Continue from the state of the record.

        Args:
            config: the study.
            record: its trials so far.
            at_once: most trials that run side by side.
        """
        super().__init__()  # without a metric: Tune would require it in every report
        self._config = config
        self._record = record
        trials = record.trials()
        running = [trial.number for trial in trials if trial.state == TrialState.RUNNING]
        self._interrupted = deque(number for number in running if not self._was_stopped(number))
        self._started = self._first_new = len(trials)
        self._most_unfinished = max(_MOST_UNFINISHED, at_once)
        self._unfinished = 0
        self._assignments: dict[str, Assignment] = {}
        self._running = set[str]()
        self._errors: dict[str, str] = {}

    @property
    def remaining(self) -> int:
        """Number of trials that are interrupted or not started yet."""
        return len(self._interrupted) + max(0, self._config.search.trials - self._started)

    @property
    def ended(self) -> int:
        """Number of trials that need not run."""
        return self._started - len(self._interrupted)

    @property
    def gave_up(self) -> int:
        """Number of new trials in a row that could not be finished, if these are so many that no more are drawn.

        A node that lacks something ends one trial after another within minutes, and TPE would draw all that are left
        without having learned from any. Grids and random search learn from none, and go on.
        """
        search = self._config.search
        stops = search.sampler.startswith("tpe") and self._started < search.trials
        return self._unfinished if stops and self._unfinished >= self._most_unfinished else 0

    def assignment(self, trial_id: str) -> Assignment:
        """Return the assignment behind one of Tune's trial ids."""
        return self._assignments[trial_id]

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # Tune's forget FINISHED
        """Return the next trial's assignment as a dict, or FINISHED if there is none.

        None asks Tune to come again: whether more trials are drawn, those that still run decide.
        """
        assignment = self._next_interrupted()
        while assignment is None and self._started < self._config.search.trials and not self.gave_up:
            assignment = self._next_new()
        if assignment is None:
            return None if self.gave_up and self._running else self.FINISHED
        self._assignments[trial_id] = assignment
        self._running.add(trial_id)
        return assignment.to_dict()

    def _next_interrupted(self) -> Assignment | None:
        if not self._interrupted:
            return None
        number = self._interrupted.popleft()
        self._record.note(number, None)
        trial = self._record.trial(number)
        config = TrialConfig.model_validate(trial.user_attrs["trial"])
        return Assignment(number, config, trial.params, recorded_step=trial.last_step or 0)

    def _was_stopped(self, number: int) -> bool:
        """Make the early-stopping decision that a killed driver may not have made after the trial's last score."""
        step = self._record.trial(number).last_step
        return step is not None and self._stops(number, step)

    def _next_new(self) -> Assignment | None:
        """Draw and record a new trial; return None if its values are not allowed together."""
        drawn = draw_trial(self._config, self._started, self._record.trials())
        self._started += 1
        try:
            trial = self._config.trial_config(drawn.values)
        except pydantic.ValidationError as error:
            self._record.reject(drawn, explain(TrialConfig, error.errors()))
            return None
        number = self._record.begin(drawn, trial)
        if number != self._started - 1:
            raise RecordError(
                f"another process adds trials to the record of {self._config.name}: end one of the two, and resume"
            )
        return Assignment(number, trial, drawn.params)

    def observe(self, trial_id: str, report: TrainingReport | FinalReport | Failure) -> bool:
        """Record a report; return whether the trial must stop, a decision that is then recorded too.

        Called by the scheduler: Tune passes every report to it first, and to the searcher only if the trial goes on.
        """
        number = self._assignments[trial_id].number
        if self._record.trial(number).state != TrialState.RUNNING:
            return False  # the final report, repeated by a trial that was started again
        match report:
            case Failure(resumable=True):
                self._record.note(number, report.reason)
                return True
            case Failure():
                self._record.fail(number, report.reason)
                return True
            case FinalReport():
                self._finish(number, report)
                return False
            case TrainingReport():
                return self._observe_training(number, report)

    def _observe_training(self, number: int, report: TrainingReport) -> bool:
        objective, *others = self._config.objectives
        if others or objective.metric not in report.metrics:
            return False
        is_new = self._record.report(number, report.step, float(report.metrics[objective.metric]))
        return is_new and not report.training_ended and self._stops(number, report.step)

    def _stops(self, number: int, step: int) -> bool:
        """Return whether the trial stops after `step`; a trial whose training has ended is always evaluated."""
        steps: int = self._record.trial(number).user_attrs["trial"]["steps"]
        return len(self._config.objectives) == 1 and step < steps and self._record.prune(number)

    def on_trial_error(self, trial_id: str, error: str) -> None:
        """Remember the error; Tune may start the trial again."""
        self._errors[trial_id] = error

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Record why a trial ended that has no outcome; it remains in the record to be resumed."""
        self._running.discard(trial_id)
        number = self._assignments[trial_id].number
        trial = self._record.trial(number)
        if trial.state == TrialState.RUNNING and not trial.user_attrs.get("error"):
            reason = "the trial's driver was lost" if error else "the trial ended without its final report"
            self._record.note(number, self._errors.get(trial_id, reason))
        if trial.state != TrialState.RUNNING:
            self._unfinished = 0
        elif number >= self._first_new:  # what is resumed may lack the same again, and takes no new draw
            self._unfinished += 1

    def _finish(self, number: int, report: FinalReport) -> None:
        values = {objective.metric: float(report.metrics[objective.metric]) for objective in self._config.objectives}
        undefined = [metric for metric, value in values.items() if math.isnan(value)]
        if undefined:
            self._record.fail(number, f"{undefined[0]} is not a number")
        else:
            self._record.complete(number, list(values.values()), {"step": report.step, **finite(report.metrics)})

    def save(self, checkpoint_path: str) -> None:
        """Do nothing when Tune saves the searcher's state: a resumed study rebuilds it from the record."""
