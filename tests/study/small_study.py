"""A study of three languages on real Ray: small enough for a test, whole enough to fail."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import yaml

from study.results import layout

LANGUAGES = ["ar", "th", "zh"]
FACTBOOK = {"name": "factbook", "languages": LANGUAGES}
SPACE: dict[str, Any] = {
    "trial": {
        "corpora": [FACTBOOK],
        "benchmarks": [FACTBOOK],
        "validation": {"benchmark": FACTBOOK | {"split": "dev"}, "every": 2},
        "steps": 4,
        "batch_size": 8,
        "learning_rate": 3e-3,
        "max_query_tokens": 48,
        "max_passage_tokens": 64,
        "resources": {"workers": 2},
    },
    "search": {
        "sampler": "tpe",
        "trials": 2,
        "first": [{"alpha": 0.5}],
        "space": {"alpha": {"type": "float", "low": 0, "high": 1}},
    },
}
Ended = tuple[Path, subprocess.CompletedProcess[str]]
"""A study's folder, and the process that ran it."""
COMMAND = [sys.executable, "-m", "study.run"]
ENVIRONMENT = os.environ | {
    "RAY_AUTH_MODE": "disabled",
    "RAY_memory_monitor_refresh_ms": "0",  # what else runs on this machine is no fault of the study
}


def run(*arguments: str, timeout: float = 600, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `study.run` to its end; `changes` are further environment variables."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=ENVIRONMENT | changes,
    )


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `study.run` beside the test, as a shell does: in a process group of its own."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
        process_group=0,
    ) as study:
        try:
            yield study
        finally:
            study.kill()


def write_space(folder: Path, changes: dict[str, Any]) -> str:
    """Write the search space with some keys replaced; return its path."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(SPACE | changes), "utf-8")
    return str(path)


def wait_for(file: Path, study: subprocess.Popen[str], timeout: float = 600) -> None:
    """Return once `file` is there; fail where the study ends before."""
    deadline = time.monotonic() + timeout
    while not file.exists():
        assert study.poll() is None, f"ended with {study.returncode} before {file} was there"
        assert time.monotonic() < deadline, f"no {file} after {timeout} s"
        time.sleep(0.05)


def checkpoint_of(folder: Path, trial: int) -> Path:
    """Return the last file of a trial's first checkpoint."""
    return folder / "trials" / f"{trial:04d}" / "step-00000002" / "progress.json"


def told(folder: Path) -> list[tuple[Any, ...]]:
    """Return all that two runs of one study must agree on: what is on record, and every result's figures."""
    study = optuna.load_study(study_name=folder.name, storage=f"sqlite:///{folder}/optuna.db")
    found = {result.number: result for result in layout.finished(str(folder))}
    return [
        (
            trial.number,
            trial.state.name,
            trial.params,
            trial.values,
            trial.intermediate_values,
            *(getattr(found.get(trial.number), name, None) for name in ("config", "metrics", "benchmarks")),
        )
        for trial in study.trials
    ]
