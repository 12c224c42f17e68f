"""What a study shows while it runs, from the events of Tune and from what workers tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from study.config import TrialConfig
from study.runtime import progress, ray_internals
from study.runtime.activity import TRAINING, Activity
from study.runtime.messages import Assignment, Failure, FinalReport, TrainingReport
from study.runtime.progress import Counts, Progress

METRIC = "validation/multilingual/map"
LONG = "/home/someone/projects/retrieval/models/multilingual-e5-small"


class Study:
    """Three trials, two of which run side by side; one step of Tune per second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, console: Console, ended: int = 0) -> None:
        self.now = 1000.0
        self.told: dict[str, Activity] = {}
        monkeypatch.setattr("study.runtime.progress.time.monotonic", lambda: self.now)
        monkeypatch.setattr(ray_internals, "told", self.told.get)
        monkeypatch.setattr(ray_internals, "forget", lambda trial: self.told.pop(trial, None))
        self.progress = Progress(console, METRIC, Counts(3 + ended, ended, 2), self.assignment, str)

    def assignment(self, trial_id: str) -> Assignment:
        return Assignment(int(trial_id), TrialConfig(backbone=LONG, steps=500, alpha=0.25, seed=int(trial_id)))

    def start(self, *numbers: int) -> None:
        for number in numbers:
            self.progress.on_trial_start(0, [], self.trial(number))

    def report(self, number: int, report: TrainingReport | FinalReport | Failure) -> None:
        self.progress.on_trial_result(0, [], self.trial(number), report.to_dict())

    def pass_time(self, seconds: int) -> None:
        self.now += seconds
        self.progress.on_step_end(0, [])

    def trial(self, number: int) -> Any:
        return SimpleNamespace(trial_id=str(number))

    def lines(self) -> list[str]:
        return list(self.progress._lines())


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Study:
    return Study(monkeypatch, Console(width=160))


def test_a_line_says_the_step_the_score_and_once_a_trial_has_ended_the_time_left(study: Study) -> None:
    assert study.lines() == ["0 of 3 trials ended"]
    study.start(0, 1)
    study.told["0"] = Activity(TRAINING, 120, 500)
    study.pass_time(60)
    assert study.lines() == ["trial   0 step 120 of 500", "trial   1 starting; 0 of 3 trials ended"]
    study.report(0, TrainingReport(250, {METRIC: 0.61234, "loss": 1.5}))
    study.told["0"] = Activity("mlqa_r", 1200, 9000)
    study.told["1"] = Activity(TRAINING, 10, 500)
    study.pass_time(60)
    assert study.lines()[0] == f"trial   0 mlqa_r: encoding 1,200 of 9,000 texts, {METRIC} 0.612"
    study.report(0, FinalReport(500, {METRIC: 0.62}))
    study.progress.on_trial_complete(0, [], study.trial(0))
    # Trial 0 took 120 s; 1 has run as long, and 2 is left: 120 s on one of two places.
    assert study.lines() == ["trial   1 step 10 of 500; 1 of 3 trials ended, about 1 min left"]
    study.progress.on_trial_complete(0, [], study.trial(1))
    study.start(2)
    study.progress.on_trial_complete(0, [], study.trial(2))
    assert study.lines() == ["3 of 3 trials ended"]


def test_a_trial_waits_if_its_workers_tell_nothing_and_not_while_they_load(study: Study) -> None:
    study.start(0, 1)
    study.told["0"] = Activity("loading model and data")
    study.pass_time(200)
    loading, waiting = study.lines()
    assert loading == "trial   0 loading model and data"
    assert waiting.startswith("trial   1 waiting for processors or for a node to join")


def test_what_an_attempt_told_that_was_killed_is_forgotten(study: Study) -> None:
    study.start(0)
    study.told["0"] = Activity(TRAINING, 120, 500)
    study.pass_time(5)
    study.start(0)
    study.pass_time(5)
    assert study.lines() == ["trial   0 starting; 0 of 3 trials ended"]


def test_a_resumed_study_counts_the_trials_that_ended_before(monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(monkeypatch, Console(), ended=2)
    study.start(2)
    assert study.lines() == ["trial   2 starting; 2 of 5 trials ended"]
    study.pass_time(60)
    study.progress.on_trial_complete(0, [], study.trial(2))
    study.start(3)
    assert study.lines() == ["trial   3 starting; 3 of 5 trials ended, about 1 min left"]


def test_many_trials_take_a_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(monkeypatch, Console())
    study.start(*range(40))
    assert len(study.lines()) == progress.MOST_LINES
    assert study.lines()[-1] == "trial   3 starting; 36 more trials run; 0 of 3 trials ended"


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_live_table_is_whole_at_any_width(study: Study, width: int) -> None:
    study.start(0, 1)
    study.report(0, TrainingReport(250, {METRIC: 0.61234, "loss": 1.5}))
    study.told["1"] = Activity("mlqa_r", 1200, 9000)
    study.pass_time(5)
    console = Console(width=width)
    with console.capture() as captured:
        console.print(study.progress._table())
    shown = captured.get()
    assert "…" not in shown
    words = ("multilingual-e5-small", "0.25", "250/500", "1.500", "0.612", "1,200", "9,000", METRIC)
    assert [word for word in words if word not in shown] == []


def test_a_trial_that_ends_is_a_line_in_a_log(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study.start(0)
    study.pass_time(90)
    study.report(0, FinalReport(500, {METRIC: 0.62}))
    study.progress.on_trial_complete(0, [], study.trial(0))
    settings = "multilingual-e5-small, hybrid, alpha 0.25, temperature 0.05, seed 0"
    assert capsys.readouterr().out == (
        f"trial   0 done: {settings}, {METRIC} 0.620, 90 s; 1 of 3 trials ended, about 2 min left\n"
    )


def test_what_resume_tries_again_is_unfinished_and_not_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(monkeypatch, Console(width=160))
    study.start(0, 1, 2)
    study.report(0, Failure("it diverged", resumable=False))
    study.report(1, Failure("its data is missing", resumable=True))
    for number in (0, 1):
        study.progress.on_trial_complete(0, [], study.trial(number))
    study.progress.on_trial_error(0, [], study.trial(2))  # its driver was lost too often
    ended = [line for line in capsys.readouterr().out.splitlines() if line.startswith("trial")]
    assert [line.split()[2].rstrip(":") for line in ended] == ["failed", "unfinished", "unfinished"]


def test_a_trial_whose_drivers_all_died_before_they_had_started_is_unfinished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    console = Console(width=200)
    study = Study(monkeypatch, console)
    with console.capture() as captured:
        study.progress.on_trial_error(0, [], study.trial(1))
    assert captured.get().startswith("trial   1 unfinished: ")
