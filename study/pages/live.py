"""The state of a running study, read from its Optuna storage, for the dashboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

import optuna
import pydantic
from optuna.exceptions import OptunaError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from study.analysis.formats import NOTHING, fixed, key_name, short_names
from study.analysis.groups import sampling_of
from study.analysis.tables import Cell, Table, number_cell, setting_cell, text_cells
from study.config import TrialConfig
from study.config_values import Schedule
from study.pages.mounted import study_page
from study.results import files, layout
from study.results.layout import StudyError
from study.results.study_record import without_password
from study.results.trial_result import parse_config
from study.runtime.lock import is_abandoned

_SQLITE_TIMEOUT_S = 30
"""How long to wait while a study writes to its SQLite file."""
_STATES = {
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
}


class Live(NamedTuple):
    """The part of the page that changes while a study runs."""

    running: bool
    """Whether a trial runs. The storage has a trial that was killed as running until the study is resumed; where the
    study's process is known to have ended, such a trial is unfinished."""
    facts: dict[str, str]
    trials: Table
    links: dict[str, str]
    """The text of a trial's number -> the address of its details in optuna-dashboard."""


def open_study(folder: str) -> tuple[optuna.Study, RDBStorage]:
    """Open the Optuna storage of the study in `folder`, read-only if it is a SQLite file in that folder.

    Raises:
        StudyError: there is no study, or its `study.json` or its Optuna storage cannot be read.
        RecordError: the study is in a bucket, and nothing says where its Optuna storage is.
    """
    chosen = layout.read_study(folder).search_space.get("storage")
    url = layout.record_url(folder, chosen)
    inside = not chosen and files.is_local(folder)
    if inside:
        path = quote(quote(folder))  # decoded once by SQLAlchemy and once by SQLite
        url = f"sqlite:///file:{path}/{layout.RECORD}?mode=ro&uri=true"
    options = {"connect_args": {"timeout": _SQLITE_TIMEOUT_S}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        record = RDBStorage(url, engine_kwargs=options)
        name = folder.rstrip("/").rpartition("/")[2]
        if inside:  # one study, called by the folder's name before it was renamed or copied
            name, *_ = optuna.get_all_study_names(record) or [name]
        return optuna.load_study(study_name=name, storage=record), record
    except (SQLAlchemyError, OptunaError, ImportError, KeyError, RuntimeError) as error:
        where = make_url(url).render_as_string(hide_password=True)
        reason = without_password(str(error).splitlines()[0])
        raise StudyError(
            f"the record of the study in {folder} cannot be read at {where} ({reason}): a password is not stored with "
            f"a study, so set {layout.RECORD_ELSEWHERE} to this URL with its password if it has one"
        ) from None


def read_live(study: optuna.Study, folder: str) -> Live:
    """Return the current state of the trials of the study in `folder`."""
    trials = study.get_trials(deepcopy=False)
    states = _STATES | ({TrialState.RUNNING: "unfinished"} if is_abandoned(folder) else {})
    metrics = study.metric_names or [f"objective {place}" for place in range(len(study.directions))]
    count = Counter(states[trial.state] for trial in trials)
    facts = {
        "trials begun": str(len(trials)),
        **{state: str(count[state]) for state in states.values() if count[state]},
    }
    best = _best(study, trials)
    if best is not None:
        facts[f"best {key_name(metrics[0])} of a trial"] = fixed(best)
    settings = ("batches", "alpha", "seed", "temperature", "backbone")
    headings = ("trial", "state", "step", *map(key_name, metrics), "minutes with pauses", *settings, "note")
    configs = [_config(trial) for trial in trials]
    backbones = short_names(config.backbone for config in configs if config)
    rows = tuple(
        _row(trial, states[trial.state], config, backbones, len(metrics))
        for trial, config in zip(trials, configs, strict=True)
    )
    links = {str(trial.number): f"{study_page(study)}/trials?numbers={trial.number}" for trial in trials}
    table = Table("Trials in the Optuna record", headings, rows, frozenset(_LEFT))
    return Live(count["running"] > 0, facts, table, links)


_LEFT = ("state", "backbone", "batches", "note")


def _best(study: optuna.Study, trials: list[FrozenTrial]) -> float | None:
    """Return the best value of the first objective among completed trials."""
    values = [trial.values[0] for trial in trials if trial.state == TrialState.COMPLETE]
    best = max if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else min
    return best(values, default=None)


def _row(
    trial: FrozenTrial, state: str, config: TrialConfig | None, backbones: Mapping[str, str], objectives: int
) -> tuple[Cell, ...]:
    reached = trial.intermediate_values
    # Steps of trials with several objectives are not recorded before their end.
    step = max(reached, default=trial.user_attrs.get("step"))
    values: list[float | None] = list(trial.values or []) or ([reached[max(reached)]] if reached else [])
    values += [None] * (objectives - len(values))
    settings: tuple[str | float | Schedule, ...] = (NOTHING,) * 5
    if config:
        sampled = (config.alpha, config.seed, config.temperature) if config.steps else (NOTHING,) * 3
        settings = (sampling_of(config), *sampled, backbones[config.backbone])
    return (
        setting_cell(trial.number),
        *text_cells(state),
        Cell(f"{NOTHING if step is None else step}/{config.steps if config else NOTHING}", float(step or 0)),
        *(number_cell(value) for value in values),
        number_cell(_minutes(trial), 1),
        *map(setting_cell, settings),
        *text_cells(str(trial.user_attrs.get("error") or "")),
    )


def _config(trial: FrozenTrial) -> TrialConfig | None:
    """Return a trial's configuration; None if it was rejected, or if this version cannot read it."""
    try:
        return parse_config(trial.user_attrs["trial"])
    except (KeyError, pydantic.ValidationError):
        return None


def _minutes(trial: FrozenTrial) -> float | None:
    """Return the minutes from a trial's start to its end, with any in which the study stood still; None before that."""
    return trial.duration.total_seconds() / 60 if trial.duration else None
