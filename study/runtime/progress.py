"""Progress of a running study: one live table on a terminal; elsewhere a line per event, and one every 30 seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from ray.tune import Callback
from ray.tune.experiment import Trial
from rich.console import Console
from rich.live import Live

from study import cli
from study.analysis.formats import decimals, fixed, setting, short_names
from study.analysis.groups import sampling_of
from study.analysis.tables import Cell, Table, number_cell, setting_cell
from study.config import TrialConfig
from study.runtime import ray_internals
from study.runtime.activity import TRAINING, Activity, Heartbeat, duration
from study.runtime.messages import Assignment, Failure, FinalReport, TrainingReport, read_report

PATIENCE_S = 120
"""A trial whose workers have told nothing for this long is shown as waiting."""
ASK_EVERY_S = 1.0
MOST_LINES = 4
"""Trials that are shown in a log when several run side by side."""


@dataclass
class Row:
    """One trial in the table."""

    number: int
    config: TrialConfig
    started: float
    """By the monotonic clock."""
    seconds: float | None = None
    state: str = "starting"
    activity: Activity | None = None
    """What its workers told last."""
    step: int = 0
    loss: float | None = None
    score: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the trial started, or that it took."""
        return self.seconds if self.seconds is not None else time.monotonic() - self.started

    @property
    def doing(self) -> str:
        """What its workers are doing, or how it ended."""
        return str(self.activity) if self.activity and self.seconds is None else self.state


class Counts(NamedTuple):
    """How many trials there are."""

    trials: int
    """All of the study."""
    ended_before: int
    """Those that need not run, as they ended before a study was resumed."""
    at_once: int
    """Those that run side by side, to estimate the time left."""


class Progress(Callback):
    """Follows Tune's events; use as a context manager around the run.

    Args:
        console: where to write.
        metric: the objective shown as score.
        counts: how many trials there are.
        assignment_of: returns the assignment behind one of Tune's trial ids.
        folder_of: returns the folder of a trial by its number.
    """

    def __init__(
        self,
        console: Console,
        metric: str,
        counts: Counts,
        assignment_of: Callable[[str], Assignment],
        folder_of: Callable[[int], str],
    ) -> None:
        super().__init__()
        self._console, self._metric, self._counts = console, metric, counts
        self._assignment_of, self._folder_of = assignment_of, folder_of
        self._rows: dict[str, Row] = {}
        self._asked = time.monotonic()
        self._shown = ExitStack()

    def __getstate__(self) -> dict[str, Any]:
        """Return no state: Tune pickles callbacks, but a resumed study creates new ones."""
        return {}

    def __enter__(self) -> Self:
        self._shown.enter_context(Heartbeat(self._console, lambda: list(self._lines())))
        if self._console.is_terminal:
            live = Live(console=self._console, get_renderable=self._table, refresh_per_second=2, transient=True)
            self._shown.enter_context(live)
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Show the trial as starting."""
        row = self._row(trial)
        row.activity = None
        ray_internals.forget(self._folder_of(row.number))  # what an earlier attempt told

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """Show the trial's last step, loss and score."""
        row, report = self._rows[trial.trial_id], read_report(result)
        match report:
            case Failure():
                row.state = "unfinished" if report.resumable else "failed"
                return
            case FinalReport():
                row.state = "done"
            case TrainingReport():
                row.state = "evaluating" if report.training_ended else "running"
        row.step = report.step
        row.loss = report.metrics.get("loss", row.loss)
        row.score = report.metrics.get(self._metric, row.score)

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Ask what the workers are doing, and show trials as waiting whose workers have told nothing for long."""
        now = time.monotonic()
        if now - self._asked < ASK_EVERY_S:
            return
        self._asked = now
        for row in self._running():
            row.activity = ray_internals.told(self._folder_of(row.number)) or row.activity
            if row.activity and row.activity.name == TRAINING:
                row.step = row.activity.done
            if row.doing == "starting" and row.elapsed > PATIENCE_S:
                row.state = "waiting for processors or for a node to join"

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Show the trial as done, or as pruned if it stopped before its final evaluation."""
        row = self._rows[trial.trial_id]
        self._end(row, row.state if row.state in {"done", "failed", "unfinished"} else "pruned")

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Show a trial whose driver was lost too often as unfinished: --resume tries it again.

        It may never have started: Ray's memory monitor can kill every one of its drivers before that.
        """
        self._end(self._row(trial), "unfinished")

    def _row(self, trial: Trial) -> Row:
        assignment = self._assignment_of(trial.trial_id)
        return self._rows.setdefault(trial.trial_id, Row(assignment.number, assignment.trial, time.monotonic()))

    def _end(self, row: Row, state: str) -> None:
        row.state, row.seconds = state, time.monotonic() - row.started
        ray_internals.forget(self._folder_of(row.number))
        if not self._console.is_terminal:
            config = row.config
            names = ("alpha", "temperature", "seed") if config.steps else ()
            settings = "".join(f", {name} {setting(getattr(config, name))}" for name in names)
            trial = f"{self._name(row)}, {sampling_of(config)}{settings}{self._score(row)}, {row.elapsed:.0f} s"
            cli.say(self._console, f"trial {row.number:>3} {state}: {trial}; {self._summary()}")

    def _running(self) -> list[Row]:
        return [row for row in list(self._rows.values()) if row.seconds is None]

    def _lines(self) -> Iterator[str]:
        """Yield what a log shows while trials run."""
        running = self._running()
        shown = [f"trial {row.number:>3} {row.doing}{self._score(row)}" for row in running[:MOST_LINES]]
        yield from shown[:-1]
        more = len(running) - len(shown)
        yield "; ".join([*shown[-1:], *([f"{more} more trials run"] if more else []), self._summary()])

    def _table(self) -> Table:
        settings = ("batches", "alpha", "temperature", "backbone")
        headings = ("trial", "state", "step", "score", "loss", "seconds", *settings)
        rows = tuple(
            (
                Cell(str(row.number)),
                Cell(row.doing, strong=row.seconds is None),
                Cell(f"{row.step}/{row.config.steps}"),
                number_cell(row.score),
                number_cell(row.loss),
                Cell(f"{row.elapsed:.0f}"),
                Cell(sampling_of(row.config)),
                *map(setting_cell, (row.config.alpha, row.config.temperature)),
                Cell(self._name(row)),
            )
            for row in sorted(self._rows.values(), key=lambda row: (row.seconds is not None, row.number))
        )
        title = f"{self._summary()}; the score is {self._metric}"
        left = frozenset({"state", "batches", "backbone"})
        return Table(title, headings, rows, left, settings=frozenset(settings))

    def _name(self, row: Row) -> str:
        backbone = row.config.backbone
        return short_names({backbone, *(other.config.backbone for other in list(self._rows.values()))})[backbone]

    def _score(self, row: Row) -> str:
        return "" if row.score is None else f", {self._metric} {fixed(row.score, decimals(self._metric))}"

    def _summary(self) -> str:
        rows = list(self._rows.values())
        ended = [row.elapsed for row in rows if row.seconds is not None]
        left = self._counts.trials - self._counts.ended_before - len(ended)
        text = f"{self._counts.trials - left} of {self._counts.trials} trials ended"
        if not ended or not left:
            return text
        mean = sum(ended) / len(ended)
        spent = sum(min(row.elapsed, mean) for row in rows if row.seconds is None)
        return f"{text}, {duration((mean * left - spent) / min(self._counts.at_once, left))} left"
