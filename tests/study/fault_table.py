"""`make test-faults`: faults of all kinds at random moments, as a table in Markdown; exits 1 where any row is unequal.

Each row runs the small study and disturbs it at a moment drawn uniformly from the time an undisturbed run takes: a
process of the study or of Ray is killed, or stopped for a while; the record is locked; the storage is cut off, or full.
It then brings the study to its end and compares every trial's state, values, configuration and figures with those of
the undisturbed run, and counts the study's processes that are left. A moment at which there is nothing to disturb
becomes the first at which there is. Storage is disturbed where mounts are allowed (root).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from study.results import layout
from study.runtime.exit_status import UNFINISHED
from tests.study.disks import cut_off, fill, small_disk
from tests.study.faults import Kind, below, left_over, of_kind, strike
from tests.study.small_study import run, started, told, write_space

SHORT_BYTES = 1_700_000_000
"""Less than Ray and the processes of a trial need."""
PAUSE_S = 20
Strike = Callable[[int, Path], bool]
"""Disturbs the study with this process and folder; returns whether there was something to disturb."""


class Fault(NamedTuple):
    """What is done to a study."""

    name: str
    strike: Strike
    needs_disk: bool = False
    """Whether the study's storage has to be a small disk of its own."""


class Row(NamedTuple):
    """What one fault did."""

    fault: str
    struck_at: float | None
    """Seconds after the start; None where there was nothing to disturb from the moment on."""
    where: str
    outcome: str
    trials: int
    equal: bool
    left: int
    """Processes of the study that still ran three minutes after its end."""

    def __str__(self) -> str:
        at = "–" if self.struck_at is None else f"{self.struck_at:.1f}"
        verdict = "yes" if self.equal else "NO"
        return f"{self.fault} | {at} | {self.where} | {self.outcome} | {self.trials} | {verdict} | {self.left} |"


def faults() -> list[Fault]:
    """Return all faults that can be made on this machine."""
    made = [Fault(f"{kind} killed", partial(kill, kind)) for kind in Kind]
    made += [Fault(f"{kind} stopped for {PAUSE_S} s", partial(pause, kind)) for kind in Kind]
    made.append(Fault(f"record locked for {PAUSE_S} s", lock))
    if os.geteuid() == 0:
        made += [Fault("storage cut off", cut), Fault("disk full", fill_up, needs_disk=True)]
    return made


def main() -> int:
    """Print the table and return the code for the shell."""
    arguments = argparse.ArgumentParser(description="Faults at random moments.")
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
        say("| # | fault | at (s) | the study stood at | then | trials | equal | processes left |")
        say("| --: | :-- | --: | :-- | :-- | --: | :-- | --: |")
        kinds, unharmed = faults(), True
        for number in range(given.moments):
            row = disturbed(folder, number, kinds[number % len(kinds)], chance.uniform(0, seconds), expected)
            say(f"| {number} | {row}")
            unharmed = unharmed and row.equal and not row.left
        row = short_of_memory(folder, "short", expected)
        say(f"| {given.moments} | {row}")
    return 0 if unharmed and row.equal else 1


def say(text: str) -> None:
    """Print at once: the table takes its time."""
    print(text, flush=True)  # noqa: T201 - what this program is for


def disturbed(folder: Path, number: int, fault: Fault, moment: float, expected: list[tuple[Any, ...]]) -> Row:
    """Run the study, disturb it, bring it to its end and compare."""
    space = str(folder / "small.yaml")
    with small_disk(folder / f"disk-{number}") if fault.needs_disk else nullcontext(folder) as storage:
        name = f"struck-{number:02d}"
        place, held = ("--storage", str(storage), "--name", name), storage / name
        with started(space, *place) as study:
            struck_at, processes = strike_at(study, fault.strike, held, moment)
            where = stands(held)
            study.communicate()
        outcome = f"exit {study.returncode}"
        if study.returncode:
            (storage / "filler").unlink(missing_ok=True)
            begun = (held / layout.STUDY).exists()
            again = run(*(["--resume"] if begun else [space]), *place)
            outcome += f", {'resumed' if begun else 'started anew'}: exit {again.returncode}"
        found = told(held)
        return Row(fault.name, struck_at, where, outcome, len(found), found == expected, len(left_over(processes)))


def strike_at(
    study: subprocess.Popen[str], strike_it: Strike, folder: Path, moment: float
) -> tuple[float | None, list[psutil.Process]]:
    """Disturb the study `moment` seconds from now or as soon as possible; return when, and the processes it had."""
    began = time.monotonic()
    while study.poll() is None:
        passed = time.monotonic() - began
        if passed >= moment:
            processes = below(study.pid)
            with suppress(psutil.NoSuchProcess):  # it may end by itself just then
                if strike_it(study.pid, folder):
                    return passed, processes
        time.sleep(0.05)
    return None, []


def kill(kind: Kind, pid: int, _: Path) -> bool:
    """Kill a process of the kind."""
    alive = of_kind(pid, kind)
    if alive:
        strike(alive[0])
    return bool(alive)


def pause(kind: Kind, pid: int, _: Path) -> bool:
    """Stop a process of the kind for a while."""
    alive = of_kind(pid, kind)
    if alive:
        alive[0].send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)
        alive[0].send_signal(signal.SIGCONT)
    return bool(alive)


def lock(_: int, folder: Path) -> bool:
    """Lock the record for a while, as another program that writes into it does."""
    file = folder / layout.RECORD
    if not file.exists():
        return False
    with sqlite3.connect(file, timeout=PAUSE_S, isolation_level=None) as record:
        record.execute("BEGIN EXCLUSIVE")
        time.sleep(PAUSE_S)
        record.execute("ROLLBACK")
    record.close()
    return True


def cut(_: int, folder: Path) -> bool:
    """Cut the folder of trials off for a while."""
    trials = folder / layout.TRIALS
    if trials.exists():
        cut_off(trials)
    return trials.exists()


def fill_up(_: int, folder: Path) -> bool:
    """Fill the disk; it stays full until the study has ended."""
    if (folder / layout.STUDY).exists():
        fill(folder.parent)
    return (folder / layout.STUDY).exists()


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
    found = told(folder / name)
    outcome = f"exit {ended.returncode}, resumed: exit {again.returncode}"
    return Row("Ray's memory monitor", None, where, outcome, len(found), found == expected, 0)


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
