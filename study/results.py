"""What a study leaves behind: the layout of its folder, and how to read it back. Starts without torch or Ray.

<study>/study.json               the search space as resolved, versions, hardware
<study>/optuna.db                every trial: parameters, states, values
<study>/trials/0003/result.json  configuration, metrics by benchmark, language and pair
<study>/trials/0003/positions/   per-query positions, one Parquet file a benchmark
<study>/trials/0003/examples.json  what was retrieved for some queries of each language
<study>/trials/0003/step-...     the checkpoints that are kept
<study>/tensorboard/             scalars and HParams
<study>/tune/                    Tune's own files
"""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from study import storage

STUDY = "study.json"
RECORD = "optuna.db"
RESULT = "result.json"
EXAMPLES = "examples.json"
TRIALS, TUNE, TENSORBOARD = "trials", "tune", "tensorboard"
PACKAGES = ("torch", "transformers", "ray", "optuna", "faiss-cpu", "datasets", "tokenizers", "numpy", "babel")


def trial_folder(study_folder: str, number: int) -> str:
    """Return where trial `number` keeps its files."""
    return storage.join(study_folder, TRIALS, f"{number:04d}")


def positions_file(folder: str, benchmark: str) -> str:
    """Return the Parquet file of a trial's per-query positions on one benchmark."""
    return storage.join(folder, "positions", f"{benchmark}.parquet")


def finished(study_folder: str) -> list[dict[str, Any]]:
    """Return the result of every trial that was evaluated, by number."""
    numbers = [int(name) for name in storage.folders(storage.join(study_folder, TRIALS)) if name.isdigit()]
    files = [storage.join(trial_folder(study_folder, number), RESULT) for number in numbers]
    held = [storage.read_json(file) for file in files if storage.exists(file)]
    return [result for result in held if "failed" not in result]


def versions() -> dict[str, str]:
    """Return the versions that decide a result: Python's and the packages'."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}


def hardware() -> dict[str, str | int]:
    """Return what this machine is."""
    cpu_info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in _lines(cpu_info) if line.startswith("model name")]
    return {"processor": names[0] if names else platform.processor(), "cores": os.cpu_count() or 1}


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.is_file() else []
