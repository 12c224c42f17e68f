"""Ctrl-C, and the SIGTERM that clusters send, alike: a KeyboardInterrupt, and which signal it was."""

from __future__ import annotations

import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """What wants this process to end, if anything does."""

    def __init__(self) -> None:
        """Nothing does yet."""
        self.signal: signal.Signals | None = None
        """Kept here, as Ray raises a KeyboardInterrupt of its own in place of whatever a handler raises."""

    def heed(self) -> None:
        """Raise KeyboardInterrupt at the first signal; the second ends the process at once."""
        for number in SIGNALS:
            signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt(self.signal.name)
