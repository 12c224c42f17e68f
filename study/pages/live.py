"""A study as its Optuna record stands at this moment, for the dashboard's own page. Only reads."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple
from urllib.parse import quote

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from study.analysis.leaderboard import sampling_of, setting_cell
from study.analysis.study import StudyError
from study.analysis.tables import Cell, Table, figure, words
from study.results import files, layout

_WAITS_S = 30
"""For a study that is writing its SQLite file."""
_STATES = {
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
}


class Live(NamedTuple):
    """What changes while a study runs."""

    facts: dict[str, str]
    trials: Table


def open_study(folder: str) -> tuple[optuna.Study, RDBStorage]:
    """Open the record of the study in `folder`; a SQLite file of its own in a way that cannot write to it.

    Raises:
        StudyError: there is no study, or its record cannot be read.
        RecordError: nothing says where the record of a study in a bucket is.
    """
    description = files.join(folder, layout.STUDY)
    if not files.exists(description):
        raise StudyError(f"there is no study in {folder}: it has no {layout.STUDY}; give the folder study.run named")
    chosen = files.read_json(description)["search_space"].get("storage")
    url = layout.record_url(folder, chosen)
    if not chosen and files.is_local(folder):
        url = f"sqlite:///file:{quote(folder)}/{layout.RECORD}?mode=ro&uri=true"
    options = {"connect_args": {"timeout": _WAITS_S}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        record = RDBStorage(url, engine_kwargs=options)
        name = folder.rstrip("/").rpartition("/")[2]
        return optuna.load_study(study_name=name, storage=record), record
    except (SQLAlchemyError, ImportError, KeyError) as error:
        where = make_url(url).render_as_string(hide_password=True)
        reason = str(error).splitlines()[0]
        raise StudyError(f"the record of the study in {folder} cannot be read at {where} ({reason})") from None


def read_live(study: optuna.Study) -> Live:
    """Return a study's trials as they stand."""
    trials = study.get_trials(deepcopy=False)
    metrics = study.metric_names or [f"objective {place}" for place in range(len(study.directions))]
    count = Counter(_STATES[trial.state] for trial in trials)
    facts = {
        "trials begun": str(len(trials)),
        **{state: str(count[state]) for state in _STATES.values() if count[state]},
    }
    best = _best(study, trials)
    if best is not None:
        facts[f"best {metrics[0].replace('/', ' ')}"] = f"{best:.3f}"
    names = ("trial", "state", "backbone", "batches", "alpha", "temperature", "seed", "step")
    headings = (*names, *(metric.replace("/", " ") for metric in metrics), "minutes", "note")
    rows = tuple(_row(trial, len(metrics)) for trial in trials)
    return Live(facts, Table("Trials, as they are on record", headings, rows, frozenset(_LEFT)))


_LEFT = ("state", "backbone", "batches", "note")


def _best(study: optuna.Study, trials: list[FrozenTrial]) -> float | None:
    """Return the best first objective of the trials that are done."""
    held = [trial.values[0] for trial in trials if trial.state == TrialState.COMPLETE]
    pick = max if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else min
    return pick(held, default=None)


def _row(trial: FrozenTrial, objectives: int) -> tuple[Cell, ...]:
    config: dict[str, Any] = trial.user_attrs.get("trial", {})
    reached = trial.intermediate_values
    step = max(reached, default=0)
    values: list[float | None] = list(trial.values or []) or ([reached[step]] if reached else [])
    values += [None] * (objectives - len(values))
    described = words(config["backbone"], sampling_of({"config": config})) if config else words("–", "–")
    settings = (
        setting_cell(config[name]) if name in config else Cell("–") for name in ("alpha", "temperature", "seed")
    )
    return (
        Cell(str(trial.number), float(trial.number)),
        *words(_STATES[trial.state]),
        *described,
        *settings,
        Cell(f"{step}/{config.get('steps', '–')}", float(step)),
        *(figure(value) for value in values),
        figure(_minutes(trial), 1),
        *words(str(trial.user_attrs.get("error") or "")),
    )


def _minutes(trial: FrozenTrial) -> float | None:
    """Return how long an ended trial took."""
    return trial.duration.total_seconds() / 60 if trial.duration else None
