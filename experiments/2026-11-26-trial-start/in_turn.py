"""Run one small study with the code of two checkouts in turn: seconds between trials, and processes with their memory.

    git worktree add /tmp/before f67adbc
    python experiments/2026-11-26-trial-start/in_turn.py /tmp/before . --turns 2

The gap is the time from the end of one trial's evaluation to the next trial's first step, from `clock` in the results.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import psutil

TRIALS = 4
SPACE = f"""
trial:
  corpora: [{{name: factbook, languages: [ar, th, zh]}}]
  benchmarks: [{{name: factbook, languages: [ar, th, zh]}}]
  validation: {{every: 2, benchmark: {{name: factbook, split: dev, languages: [ar, th, zh]}}}}
  steps: 4
  batch_size: 8
  resources: {{workers: 2}}
search:
  sampler: random
  trials: {TRIALS}
  space:
    alpha: {{type: float, low: 0, high: 1}}
"""


class Turn(NamedTuple):
    """What one study took."""

    seconds: float
    gaps: list[float]
    megabytes: dict[str, list[int]]
    """Resident memory of Ray's processes while the second trial trains, by what they do."""


def turn(checkout: Path, folder: Path) -> Turn:
    """Run the study once."""
    space = folder / "space.yaml"
    space.write_text(SPACE, "utf-8")
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve()), "RAY_AUTH_MODE": "disabled"}
    command = [sys.executable, "-m", "study.run", str(space), "--storage", str(folder), "--name", "turn"]
    began, megabytes = time.monotonic(), {}
    training = folder / "turn" / "trials" / "0001" / "step-00000002" / "progress.json"
    with subprocess.Popen(command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL) as study:
        while study.poll() is None:
            if training.exists() and not megabytes:
                megabytes = memory(study.pid)
            time.sleep(0.1)
    assert study.returncode == 0
    seconds = time.monotonic() - began
    results = [folder / "turn" / "trials" / f"{number:04d}" / "result.json" for number in range(TRIALS)]
    clocks = [json.loads(result.read_text("utf-8"))["clock"] for result in results]
    return Turn(seconds, [after["training"] - before["measured"] for before, after in pairwise(clocks)], megabytes)


def memory(pid: int) -> dict[str, list[int]]:
    """Return the memory of all processes of Ray below a process."""
    held: dict[str, list[int]] = {}
    for process in psutil.Process(pid).children(recursive=True):
        try:
            title = " ".join(process.cmdline()).partition(".")[0].strip()
            if title.startswith("ray::"):
                held.setdefault(title.removeprefix("ray::"), []).append(process.memory_info().rss >> 20)
        except psutil.Error:
            continue  # it ended meanwhile
    return held


def main() -> None:
    """Take turns, and print medians and their ratios."""
    parser = argparse.ArgumentParser(description="One small study by two checkouts in turn.")
    parser.add_argument("checkouts", nargs=2, type=Path)
    parser.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    took: dict[Path, list[Turn]] = {checkout: [] for checkout in given.checkouts}
    for number in range(given.turns):
        for checkout in given.checkouts[:: 1 if number % 2 == 0 else -1]:
            with tempfile.TemporaryDirectory() as scratch:
                took[checkout].append(turn(checkout, Path(scratch)))
            print(checkout, took[checkout][-1], flush=True)
    gap, seconds = (
        [statistics.median(value for one in took[checkout] for value in values(one)) for checkout in given.checkouts]
        for values in (lambda one: one.gaps, lambda one: [one.seconds])
    )
    print(f"median gap: {gap[0]:.1f} s and {gap[1]:.1f} s, {gap[1] / gap[0]:.2f}")
    print(f"median study: {seconds[0]:.0f} s and {seconds[1]:.0f} s, {seconds[1] / seconds[0]:.2f}")


if __name__ == "__main__":
    main()
