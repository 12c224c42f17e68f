"""Command lines with unknown options, wrong values, and places where nothing can be written."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator
from pathlib import Path

from tests.bad_inputs.case import SPACE, BadInput, Prepare, Templates, files, written
from tests.bad_inputs.studies import STUDY, with_study

WRITTEN = Path(__file__).with_suffix(".txt")
MODEL = "builtin/xlmr-tiny"
MINE, EVALUATE, EXPORT = (
    ("mine", MODEL, "factbook"),
    ("evaluate", MODEL, "--option", "languages=[th, zh]"),
    ("export", STUDY),
)
COMMANDS = ("run", "evaluate", "compare", "report", "export", "mine", "fetch", "dashboard", "doctor")
UNKNOWN = (("--unknown",), ("--hepl",), ("\u2014dry-run",), ("a", "b", "c", "--d"))
NAMES = ("", ".", "..", "../x", "a/b", "/abs", ".hidden", "new\nline", "bell\x07", "x" * 400, "ย" * 200)
INVISIBLE = ("\u202eelif", "a\u2028b", " ", "\u200b", "\udcff")
UNWRITABLE = ("/proc/nothing/x", "/dev/null/x", "/sys/x", f"{SPACE}/x", "x" * 300, "ย" * 200)
OUTPUTS = ((*EVALUATE, "--output"), (*EVALUATE, "--runs"), (*MINE, "--output"), (*EXPORT, "--output"))
DEEP, LONG = "[" * 3000, "9" * 5000
UNTYPED: dict[str, tuple[str, ...]] = {
    "a list without end": (*EVALUATE, "--setting", f"batch_size={DEEP}"),
    "an option without end": ("evaluate", MODEL, "--option", f"languages={DEEP}"),
    "a number of 5,000 digits": (*EVALUATE, "--setting", f"seed={LONG}"),
    "a corpus without end": ("mine", MODEL, DEEP),
    "a corpus of 5,000 digits": ("mine", MODEL, LONG),
    "a split of 5,000 digits": ("fetch", "factbook", "--option", f"split={LONG}"),
    "a baseline of 5,000 digits": ("compare", STUDY, "--baseline", LONG),
    "a trial of 5,000 digits": (*EXPORT, "--trial", LONG),
    "a host of 300 letters": ("dashboard", STUDY, "--port", "0", "--host", "x" * 300),
    "limits that are no study": ("evaluate", MODEL, "--limits", "trail"),
    "limits at a URI of no scheme": ("evaluate", MODEL, "--limits", "foo://study"),
    "limits of a file": ("evaluate", MODEL, "--limits", "/etc/passwd"),
    "a model that turns its name around": ("evaluate", "\u202eelif"),
    "a model in bytes": ("evaluate", "\udcff"),
}


def inputs() -> Iterator[BadInput]:
    """Yield command lines."""
    here = files({SPACE: written()})
    for command, arguments in itertools.product(COMMANDS, UNKNOWN):
        yield BadInput("unknown option", f"{command} {' '.join(arguments)}", (command, *arguments), here)
    for name in (*NAMES, *INVISIBLE):
        yield BadInput("name of a study", ascii(name)[:30], ("run", "--dry-run", "--name", name), here)
    for line in WRITTEN.read_text("utf-8").splitlines():
        if arguments := tuple(shlex.split(line, comments=True)):
            yield BadInput(f"command line of {arguments[0]}", line, arguments, _prepare(arguments))
    for name, arguments in UNTYPED.items():
        yield BadInput("long or strange value", name, arguments, _prepare(arguments))
    for start, place in itertools.product(OUTPUTS, UNWRITABLE):
        name = f"{start[0]} {start[-1]} {place[:20]}"
        yield BadInput("unwritable place", name, (*start, place), _prepare(start))
    yield from _too_large()
    yield from _forbidden()


def _prepare(arguments: tuple[str, ...]) -> Prepare:
    return with_study if STUDY in arguments else files({SPACE: written()})


def _too_large() -> Iterator[BadInput]:
    """Yield runs of search spaces that this machine has no room for."""
    for name, resources in {
        "1,000 workers": {"workers": 1000},
        "10^6 CPUs": {"cpus_per_worker": 10**6},
        "1,000 GPUs": {"gpus_per_worker": 1000},
    }.items():
        space = written({"resources": resources, "batch_size": 1000})
        yield BadInput("too large for this machine", name, ("run", SPACE), files({SPACE: space}))


def _forbidden() -> Iterator[BadInput]:
    """Yield commands that may not write where they have to."""

    def closed(place: str) -> Prepare:
        def prepare(folder: Path, templates: Templates) -> None:
            with_study(folder, templates)
            (folder / "closed").mkdir()
            (folder / place).chmod(0o555)

        return prepare

    for place, arguments in (
        (STUDY, ("compare", STUDY)),
        (STUDY, ("report", STUDY)),
        ("closed", (*EXPORT, "--output", "closed/x")),
        ("closed", (*EVALUATE, "--output", "closed/x.json")),
        ("closed", (*EVALUATE, "--runs", "closed/x")),
        ("closed", (*MINE, "--output", "closed/x.jsonl")),
        ("closed", ("run", SPACE, "--storage", "closed")),
        ("closed", ("run", SPACE, "--dry-run", "--storage", "closed")),
    ):
        name = f"{arguments[0]} {' '.join(arguments[1:])}"
        yield BadInput("may not write", name, arguments, closed(place), permission=True)
