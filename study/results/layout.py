"""What a study leaves behind: the layout of its folder, and how to read it back. Starts without torch or Ray.

<study>/study.json               the search space as resolved, versions, hardware
<study>/optuna.db                every trial: parameters, states, values
<study>/pareto.json              of several objectives: the trials that no other dominates
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

from study.results import files
from tasks.errors import UserError

STUDY = "study.json"
RECORD = "optuna.db"
RECORD_ELSEWHERE = "STUDY_RECORD"
"""The variable that names the record of studies whose folders cannot hold it."""
RESULT = "result.json"
PROGRESS = "progress.json"
"""In a checkpoint: where the training stood, its history included."""
EXAMPLES = "examples.json"
TRIALS, TUNE, TENSORBOARD = "trials", "tune", "tensorboard"
_STEP = "step-"
PACKAGES = ("torch", "transformers", "ray", "optuna", "faiss-cpu", "datasets", "tokenizers", "numpy", "babel")


class RecordError(UserError):
    """There is nowhere to keep the record of a study's trials."""


def record_url(study_folder: str, chosen: str | None) -> str:
    """Return the URL of a study's Optuna storage.

    It is the one chosen in the search space, else SQLite in the study's folder; where that is in a bucket, the one that
    STUDY_RECORD names.

    Raises:
        RecordError: none is chosen, and the folder is on storage that SQLite cannot write to.
    """
    if chosen:
        return chosen
    if files.is_local(study_folder):
        return f"sqlite:///{study_folder}/{RECORD}"
    if not os.environ.get(RECORD_ELSEWHERE):
        raise RecordError(
            f"{study_folder} cannot hold the record of the trials: SQLite needs a file system; set {RECORD_ELSEWHERE}, "
            "or `storage:` in the search space, to a database, postgresql://user@host/studies, or to a file on this "
            "machine, sqlite:////home/me/studies.db"
        )
    return os.environ[RECORD_ELSEWHERE]


def trial_folder(study_folder: str, number: int) -> str:
    """Return where trial `number` keeps its files."""
    return files.join(study_folder, TRIALS, f"{number:04d}")


def positions_file(folder: str, benchmark: str) -> str:
    """Return the Parquet file of a trial's per-query positions on one benchmark."""
    return files.join(folder, "positions", f"{benchmark}.parquet")


def checkpoint_name(folder: str, step: int) -> str:
    """Return the name of a new checkpoint of a trial; one of the same step that could not be read keeps its own."""
    name = f"{_STEP}{step:08d}"
    earlier = len(checkpoints(folder, step))
    return f"{name}.{earlier}" if earlier else name


def checkpoints(folder: str, step: int | None = None) -> list[str]:
    """Return the names of a trial's checkpoints, or of those of one step, newest first."""
    prefix = _STEP if step is None else f"{_STEP}{step:08d}"
    return sorted((name for name in files.folders(folder) if name.startswith(prefix)), reverse=True)


def history(folder: str, result: dict[str, Any]) -> list[dict[str, float]]:
    """Return every report of a trial that has its result; if it failed, those up to its newest whole checkpoint."""
    if "training" in result:
        return list(result["training"]["history"])
    for name in checkpoints(folder):
        try:
            return list(files.read_json(files.join(folder, name, PROGRESS))["history"])
        except (
            ValueError,
            KeyError,
            FileNotFoundError,
        ):  # damaged; `study.runtime.checkpoints` skips it too
            continue
    return []


def finished(study_folder: str) -> list[dict[str, Any]]:
    """Return the result of every trial that was evaluated, by number."""
    numbers = [int(name) for name in files.folders(files.join(study_folder, TRIALS)) if name.isdigit()]
    paths = [files.join(trial_folder(study_folder, number), RESULT) for number in numbers]
    held = [files.read_json(path) for path in paths if files.exists(path)]
    return [result for result in held if "failed" not in result]


def versions() -> dict[str, str]:
    """Return the versions that decide a result: Python's and the packages'."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}


def hardware() -> dict[str, str | int]:
    """Return what this machine is."""
    return {"processor": processor(), "cores": os.cpu_count() or 1}


def processor() -> str:
    """Return the processor's name, such as `AMD EPYC`."""
    cpu_info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in _lines(cpu_info) if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.is_file() else []
