"""Opens the record of a study: checks that it is the study's, and makes it anew from the study's folder if it was lost.

A study's folder in a bucket outlives the machine that its record was on.
"""

from __future__ import annotations

import uuid

import optuna
import pydantic
from optuna.exceptions import OptunaError
from sqlalchemy.exc import SQLAlchemyError

from study.config import TrialConfig
from study.results import files, layout
from study.results.layout import RecordError, StudyError
from study.results.study_record import StudyRecord, without_password
from study.runtime.record import Record
from study.runtime.sampling import draw_trial
from study.space.strict_yaml import explain
from study.space.study_config import StudyConfig


def open_record(config: StudyConfig, url: str, folder: str) -> Record:
    """Open the record of the study in `folder`, which is stored under the name that the folder had at first.

    Raises:
        RecordError: it cannot be opened.
        SpaceError: the study was started with another search space.
    """
    try:
        return _open(config, url, folder)
    except (SQLAlchemyError, OptunaError, ImportError, RuntimeError) as error:  # the last if Optuna's tables are older
        reason = without_password(str(error).partition("\n")[0])
        again = f"set {layout.RECORD_ELSEWHERE} to its URL with its password, " if "@" in url else ""
        raise RecordError(
            f"the record of the trials in {folder} cannot be opened ({reason}): restore it, {again}or start a study "
            "with another --name"
        ) from error


def _open(config: StudyConfig, url: str, folder: str) -> Record:
    name, started = folder.rpartition("/")[2], _started(folder)
    is_own = files.is_local(folder) and url == layout.record_url(folder, None)  # a file that is of this study alone
    if is_own:
        stored = optuna.get_all_study_names(url)
        name = stored[0] if stored else name  # the folder may have been renamed or copied
    record = Record(config, url, name, started.search_space if started else None)
    is_new = not files.exists(files.join(folder, layout.STUDY))
    other = is_new or (started and started.id and record.identity and started.id != record.identity)
    if other and record.trials() and not is_own:  # a storage may be shared, and names are free
        raise RecordError(
            f"the storage has a study '{name}' with {len(record.trials())} trials already, and they belong to another "
            f"folder than {folder}: choose another --name, or another storage"
        )
    known = "" if is_new and not is_own else record.identity
    record.identify((started.id if started else "") or known or uuid.uuid4().hex)
    _rebuild(config, record, folder)
    return record


def _started(folder: str) -> StudyRecord | None:
    """Return what the folder says about its study; None if that is new, or if its file is damaged."""
    try:
        return layout.read_study(folder)
    except StudyError:
        return None


def _rebuild(config: StudyConfig, record: Record, folder: str) -> None:
    """Add the trials that a study's folder has and its record lacks, as it was lost; each then continues where it was.

    A trial whose values are not stored is drawn again, as it was if its search does not depend on results.

    Raises:
        RecordError: the folder of a trial has checkpoints and does not say of which settings, or of other settings
            than the search space has.
    """
    last = max(layout.trial_numbers(folder), default=-1)
    for number in range(len(record.trials()), last + 1):
        own = layout.trial_folder(folder, number)
        settings = layout.read_settings(own)
        if settings is None and not layout.read_result(own) and layout.checkpoints(own):
            raise RecordError(
                f"{own} has checkpoints, and nothing says with which settings they were trained: move it elsewhere"
            )
        drawn = draw_trial(config, number, record.trials(), settings.params if settings else None)
        try:
            trial = config.trial_config(drawn.values)
        except pydantic.ValidationError as error:
            record.reject(drawn, explain(TrialConfig, error.errors()))
            continue
        if settings and settings.config != trial:
            raise RecordError(f"{own} is of a trial that this search space does not have: choose another --name")
        record.begin(drawn, trial)
