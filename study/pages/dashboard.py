"""The dashboard as one WSGI application: its own page, the report, and optuna-dashboard's pages. It only reads."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

import optuna
import optuna_dashboard
import pydantic
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from study.analysis.formats import NOTHING, fixed
from study.analysis.study import read_study, sampling_of
from study.analysis.tables import Cell, Table, number_cell, setting_cell, text_cells
from study.config import TrialConfig
from study.config_values import Schedule
from study.pages import page
from study.pages.content import read_content
from study.results import files, layout
from study.results.layout import StudyError
from study.results.trial_result import parse_config

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_ANSWERS_S = 0.5


class View(NamedTuple):
    """A link on the dashboard's page."""

    name: str
    about: str
    address: str | None
    """None if the view is not available."""


class Site:
    """Answers requests about one study."""

    def __init__(
        self, folder: str, study: optuna.Study, record: BaseStorage, tensorboard: int | None, *, open_to_all: bool
    ) -> None:
        """Serve the study in `folder`.

        Args:
            folder: the study's folder.
            study: its Optuna study.
            record: the storage of the Optuna study.
            tensorboard: the port of TensorBoard; None if it does not run.
            open_to_all: whether to accept any host name. Otherwise only this machine's own are accepted, which keeps
                other sites from reading the study through a name that they let resolve to this machine.
        """
        self._folder = folder
        self._study = study
        self._tensorboard = tensorboard
        self._open_to_all = open_to_all
        self._optuna = optuna_dashboard.wsgi(record)
        self._reports: dict[tuple[int, ...], str] = {}
        self._writing = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _answer(start_response, "405 Method Not Allowed", "This dashboard is read-only.")
        host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
        if not self._open_to_all and host not in _LOOPBACK:
            return _answer(
                start_response, "403 Forbidden", "This dashboard answers only under this machine's own name."
            )
        path = environ["PATH_INFO"]
        if path == "/":
            return _answer(start_response, "200 OK", self._page(host))
        if path == "/live":
            return _answer(start_response, "200 OK", page.render("live.html", live=read_live(self._study)))
        if path == "/report":
            return _answer(start_response, "200 OK", self._report())
        answer: Iterable[bytes] = self._optuna(environ, start_response)
        return answer

    def _page(self, host: str) -> str:
        scripts = (page.beside("tables.js"), page.beside("live.js"))
        live, views = read_live(self._study), self._views(host)
        return page.render("dashboard.html", scripts, name=self._study.study_name, live=live, views=views)

    def _views(self, host: str) -> list[View]:
        optuna_page = f"/dashboard/studies/{self._study._study_id}"  # noqa: SLF001 - the only way to its page
        board = f"http://{host}:{self._tensorboard}/" if self._tensorboard else None
        ray = self._ray()
        return [
            View("Report", "statistics, languages and examples, for the trials finished so far", "/report"),
            View("History", "objective, importances, intermediate values, Pareto front", optuna_page),
            View("Parameters", "slices, contours and ranks", f"{optuna_page}/analytics"),
            View("Trial table", "every value of every trial, as CSV too", f"{optuna_page}/trialTable"),
            View(
                "TensorBoard",
                "scalars over steps" if board else "available only on the machine with the study's folder",
                board,
            ),
            View("HParams", "settings and final scores", board and f"{board}#hparams"),
            View("Ray", "cluster, actors, logs" if ray else "not running now", ray),
        ]

    def _ray(self) -> str | None:
        """Return the address of Ray's dashboard; None unless it accepts connections."""
        where = layout.read_study(self._folder).ray_dashboard
        if not where:
            return None
        host, _, port = where.rpartition(":")
        try:
            socket.create_connection((host, int(port)), _ANSWERS_S).close()
        except OSError:
            return None
        return f"http://{where}/"

    def _report(self) -> str:
        """Return the report, written again after another trial has finished; only one thread writes at a time."""
        with self._writing:
            try:
                study = read_study(self._folder)
                numbers = tuple(result.number for result in study.results)
                if numbers not in self._reports:
                    self._reports = {numbers: page.html(read_content(study))}
            except StudyError as error:
                return page.render("message.html", name=self._study.study_name, message=str(error))
            return self._reports[numbers]


def _answer(start_response: StartResponse, status: str, text: str) -> Iterable[bytes]:
    body = text.encode()
    kind = "text/html; charset=utf-8" if status.startswith("200") else "text/plain; charset=utf-8"
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff")]
    start_response(status, [*headers, ("Cache-Control", "no-store")])
    return [body]


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

    facts: dict[str, str]
    trials: Table


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
        reason = str(error).splitlines()[0]
        raise StudyError(f"the record of the study in {folder} cannot be read at {where} ({reason})") from None


def read_live(study: optuna.Study) -> Live:
    """Return the current state of a study's trials."""
    trials = study.get_trials(deepcopy=False)
    metrics = study.metric_names or [f"objective {place}" for place in range(len(study.directions))]
    count = Counter(_STATES[trial.state] for trial in trials)
    facts = {
        "trials begun": str(len(trials)),
        **{state: str(count[state]) for state in _STATES.values() if count[state]},
    }
    best = _best(study, trials)
    if best is not None:
        facts[f"best {metrics[0].replace('/', ' ')}"] = fixed(best)
    names = ("trial", "state", "backbone", "batches", "alpha", "temperature", "seed", "step")
    headings = (*names, *(metric.replace("/", " ") for metric in metrics), "minutes", "note")
    rows = tuple(_row(trial, len(metrics)) for trial in trials)
    return Live(facts, Table("Trials in the Optuna record", headings, rows, frozenset(_LEFT)))


_LEFT = ("state", "backbone", "batches", "note")


def _best(study: optuna.Study, trials: list[FrozenTrial]) -> float | None:
    """Return the best value of the first objective among completed trials."""
    values = [trial.values[0] for trial in trials if trial.state == TrialState.COMPLETE]
    best = max if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else min
    return best(values, default=None)


def _row(trial: FrozenTrial, objectives: int) -> tuple[Cell, ...]:
    config = _config(trial)
    reached = trial.intermediate_values
    step = max(reached, default=0)
    values: list[float | None] = list(trial.values or []) or ([reached[step]] if reached else [])
    values += [None] * (objectives - len(values))
    settings: tuple[str | float | Schedule, ...] = (NOTHING,) * 5
    if config:
        settings = (config.backbone, sampling_of(config), config.alpha, config.temperature, config.seed)
    return (
        setting_cell(trial.number),
        *text_cells(_STATES[trial.state]),
        *map(setting_cell, settings),
        Cell(f"{step}/{config.steps if config else NOTHING}", float(step)),
        *(number_cell(value) for value in values),
        number_cell(_minutes(trial), 1),
        *text_cells(str(trial.user_attrs.get("error") or "")),
    )


def _config(trial: FrozenTrial) -> TrialConfig | None:
    """Return a trial's configuration; None if it was rejected, or if this version cannot read it."""
    try:
        return parse_config(trial.user_attrs["trial"])
    except (KeyError, pydantic.ValidationError):
        return None


def _minutes(trial: FrozenTrial) -> float | None:
    """Return how long a trial took; None if it has not ended."""
    return trial.duration.total_seconds() / 60 if trial.duration else None
