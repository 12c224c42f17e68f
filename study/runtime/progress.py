"""Progress of a running study: one live table on a terminal, one line per event elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from ray.tune import Callback
from ray.tune.experiment import Trial
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from study.config import TrialConfig
from study.runtime.messages import Assignment, Failure, FinalReport, TrainingReport, read_report

PATIENCE_S = 120
"""A trial that has not reported for this long is shown as waiting."""
STYLES = {
    "waiting": "yellow",
    "running": "cyan",
    "evaluating": "cyan",
    "done": "green",
    "pruned": "yellow",
    "failed": "red",
}


@dataclass
class Row:
    """One trial in the table."""

    number: int
    config: TrialConfig
    started: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    state: str = "starting"
    step: int = 0
    loss: float | None = None
    score: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the trial started, or that it took."""
        return self.seconds if self.seconds is not None else time.monotonic() - self.started


class Progress(Callback):
    """Follows Tune's events; use as a context manager around the run.

    Args:
        console: where to write.
        metric: the objective shown as score.
        trials: how many trials will run.
        at_once: how many run side by side, to estimate the time left.
        assignment_of: returns the assignment behind one of Tune's trial ids.
    """

    def __init__(
        self, console: Console, metric: str, trials: int, at_once: int, assignment_of: Callable[[str], Assignment]
    ) -> None:
        super().__init__()
        self._console, self._metric, self._trials, self._at_once = console, metric, trials, at_once
        self._assignment_of = assignment_of
        self._rows: dict[str, Row] = {}
        self._started = time.monotonic()
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=2, transient=True)

    def __getstate__(self) -> dict[str, Any]:
        """Return no state: Tune pickles callbacks, but a resumed study creates new ones."""
        return {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @property
    def seconds(self) -> float:
        """Seconds since the run started."""
        return time.monotonic() - self._started

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Show the trial as starting."""
        assignment = self._assignment_of(trial.trial_id)
        self._rows.setdefault(trial.trial_id, Row(assignment.number, assignment.trial))

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
                row.state = "failed"
                return
            case FinalReport():
                row.state = "done"
            case TrainingReport():
                row.state = "evaluating" if report.training_ended else "running"
        row.step = report.step
        row.loss = report.metrics.get("loss", row.loss)
        row.score = report.metrics.get(self._metric, row.score)

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Show trials as waiting that have not started to train for a long time."""
        for row in self._rows.values():
            if row.state == "starting" and row.elapsed > PATIENCE_S:
                row.state = "waiting"
                if not self._console.is_terminal:
                    self._console.print(
                        f"trial {row.number:>3} waits for its workers: processors are taken, or a node has yet to join",
                        highlight=False,
                    )

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Show the trial as done, or as pruned if it stopped before its final evaluation."""
        row = self._rows[trial.trial_id]
        self._end(row, row.state if row.state in {"done", "failed"} else "pruned")

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Show the trial as failed."""
        self._end(self._rows[trial.trial_id], "failed")

    def _end(self, row: Row, state: str) -> None:
        row.state, row.seconds = state, time.monotonic() - row.started
        if not self._console.is_terminal:
            score = "" if row.score is None else f"{self._metric} {row.score:.3f}, "
            self._console.print(
                f"trial {row.number:>3} {state}: {_label(row.config)}, {score}{row.elapsed:.0f} s"
                f" ({self._ended()} of {self._trials})",
                highlight=False,
            )

    def _ended(self) -> int:
        return sum(row.seconds is not None for row in self._rows.values())

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("trial", "backbone", "alpha", "temperature", "step", "loss", self._metric, "state", "seconds"):
            table.add_column(name, justify="left" if name in {"backbone", "state"} else "right")
        for row in sorted(self._rows.values(), key=lambda row: row.number):
            table.add_row(
                str(row.number),
                row.config.backbone,
                f"{row.config.alpha:.3g}",
                f"{row.config.temperature:.3g}",
                f"{row.step}/{row.config.steps}",
                "" if row.loss is None else f"{row.loss:.3f}",
                "" if row.score is None else f"{row.score:.3f}",
                Text(row.state, STYLES.get(row.state, "")),
                f"{row.elapsed:.0f}",
            )
        return Group(table, Text(self._summary(), "dim"))

    def _summary(self) -> str:
        ended = [row.elapsed for row in self._rows.values() if row.seconds is not None]
        left = self._trials - len(ended)
        if not ended:
            return f"{left} trials to go"
        seconds = sum(ended) / len(ended) * left / self._at_once
        return f"{len(ended)} of {self._trials} trials ended; about {seconds / 60:.1f} minutes left"


def _label(config: TrialConfig) -> str:
    return f"{config.backbone} alpha {config.alpha:.3g} temperature {config.temperature:.3g}"
