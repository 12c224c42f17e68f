"""The layout of a study's folder, and its records read back. Starts without torch or Ray.

<study>/study.json               the search space, its objectives, versions, hardware (`study_record.StudyRecord`)
<study>/optuna.db                every trial: parameters, states, values
<study>/pareto.json              for several objectives: the trials that no other dominates
<study>/trials/0003/settings.json  what the trial was started with (`trial_result.TrialSettings`)
<study>/trials/0003/result.json  configuration, metrics by benchmark, language and pair (`trial_result.TrialResult`)
<study>/trials/0003/positions/   positions of relevant passages by query, one Parquet file per benchmark
<study>/trials/0003/top_lists/   the best passages of every query, likewise, if they were searched
<study>/trials/0003/examples.json  what was retrieved for some queries of each language
<study>/trials/0003/step-...     the checkpoints that are kept
<study>/tensorboard/             scalars and HParams
<study>/tune/                    Tune's own files
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydantic

from study.results import files
from study.results.study_record import StudyRecord, parse_study, without_password
from study.results.trial_result import FailedTrial, TrialResult, TrialSettings, parse_result
from tasks.errors import UserError

logger = logging.getLogger(__name__)

STUDY = "study.json"
RECORD = "optuna.db"
RECORD_ELSEWHERE = "STUDY_RECORD"
"""Environment variable with the URL of the Optuna storage, for studies in a bucket."""
RESULT = "result.json"
SETTINGS = "settings.json"
PROGRESS = "progress.json"
"""In a checkpoint: how far training was, with its history (`trial_result.TrainingProgress`)."""
EXAMPLES = "examples.json"
TRIALS, TUNE, TENSORBOARD = "trials", "tune", "tensorboard"
TRAIN_SNAPSHOT = "checkpoint_manager_snapshot.json"
"""Ray Train's list of a trial's checkpoints, in the trial's folder."""
KEPT_CHECKPOINTS = 2
"""Of a trial that runs: the last two that were the best when they were written; Ray Train keeps the newest too."""
_STEP = "step-"
ResultTimes = dict[int, int]
"""Trial number -> nanoseconds since 1970."""


class RecordError(UserError):
    """There is no place for the Optuna storage of a study."""


class StudyError(UserError):
    """A study that cannot be read, compared or reported."""


def record_url(study_folder: str, chosen: str | None) -> str:
    """Return the URL of a study's Optuna storage.

    It is the one chosen in the search space, else SQLite in the study's folder; for a folder in a bucket, the one that
    the environment variable STUDY_RECORD names. That may also name the chosen one with its password, which the study
    does not store.

    Raises:
        RecordError: none is chosen, and SQLite cannot write to the storage of the folder.
    """
    elsewhere = os.environ.get(RECORD_ELSEWHERE, "")
    if chosen:
        return elsewhere if without_password(elsewhere) == chosen else chosen
    if files.is_local(study_folder):
        path = study_folder.replace("%", "%25").replace("?", "%3F")  # a URL would take them for its own
        return f"sqlite:///{path}/{RECORD}"
    if not elsewhere:
        raise RecordError(
            f"{study_folder} cannot hold the record of the trials, as SQLite needs a file system: set "
            f"{RECORD_ELSEWHERE}, or `storage:` in the search space, to a database (postgresql://user@host/studies) or "
            "to a file on this machine (sqlite:////home/me/studies.db)"
        )
    return elsewhere


def ignored_record(study_folder: str, chosen: str | None) -> str:
    """Return a sentence where STUDY_RECORD is set and has no effect, as the folder holds the record; else nothing."""
    if chosen or not os.environ.get(RECORD_ELSEWHERE) or not files.is_local(study_folder):
        return ""
    return (
        f"{RECORD_ELSEWHERE} is ignored, as only studies in a bucket need it: the record of the trials lies in "
        f"{study_folder}; `storage:` in a search space names another database"
    )


def check_reachable(folder: str) -> None:
    """Check that a folder can be asked for: a bucket may not exist, or not be open to this user.

    Raises:
        StudyError: it cannot.
    """
    try:
        files.exists(folder)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise StudyError(
            f"{folder} cannot be reached ({reason}): check its name, the network and your credentials"
        ) from None


@contextmanager
def writing(folder: str) -> Iterator[None]:
    """Turn errors of a folder that others may only read, or of a full disk, into a sentence.

    Raises:
        StudyError: what is done within raised an OSError.
    """
    try:
        yield
    except OSError as error:
        reason = str(error).partition("\n")[0]
        raise StudyError(
            f"{folder} cannot be written ({reason}): copy the study's folder to where you can, and give the copy"
        ) from error


def check_writable(study_folder: str) -> None:
    """Check that a study's folder can be written, if it is on this machine.

    Raises:
        StudyError: it cannot.
    """
    if files.is_local(study_folder):
        try:
            files.check_writable(Path(study_folder))
        except OSError as error:
            raise StudyError(
                f"{study_folder} cannot be written ({error.strerror}): make it writable, or choose another folder"
            ) from None


def trial_folder(study_folder: str, number: int) -> str:
    """Return where trial `number` keeps its files."""
    return files.join(study_folder, TRIALS, f"{number:04d}")


def top_lists_file(folder: str, benchmark: str) -> str:
    """Return the Parquet file of the best passages of each query of a benchmark, if a trial searched them."""
    return files.join(folder, "top_lists", f"{benchmark}.parquet")


def positions_file(folder: str, benchmark: str) -> str:
    """Return the Parquet file of a trial's per-query positions on one benchmark."""
    return files.join(folder, "positions", f"{benchmark}.parquet")


