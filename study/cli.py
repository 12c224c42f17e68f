"""Shared by all commands: output, refusals, KEY=VALUE options, and signals."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pydantic
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from study.config import TrialConfig
from study.results import files, layout
from study.space.strict_yaml import explain, read_value
from tasks.errors import UserError
from tasks.paths import user_path
from tasks.plugins import nearest

LOG_WIDTH = 160
"""Width of output that is not a terminal, such as a log file."""
LONGEST_MESSAGE = 800
"""Characters of an error; the middle of a longer one is left out."""
DEFAULT_SPACE = "quickstart"
DEFAULT_STORAGE, STORAGE_VARIABLE = "~/multilingual-retrieval-studies", "STUDY_STORAGE"
"""Folder of all studies, and what names another."""
STUDY_HELP = "The study's folder or URI, or its name if it lies in the storage of all studies."


def console() -> Console:
    """Return the console that a command prints to.

    Characters that the output's encoding lacks are printed as escapes, so that printing never ends a command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    output = Console(highlight=False)
    if not output.is_terminal and "COLUMNS" not in os.environ:
        output.width = LOG_WIDTH
    return output


def say(console: Console, *sentences: str | Text) -> None:
    """Print sentences, wrapped between words on a terminal; elsewhere each is one line, which tools can search."""
    for sentence in sentences:
        console.print(sentence if isinstance(sentence, Text) else Text(sentence), soft_wrap=not console.is_terminal)


def say_list(console: Console, sentences: Sequence[str]) -> None:
    """Print sentences as a list, wrapped between words on a terminal."""
    if not console.is_terminal:
        say(console, *(f"- {sentence}" for sentence in sentences))
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    for sentence in sentences:
        grid.add_row("-", Text(sentence))
    console.print(grid)


@contextmanager
def refusals() -> Iterator[None]:
    """Print user errors as one sentence and exit with status 2; let other exceptions propagate."""
    try:
        yield
    except UserError as error:
        say(Console(stderr=True, highlight=False), Text.assemble(("error: ", "bold red"), one_line(str(error))))
        sys.exit(2)


def one_line(message: str) -> str:
    """Return a message as one line that people can read: a value in it may be long, or hold control characters.

    Invisible characters, and those that change the direction of the text, are shown as escapes.
    """
    line = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in message)
    half = LONGEST_MESSAGE // 2
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:half]} [...] {line[-half:]}"


def program(command: Callable[..., None]) -> typer.Typer:
    """Return a command as a program; calling it runs the command with the arguments of this process."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    return app


LITERAL = frozenset({"query_prefix", "passage_prefix"})
"""Settings that are text, white space and colons included; `query_prefix=` is the empty prefix."""


def key_values(texts: Sequence[str], option: str = "--option") -> dict[str, Any]:
    """Return options written `KEY=VALUE`, the value as in YAML or, for `LITERAL` keys, as it is written.

    Raises:
        UserError: an option has no `=`.
    """
    for text in texts:
        if "=" not in text:
            raise UserError(f"{option} '{text}' is refused: write KEY=VALUE, such as 'languages=[th, zh]'")
    pairs = (text.split("=", 1) for text in texts)
    return {key: value if key in LITERAL else read_value(value) for key, value in pairs}


def trial_config(values: dict[str, Any]) -> TrialConfig:
    """Return a trial's configuration from values given on the command line.

    Raises:
        UserError: names the first value that is refused.
    """
    try:
        return TrialConfig.model_validate(values)
    except pydantic.ValidationError as error:
        raise UserError(f"trial{explain(TrialConfig, error.errors())}") from None


def study_folder(study: str) -> str:
    """Return the folder of a study that is named on the command line: a folder, a URI or a name in the storage.

    Raises:
        UserError: neither this folder nor the storage has a study of this name.
    """
    if "/" in study or files.exists(files.join(files.absolute(study), layout.STUDY)):
        return study
    storage = files.absolute(os.environ.get(STORAGE_VARIABLE) or DEFAULT_STORAGE)
    layout.check_reachable(storage)
    if files.exists(files.join(storage, study, layout.STUDY)):
        return files.join(storage, study)
    if Path(study).exists():
        return study  # it says itself what it lacks
    raise UserError(
        f"there is no study '{study}' here or in {storage} ({STORAGE_VARIABLE} names another storage): "
        f"{nearest(study, files.folders(storage))}"
    )


def output_file(file: Path | str, option: str) -> Path:
    """Return a file's absolute path, before anything is computed for it.

    Raises:
        UserError: it is a folder, or nothing can be written to its folder.
    """
    file = user_path(file).resolve()
    if file.is_dir():
        raise UserError(f"{option} {file} cannot be written (it is a folder): name a file")
    output_folder(file.parent, option, file)
    return file


def output_folder(folder: Path | str, option: str, output: Path | None = None) -> Path:
    """Return a folder's absolute path, before anything is computed for it.

    Args:
        folder: it need not exist.
        option: its option, for messages.
        output: what will be written into it, for messages; by default the folder itself.

    Raises:
        UserError: nothing can be written into it.
    """
    folder = user_path(folder).resolve()
    try:
        files.check_writable(folder)
    except OSError as error:
        raise UserError(
            f"{option} {output or folder} cannot be written ({error.strerror}): name another place"
        ) from None
    return folder


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, what clusters send, and the end of a terminal or an SSH session."""


class Interruption:
    """Turns the signals that ask this process to end into KeyboardInterrupt."""

    def __init__(self) -> None:
        """Create the handler without installing it."""
        self.signal: signal.Signals | None = None
        """The signal that was received, if any. Ray replaces an exception that a handler raises by its own."""

    def install(self) -> None:
        """Raise KeyboardInterrupt at the first signal; the second one ends the process at once."""
        for number in SIGNALS:
            signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt(self.signal.name)
