"""A study without Ray: a search space, trials that are arithmetic, and a loop that stands in for Tune."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
from optuna.trial import FrozenTrial

from study.runtime.messages import FinalReport, TrainingReport
from study.runtime.record import Record
from study.runtime.searcher import StudySearcher
from study.space.study_config import StudyConfig, parse

METRIC = "validation/multilingual/map"
STEPS = (10, 20, 30, 40)
SPACE: dict[str, Any] = {
    "backbone": {"type": "categorical", "choices": ["builtin/xlmr-tiny", "builtin/labse-tiny"]},
    "alpha": {"type": "float", "low": 0, "high": 1, "step": 0.25},
    "temperature": {"type": "float", "low": 0.01, "high": 0.2, "log": True},
}
FIRST = {"backbone": ["builtin/xlmr-tiny", "builtin/labse-tiny"], "alpha": [0, 0.5]}
GRID = {key: SPACE[key] for key in ("backbone", "alpha")}
SEARCHES: dict[str, dict[str, Any]] = {
    "grid": {"sampler": "grid", "space": GRID},
    "random": {"sampler": "random", "trials": 8, "first": FIRST, "space": SPACE},
    "tpe": {"sampler": "tpe", "trials": 9, "startup": 4, "first": FIRST, "space": SPACE},
    "tpe-multivariate": {"sampler": "tpe-multivariate", "trials": 9, "startup": 4, "space": SPACE},
}
Report = TrainingReport | FinalReport


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


class Countdown:
    """Raises `Killed` at the n-th moment."""

    def __init__(self, moments: int) -> None:
        self.left = moments

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


def study_of(search: dict[str, Any] | str, **keys: Any) -> StudyConfig:
    given = SEARCHES[search] if isinstance(search, str) else search
    return parse({"trial": {"steps": STEPS[-1]}, "search": given, **keys}, "toy")


def reports(trial: dict[str, Any], *, after: int = 0) -> Iterator[Report]:
    """Yield what a trial reports from step `after` on; its scores are a function of its configuration."""
    quality = trial["alpha"] * (1.5 - trial["alpha"]) + trial["temperature"] + 0.1 * ("xlmr" in trial["backbone"])
    for step in STEPS:
        if step > after:
            yield TrainingReport(step, {"loss": 1 / step, METRIC: quality * step})
    final = {METRIC: quality * STEPS[-1], "xquad_r/multilingual/map": quality / 2, "mlqa_r/multilingual/map": quality}
    yield FinalReport(STEPS[-1], final)


class Tune:
    """Runs trials one report at a time, in rounds over the running ones, as Tune's controller would show them."""

    def __init__(
        self, config: StudyConfig, folder: Path, at_once: int = 1, moment: Callable[[], None] = lambda: None
    ) -> None:
        """Open the study; `moment` is called before every commit to its storage from then on."""
        self.record = Record(config, f"sqlite:///{folder}/optuna.db", "toy")
        sqlalchemy.event.listen(self.record._storage.engine, "commit", lambda _connection: moment())
        self.searcher = StudySearcher(config, self.record, at_once)
        self.at_once = at_once
        self.handed_out: list[dict[str, Any]] = []
        self._running: dict[str, Iterator[Report]] = {}

    def run(self) -> list[FrozenTrial]:
        """Run the study to its end and return its trials."""
        try:
            while self._start() or self._running:
                for trial_id in list(self._running):
                    self._advance(trial_id)
        except Killed:
            self.record._storage.engine.dispose()  # a dead process holds no lock
            raise
        return self.record.trials()

    def _start(self) -> bool:
        """Start trials until as many run as may; return whether any was started."""
        started = False
        while len(self._running) < self.at_once:
            trial_id = f"{len(self.handed_out):08x}"
            suggested = self.searcher.suggest(trial_id)
            if not isinstance(suggested, dict):
                break
            self.handed_out.append(suggested)
            self._running[trial_id] = reports(suggested["trial"], after=suggested["recorded_step"])
            started = True
        return started

    def _advance(self, trial_id: str) -> None:
        report = next(self._running[trial_id], None)
        stops = report is not None and self.searcher.observe(trial_id, report)
        if report is None or stops:
            del self._running[trial_id]
            self.searcher.on_trial_complete(trial_id)


def table(trials: list[FrozenTrial]) -> list[tuple[Any, ...]]:
    """Return all that two runs of one study must agree on."""
    return [(t.number, t.state.name, t.params, t.values, t.intermediate_values, t.user_attrs["trial"]) for t in trials]
