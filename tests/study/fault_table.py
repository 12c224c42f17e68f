"""`make test-faults`: the fault matrix at random moments, as a table in Markdown; exits 1 where any row is unequal.

Each row runs the small study, kills one of its processes at a moment drawn uniformly from the time an undisturbed run
takes, brings the study to its end, and compares every trial's state, values, configuration and figures with that run's.
A moment at which no process of the kind lives becomes the first at which one does.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from study.results import layout
from study.runtime.exit_status import UNFINISHED
from tests.study.faults import ENDS_THE_STUDY, Kind, of_kind, strike
from tests.study.small_study import run, started, told, write_space

SHORT_BYTES = 1_700_000_000
"""Less than Ray and the processes of a trial need."""


class Row(NamedTuple):
    """What one fault did."""

    kind: Kind
    struck_at: float | None
    """Seconds after the start; None where no process of the kind lived from the moment on."""
    where: str
    outcome: str
    trials: int
    equal: bool


def main() -> int:
    """Print the table and return the code for the shell."""
    arguments = argparse.ArgumentParser(description="The fault matrix at random moments.")
    arguments.add_argument("--moments", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    chance = random.Random(given.seed)  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        began = time.monotonic()
        calm = run(write_space(folder, {}), "--storage", scratch, "--name", "undisturbed")
        seconds = time.monotonic() - began
        assert calm.returncode == 0, calm.stderr
        expected = told(folder / "undisturbed")
        say(f"seed {given.seed}; the undisturbed study took {seconds:.0f} s and has {len(expected)} trials\n")
        say("| # | killed | at (s) | the study stood at | then | trials | equal |")
        say("| --: | :-- | --: | :-- | :-- | --: | :-- |")
        equal = True
        for number in range(given.moments):
            kind = list(Kind)[number % len(Kind)]
            row = fault(folder, f"struck-{number:02d}", kind, chance.uniform(0, seconds), expected)
            at = "–" if row.struck_at is None else f"{row.struck_at:.1f}"
            verdict = "yes" if row.equal else "NO"
            say(f"| {number} | {kind} | {at} | {row.where} | {row.outcome} | {row.trials} | {verdict} |")
            equal = equal and row.equal
        row = short_of_memory(folder, "short", expected)
        say(
            f"| {given.moments} | Ray's memory monitor | – | {row.where} | {row.outcome} | {row.trials} | {row.equal} |"
        )
        equal = equal and row.equal
    return 0 if equal else 1


def say(text: str) -> None:
    """Print at once: the table takes its time."""
    print(text, flush=True)  # noqa: T201 - what this program is for


def fault(folder: Path, name: str, kind: Kind, moment: float, expected: list[tuple[Any, ...]]) -> Row:
    """Run the study, kill a process of the kind, bring the study to its end and compare."""
    place, space = ("--storage", str(folder), "--name", name), str(folder / "small.yaml")
    with started(space, *place) as study:
        struck_at = strike_at(study, kind, moment)
        where = stands(folder / name)
        study.communicate()
    outcome = f"went on, exit {study.returncode}"
    if kind in ENDS_THE_STUDY and struck_at is not None:
        begun = (folder / name / layout.STUDY).exists()
        again = run(*(["--resume"] if begun else [space]), *place)
        outcome = f"{'resumed' if begun else 'started anew'}, exit {again.returncode}"
    held = told(folder / name)
    return Row(kind, struck_at, where, outcome, len(held), held == expected)


def short_of_memory(folder: Path, name: str, expected: list[tuple[Any, ...]]) -> Row:
    """Run the study where Ray kills processes for want of memory, then resume it where there is enough."""
    place, memory = ("--storage", str(folder), "--name", name), psutil.virtual_memory()
    threshold = (memory.total - memory.available + SHORT_BYTES) / memory.total
    ended = run(
        str(folder / "small.yaml"),
        *place,
        RAY_memory_monitor_refresh_ms="100",
        RAY_memory_usage_threshold=f"{threshold:.4f}",
    )
    assert ended.returncode == UNFINISHED, ended.stderr
    assert "killed: out of memory: lower micro_batch_tokens" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
    where, again = stands(folder / name), run("--resume", *place)
    held = told(folder / name)
    return Row(Kind.TRIAL, None, where, f"resumed, exit {again.returncode}", len(held), held == expected)


def strike_at(study: subprocess.Popen[str], kind: Kind, moment: float) -> float | None:
    """Kill a process of the kind, `moment` seconds from now or as soon as there is one; return when."""
    began = time.monotonic()
    while study.poll() is None:
        passed = time.monotonic() - began
        alive = of_kind(study.pid, kind) if passed >= moment else []
        if alive:
            with suppress(psutil.NoSuchProcess):  # it may end by itself just then
                strike(alive[0])
                return passed
        time.sleep(0.05)
    return None


def stands(folder: Path) -> str:
    """Return how far a study is, by the files of its latest trial."""
    trials = sorted((folder / layout.TRIALS).glob("[0-9]*"))
    if not trials:
        return "no trial yet"
    last = trials[-1]
    steps = layout.checkpoints(str(last))
    at = "result written" if (last / layout.RESULT).exists() else steps[0] if steps else "before a checkpoint"
    return f"trial {int(last.name)}, {at}"


if __name__ == "__main__":
    sys.exit(main())