def checkpoint_name(folder: str, step: int) -> str:
    """Return a new name for a trial's checkpoint; an unreadable one of the same step keeps its own."""
    name = f"{_STEP}{step:08d}"
    earlier = len(checkpoints(folder, step))
    return f"{name}.{earlier}" if earlier else name


def checkpoints(folder: str, step: int | None = None) -> list[str]:
    """Return the names of a trial's checkpoints, of all steps or of one, newest first."""
    prefix = _STEP if step is None else f"{_STEP}{step:08d}"
    return sorted((name for name in files.folders(folder) if name.startswith(prefix)), reverse=True)


def listed_by_train(folder: str) -> list[str]:
    """Return the names of the checkpoints on Ray Train's list in a trial's folder; none without a list.

    Raises:
        ValueError: the list is truncated, as Train writes it in place.
    """
    snapshot = files.join(folder, TRAIN_SNAPSHOT)
    if not files.exists(snapshot):
        return []
    try:
        return [entry["checkpoint_dir_name"] for entry in files.read_json(snapshot)["checkpoint_results"]]
    except KeyError as error:
        raise ValueError(f"{snapshot} has no {error}") from None


def history(folder: str, result: TrialResult | FailedTrial) -> list[dict[str, int | float]]:
    """Return every report of a trial that ended; if it failed, those up to its newest checkpoint that can be read."""
    if isinstance(result, TrialResult):
        return list(result.training.history)
    for name in checkpoints(folder):
        try:
            return list(files.read_json(files.join(folder, name, PROGRESS))["history"])
        except (ValueError, KeyError, FileNotFoundError):  # damaged; `study.runtime.checkpoints` skips it too
            continue
    return []


def read_result(folder: str) -> TrialResult | FailedTrial | None:
    """Return a trial's result; None if it has none, or one that cannot be read, which is logged as a warning."""
    path = files.join(folder, RESULT)
    if not files.exists(path):
        return None
    try:
        return parse_result(files.read_bytes(path))
    except (pydantic.ValidationError, IsADirectoryError) as error:
        logger.warning("warning: %s is left out: %s", path, damage(error))
        return None


def write_result(folder: str, result: TrialResult | FailedTrial) -> None:
    """Write a trial's result."""
    files.write_json(files.join(folder, RESULT), result.model_dump(mode="json"))


def read_settings(folder: str) -> TrialSettings | None:
    """Return what a trial was started with; None if it was not, or by an earlier version.

    Raises:
        StudyError: the file cannot be read.
    """
    path = files.join(folder, SETTINGS)
    if not files.exists(path):
        return None
    try:
        return TrialSettings.model_validate_json(files.read_bytes(path), extra="ignore")
    except (pydantic.ValidationError, OSError) as error:
        raise StudyError(
            f"{path} cannot be read ({damage(error)}): restore it, or move the folder of this trial elsewhere"
        ) from None


def write_settings(folder: str, settings: TrialSettings) -> None:
    """Write what a trial is started with."""
    files.write_json(files.join(folder, SETTINGS), settings.model_dump(mode="json"))


def trial_numbers(study_folder: str) -> list[int]:
    """Return the numbers of the trials that have a folder, ascending."""
    return sorted(int(name) for name in files.folders(files.join(study_folder, TRIALS)) if name.isdigit())


def result_times(study_folder: str) -> ResultTimes:
    """Return when the result of each trial that ended was written: equal to an earlier answer if none ended since."""
    numbers = trial_numbers(study_folder)
    times = files.written([files.join(trial_folder(study_folder, number), RESULT) for number in numbers])
    return {number: time for number, time in zip(numbers, times, strict=True) if time is not None}


def finished(study_folder: str) -> list[TrialResult]:
    """Return the results of all trials that were measured, by number."""
    return [result for result in ended(study_folder) if isinstance(result, TrialResult)]


def ended(study_folder: str) -> list[TrialResult | FailedTrial]:
    """Return the results of all trials that were measured or have failed, by number."""
    results = []
    for number in trial_numbers(study_folder):
        folder = trial_folder(study_folder, number)
        result = read_result(folder)
        if result and result.number != number:
            logger.warning("warning: %s is left out: it is the result of trial %d", folder, result.number)
        elif result:
            results.append(result)
    return results


def write_study(study_folder: str, record: StudyRecord) -> None:
    """Write a study's record."""
    files.write_json(files.join(study_folder, STUDY), record.model_dump(mode="json"))


def read_study(study_folder: str) -> StudyRecord:
    """Return a study's record.

    Raises:
        StudyError: the folder has none, or one that cannot be read.
    """
    check_reachable(study_folder)
    path = files.join(study_folder, STUDY)
    if not files.exists(path):
        raise StudyError(
            f"there is no study in {study_folder}, as it has no {STUDY}: give the folder that study.run printed"
        )
    try:
        return parse_study(files.read_bytes(path))
    except (pydantic.ValidationError, OSError) as error:
        raise StudyError(
            f"{path} cannot be read ({damage(error)}): restore it, or resume the study with its search space, which "
            "writes it again: python -m study.run SPACE --resume --name NAME"
        ) from None


def damage(error: pydantic.ValidationError | OSError) -> str:
    """Return what is wrong with a stored record, in a few words."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    problem = error.errors(include_url=False)[0]
    if problem["type"] == "json_invalid":
        return "it is not whole JSON"
    key = ".".join(str(part) for part in problem["loc"] if part not in {"TrialResult", "FailedTrial"})
    message = f"{problem['msg'][0].lower()}{problem['msg'][1:]}"
    return f"{key}: {message}" if key else message
