"""What a log shows between two events: who tells it, how often, and in which words."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from rich.console import Console

from study.runtime.activity import TRAINING, Activity, Heartbeat, Teller, duration


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (Activity("loading model and data"), "loading model and data"),
        (Activity(TRAINING, 120, 1500), "step 120 of 1,500"),
        (Activity("xquad_r", 1200, 15000), "xquad_r: encoding 1,200 of 15,000 texts"),
        (Activity("xquad_r", 15000, 15000), "xquad_r: ranking"),
    ],
)
def test_an_activity_says_how_far_it_is_and_crosses_ray_as_it_is(told: Activity, text: str) -> None:
    assert str(told) == text
    assert Activity.from_json(told.to_json()) == told


def test_workers_tell_every_two_seconds_at_most_but_at_once_that_something_else_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, sent = 100.0, list[Activity]()
    monkeypatch.setattr("study.runtime.activity.time.monotonic", lambda: now)
    tell = Teller(sent.append)
    for step in range(1, 51):
        now += 0.125
        tell(TRAINING, step, 50)
    assert [each.done for each in sent] == [1, 17, 33, 49, 50]  # 50: nothing is left to train
    tell("validation", 1, 9)
    tell("validation", 9, 9)
    assert [str(each) for each in sent[-2:]] == ["validation: encoding 1 of 9 texts", "validation: ranking"]


class Log(io.StringIO):
    """Output that says when two lines are written."""

    def __init__(self) -> None:
        super().__init__()
        self.beaten = threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.getvalue().count("\n") > 1:
            self.beaten.set()
        return written


def test_a_log_gets_a_line_again_and_again_until_the_end_and_a_terminal_none() -> None:
    log, terminal = Log(), Log()
    beats: dict[str, Any] = {"every_s": 0.01, "lines": lambda: ["trial 0 step 1 of 9"]}
    with (
        Heartbeat(Console(file=terminal, force_terminal=True), **beats),
        Heartbeat(Console(file=log), **beats),
    ):
        assert log.beaten.wait(timeout=60)
    assert set(log.getvalue().splitlines()) == {"trial 0 step 1 of 9"}
    assert terminal.getvalue() == ""
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


def test_durations_are_words() -> None:
    told = [duration(seconds) for seconds in (-5, 20, 100, 8400)]
    assert told == ["less than a minute", "less than a minute", "about 2 min", "about 2 h 20 min"]
