"""Ray Tune's view of the record: which trial comes next, and what became of it.

Tune only executes. A study that starts again makes a new Tuner and a new searcher on the same record: trials cut short
come first, under the same number and values; trials that ended are not run again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import pydantic
from optuna.trial import TrialState
from ray.tune.result import AUTO_RESULT_KEYS, DEBUG_METRICS
from ray.tune.search import Searcher

from study.config import TrialConfig
from study.runtime.record import Record
from study.runtime.sampling import draw_trial
from study.space.strict_yaml import explain
from study.space.study_config import StudyConfig

STEP = "step"
"""In every report: steps trained so far."""
SEEN = "seen"
"""In what is handed out: the last step whose score is on record; what the trial reported after it was lost."""
FINAL = "final"
"""True in a trial's last report, the one with the figures of all benchmarks."""
TRAINED = "trained"
"""True in the report after which training ends before its last step, out of patience."""
FAILED = "failed"
"""In a trial's last report: why its training cannot go on."""


class StudySearcher(Searcher):
    """Hands trials to Tune and keeps what they report."""

    def __init__(self, config: StudyConfig, record: Record) -> None:
        """Take up the record where it stands."""
        super().__init__()  # without a metric: Tune would demand it in every report
        self._config = config
        self._record = record
        trials = record.trials()
        running = [trial.number for trial in trials if trial.state == TrialState.RUNNING]
        self._interrupted = deque(number for number in running if not self._stopped(number))
        self._started = len(trials)
        self._number_of: dict[str, int] = {}
        self._errors: dict[str, str] = {}

    @property
    def remaining(self) -> int:
        """Trials still to be handed out: those cut short and those not begun."""
        return len(self._interrupted) + max(0, self._config.search.trials - self._started)

    def suggest(self, trial_id: str) -> dict[str, Any] | str:  # type: ignore[override]  # Tune's types forget FINISHED
        """Return the next trial, or FINISHED once every trial is handed out.

        A trial is `{"number": n, "trial": <the whole TrialConfig>, "seen": <step>}`.
        """
        number = self._resumed()
        while number is None and self._started < self._config.search.trials:
            number = self._begun()
        if number is None:
            return self.FINISHED
        self._number_of[trial_id] = number
        held = self._record.trial(number)
        return {"number": number, "trial": held.user_attrs["trial"], SEEN: held.last_step or 0}

    def _resumed(self) -> int | None:
        if not self._interrupted:
            return None
        number = self._interrupted.popleft()
        self._record.note(number, None)
        return number

    def _stopped(self, number: int) -> bool:
        """Take the decision that the study may have been cut short before: after its trial's last score."""
        step = self._record.trial(number).last_step
        return step is not None and self._stops(number, step)

    def _begun(self) -> int | None:
        drawn = draw_trial(self._config, self._started, self._record.trials())
        self._started += 1
        try:
            trial = self._config.trial_config(drawn.values)
        except pydantic.ValidationError as error:
            self._record.reject(drawn, explain(TrialConfig, error.errors()))
            return None
        number = self._record.begin(drawn, trial)
        assert number == self._started - 1, "another process adds trials to this study"
        return number

    def observe(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Put a report on record; return whether the trial is to stop, which then is on record too.

        For the scheduler: Tune shows it every report first, and the searcher only those after which a trial goes on.
        """
        number = self._number_of[trial_id]
        if self._record.trial(number).state != TrialState.RUNNING:
            return False  # the final report, repeated by a driver that was started again
        if result.get(FAILED):
            self._record.fail(number, str(result[FAILED]))
            return True
        if result.get(FINAL):
            self._finish(number, result)
            return False
        objective, *others = self._config.objectives
        if others or objective.metric not in result:
            return False
        new = self._record.report(number, int(result[STEP]), float(result[objective.metric]))
        return new and not result.get(TRAINED) and self._stops(number, int(result[STEP]))

    def _stops(self, number: int, step: int) -> bool:
        """Ask for a decision after `step`; a trial that has trained to its end is evaluated whatever its score."""
        steps: int = self._record.trial(number).user_attrs["trial"]["steps"]
        return len(self._config.objectives) == 1 and step < steps and self._record.prune(number)

    def on_trial_error(self, trial_id: str, error: str) -> None:
        """Remember what went wrong; Tune may start the trial again."""
        self._errors[trial_id] = error

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Note what ended a trial whose end is not on record; it stays there to be resumed."""
        number = self._number_of[trial_id]
        if self._record.trial(number).state == TrialState.RUNNING:
            lost = "the trial's driver was lost" if error else "the trial ended without its final report"
            self._record.note(number, self._errors.get(trial_id, lost))

    def _finish(self, number: int, result: Mapping[str, Any]) -> None:
        values = {objective.metric: float(result[objective.metric]) for objective in self._config.objectives}
        undefined = [metric for metric, value in values.items() if math.isnan(value)]
        if undefined:
            self._record.fail(number, f"{undefined[0]} is not a number")
        else:
            self._record.complete(number, list(values.values()), figures(result))

    def save(self, checkpoint_path: str) -> None:
        """Do nothing when Tune saves its state: the record is the state."""


def figures(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers of a final report, without Tune's own and without the configuration."""
    tunes = {*AUTO_RESULT_KEYS, *DEBUG_METRICS}
    return {
        key: value
        for key, value in result.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if key not in tunes and not key.startswith("config/")
    }
