"""The dashboard's pages as one WSGI application: ours, the report, and optuna-dashboard under its own addresses.

A study as its Optuna record stands at this moment, for the dashboard's own page. Only reads.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

import optuna
import optuna_dashboard
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from study.analysis.leaderboard import sampling_of, setting_cell
from study.analysis.study import StudyError, read_study
from study.analysis.tables import Cell, Table, figure, words
from study.pages import page
from study.pages.content import read_content
from study.results import files, layout

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_ANSWERS_S = 0.5


class View(NamedTuple):
    """A way to look at the study."""

    name: str
    about: str
    address: str | None
    """None where there is nothing to go to yet."""


class Site:
    """Answers requests about one study."""

    def __init__(
        self, folder: str, study: optuna.Study, record: BaseStorage, tensorboard: int | None, *, open_to_all: bool
    ) -> None:
        """Serve the study in `folder`.

        Args:
            folder: the study's.
            study: its Optuna study.
            record: the storage that the Optuna study is in.
            tensorboard: the port that TensorBoard listens on, where it runs.
            open_to_all: whether to answer under any name; else only under this machine's own, so that no page of
                another site can make a browser read the study under a name that it points here.
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
            return _answer(start_response, "405 Method Not Allowed", "This dashboard only reads.")
        host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
        if not self._open_to_all and host not in _LOOPBACK:
            return _answer(start_response, "403 Forbidden", "This dashboard answers under this machine's name only.")
        path = environ["PATH_INFO"]
        if path == "/":
            return _answer(start_response, "200 OK", self._page(host))
        if path == "/live":
            return _answer(start_response, "200 OK", page.render("html", live=read_live(self._study)))
        if path == "/report":
            return _answer(start_response, "200 OK", self._report())
        answer: Iterable[bytes] = self._optuna(environ, start_response)
        return answer

    def _page(self, host: str) -> str:
        scripts = (page.beside("tables.js"), page.beside("js"))
        live, views = read_live(self._study), self._views(host)
        return page.render("dashboard.html", scripts, name=self._study.study_name, live=live, views=views)

    def _views(self, host: str) -> list[View]:
        optuna_page = f"/dashboard/studies/{self._study._study_id}"  # noqa: SLF001 - the page's address, else unknown
        board = f"http://{host}:{self._tensorboard}/" if self._tensorboard else None
        ray = self._ray()
        return [
            View("Report", "statistics, languages, examples; of the trials done so far", "/report"),
            View("History", "objective, importances, intermediate values, Pareto front", optuna_page),
            View("Parameters", "slices, contours and ranks", f"{optuna_page}/analytics"),
            View("Trial table", "every value of every trial, as CSV too", f"{optuna_page}/trialTable"),
            View("TensorBoard", "scalars over steps" if board else "only where the study's folder is", board),
            View("HParams", "settings beside final figures", board and f"{board}#hparams"),
            View("Ray", "cluster, actors, logs" if ray else "not running now", ray),
        ]

    def _ray(self) -> str | None:
        """Return the address of Ray's dashboard, while it answers."""
        where = files.read_json(files.join(self._folder, layout.STUDY)).get("ray_dashboard")
        if not where:
            return None
        host, _, port = where.rpartition(":")
        try:
            socket.create_connection((host, int(port)), _ANSWERS_S).close()
        except OSError:
            return None
        return f"http://{where}/"

    def _report(self) -> str:
        """Return the report, made anew when another trial has finished; one at a time."""
        with self._writing:
            try:
                study = read_study(self._folder)
            except StudyError as error:
                return page.render("message.html", name=self._study.study_name, message=str(error))
            numbers = tuple(result["number"] for result in study.results)
            if numbers not in self._reports:
                self._reports = {numbers: page.html(read_content(study))}
            return self._reports[numbers]


def _answer(start_response: StartResponse, status: str, text: str) -> Iterable[bytes]:
    body = text.encode()
    kind = "text/html; charset=utf-8" if status.startswith("200") else "text/plain; charset=utf-8"
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff")]
    start_response(status, [*headers, ("Cache-Control", "no-store")])
    return [body]


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
