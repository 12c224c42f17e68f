"""Overhead of a trial besides its work, against a bare Ray Train trial under Tune.

    python -m bench.trial_overhead --checkpoint DIR --data DIR

The overhead is the time from the end of one trial's evaluation to the next trial's first optimizer step: Tune, Optuna,
processes, imports, loading the checkpoint, the process group. Both run trials one after the other, two workers each, on
the same checkpoint; the bare trial is what Ray's own guide shows: a function that fits a TorchTrainer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from bench.row import Options, Row, Seconds, finish, in_turn, options
from bench.texts import benchmark_options, corpus_file
from study.results import files, layout

TRIALS = 4


def ours(chosen: Options, folder: Path) -> list[float]:
    """Run a study of this project."""
    benchmark = {"name": "xquad_r", "languages": ["en"]} | {
        key: value for key, value in benchmark_options(chosen).items() if key != "languages"
    }
    trial = {
        "backbone": chosen.checkpoint,
        "corpora": [{"name": "parallel_jsonl", "path": str(corpus_file(chosen, folder))}],
        "benchmarks": [benchmark],
        "validation": {"benchmark": {"name": "factbook", "split": "dev", "languages": ["en"]}, "every": 1},
        "steps": 1,
        "batch_size": 4,
        "resources": {"workers": 2},
    }
    space = {"alpha": {"type": "float", "low": 0, "high": 1}}
    study = {"trial": trial, "search": {"sampler": "random", "trials": TRIALS, "space": space}}
    file = folder / "overhead.yaml"
    file.write_text(yaml.safe_dump(study), "utf-8")
    run("-m", "study.run", str(file), "--name", "overhead", "--storage", str(folder))
    trials = [layout.trial_folder(str(folder / "overhead"), number) for number in range(TRIALS)]
    clocks = [files.read_json(files.join(trial, layout.RESULT))["clock"] for trial in trials]
    return between([(clock["training"], clock["measured"]) for clock in clocks])


def theirs(chosen: Options, folder: Path) -> list[float]:
    """Run the bare trials."""
    run("-m", "bench.peer_trials", chosen.checkpoint, str(folder), str(TRIALS))
    lines = (folder / "clock.txt").read_text("utf-8").splitlines()
    first, last = zip(*(map(float, line.split()) for line in lines), strict=True)
    return between(list(zip(first, last, strict=True)))


def between(clocks: list[tuple[float, float]]) -> list[float]:
    """Return the seconds from each trial's end of evaluation to the next one's first step."""
    clocks = sorted(clocks)
    return [after[0] - before[1] for before, after in pairwise(clocks)]


def run(*command: str) -> None:
    """Run a Python process to its end, quietly."""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    subprocess.run([sys.executable, *command], check=True, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603


def measure(chosen: Options) -> Row:
    """Run both; each gap between two trials is a figure."""
    took: dict[str, list[float]] = {"ours": [], "theirs": []}

    def contest(contestant: Any) -> Seconds:
        with tempfile.TemporaryDirectory() as scratch:
            took[contestant.__name__] += contestant(chosen, Path(scratch))
        return Seconds(0, 0)

    in_turn(lambda: contest(ours), lambda: contest(theirs), 1)
    return Row(
        "trial overhead",
        "a bare Ray Train trial under Tune",
        "s",
        more_is_better=False,
        goal=1 / 0.7,
        ours=took["ours"],
        theirs=took["theirs"],
    )


if __name__ == "__main__":
    chosen = options()
    finish([measure(chosen)], chosen)
