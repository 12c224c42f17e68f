"""What all commands share: how they speak, how they refuse, and how options of a benchmark are written.

Ctrl-C, and the SIGTERM that clusters send, alike: a KeyboardInterrupt, and which signal it was.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pydantic
import typer
from rich.console import Console
from rich.text import Text

from study.config import TrialConfig
from study.space.strict_yaml import explain, read_value
from tasks.errors import UserError

LOG_WIDTH = 160
"""Columns of a log file, where there is no terminal to measure."""
DEFAULT_SPACE = "quickstart"
DEFAULT_STORAGE = "~/multilingual-retrieval-studies"
"""Folder of all studies."""


def console() -> Console:
    """Return where a command prints."""
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = LOG_WIDTH
    return made


@contextmanager
def refusals() -> Iterator[None]:
    """Print what is the user's to mend as one line, and exit with 2; anything else is ours and keeps its trace."""
    try:
        yield
    except UserError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), str(error)))
        sys.exit(2)


def door(command: Callable[..., None]) -> typer.Typer:
    """Return a command as a program; calling it runs the command with the arguments of this process."""
    made = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    made.command()(command)
    return made


LITERAL = frozenset({"query_prefix", "passage_prefix"})
"""Settings that are text, white space and colons included; `query_prefix=` is the empty prefix."""


def key_values(texts: Sequence[str]) -> dict[str, Any]:
    """Return options written `KEY=VALUE`, the value as in YAML or, for `LITERAL` keys, as it stands.

    Raises:
        UserError: one without `=`.
    """
    for text in texts:
        if "=" not in text:
            raise UserError(f"--option '{text}' is refused: write KEY=VALUE, such as 'languages=[th, zh]'")
    pairs = (text.split("=", 1) for text in texts)
    return {key: value if key in LITERAL else read_value(value) for key, value in pairs}


def trial_config(values: dict[str, Any]) -> TrialConfig:
    """Return a trial's configuration from values given on the command line.

    Raises:
        UserError: the first thing that is wrong with them.
    """
    try:
        return TrialConfig.model_validate(values)
    except pydantic.ValidationError as error:
        raise UserError(f"trial{explain(TrialConfig, error.errors())}") from None


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
