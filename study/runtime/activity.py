"""What is going on between two reports of a trial: told by its workers, shown by the driver. Free of Ray."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from rich.console import Console
from rich.text import Text

TRAINING = "training"
TELL_EVERY_S = 2.0
"""Workers tell no more often than this, except that something else has begun."""
LOG_EVERY_S = 30.0


class Activity(NamedTuple):
    """What the workers of a trial, or of `study.evaluate`, are doing."""

    name: str
    """A benchmark whose texts are encoded, TRAINING, or any other text."""
    done: int = 0
    """Steps taken, or texts encoded."""
    total: int = 0
    """All steps or texts; 0 where nothing is counted."""

    def __str__(self) -> str:
        if not self.total:
            return self.name
        if self.name == TRAINING:
            return f"step {self.done:,} of {self.total:,}"
        task = f"encoding {self.done:,} of {self.total:,} texts" if self.counts else "ranking"
        return f"{self.name}: {task}"

    @property
    def counts(self) -> bool:
        """Whether there is more to count."""
        return self.done < self.total

    def to_json(self) -> bytes:
        """Return the activity as it crosses Ray."""
        return json.dumps(self).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Activity:
        """Return an activity that `to_json` wrote."""
        return cls(*json.loads(text))


class Teller:
    """Tells what a group of processes is doing; one of them speaks for all.

    Args:
        send: takes each activity to the driver.
    """

    def __init__(self, send: Callable[[Activity], None]) -> None:
        self._send = send
        self._last = Activity("")
        self._sent = -TELL_EVERY_S

    def __call__(self, name: str, done: int = 0, total: int = 0) -> None:
        """Tell what is being done, unless it was told a moment ago."""
        activity, now = Activity(name, done, total), time.monotonic()
        same = (activity.name, activity.counts) == (self._last.name, self._last.counts)
        if not same or now - self._sent >= TELL_EVERY_S:
            self._last, self._sent = activity, now
            self._send(activity)


class Heartbeat:
    """Prints lines every 30 seconds where the output is no terminal; use as a context manager.

    Args:
        console: where to print.
        lines: returns what to print; called in a thread of its own.
        every_s: seconds between two times.
    """

    def __init__(self, console: Console, lines: Callable[[], Sequence[str]], every_s: float = LOG_EVERY_S) -> None:
        self._console, self._lines, self._every_s = console, lines, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        if not self._console.is_terminal:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(self._every_s):
            for line in self._lines():
                self._console.print(Text(line), soft_wrap=True)


def duration(seconds: float) -> str:
    """Return a duration in words, such as `about 2 h 20 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"about {minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"about {minutes} min"
