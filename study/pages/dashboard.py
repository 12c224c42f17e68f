"""The dashboard as one WSGI application: its own page, the report, optuna-dashboard and TensorBoard. It only reads."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import optuna
from optuna.storages import BaseStorage

from study.analysis.study import read_study
from study.pages import page
from study.pages.content import read_content
from study.pages.live import read_live
from study.pages.mounted import (
    OPTUNA,
    TENSORBOARD,
    is_below,
    only_reads,
    optuna_app,
    study_page,
    tensorboard_app,
    tensorboard_path,
)
from study.results import files, layout
from study.results.layout import StudyError
from study.results.study_record import StudyRecord

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_ANSWERS_S = 0.5


class View(NamedTuple):
    """A link on the dashboard's page."""

    name: str
    about: str
    address: str | None
    """None if the view is not available."""


class Site:
    """Answers requests about one study."""

    def __init__(self, folder: str, study: optuna.Study, record: BaseStorage, *, open_to_all: bool) -> None:
        """Serve the study in `folder`.

        Args:
            folder: the study's folder.
            study: its Optuna study.
            record: the storage of the Optuna study.
            open_to_all: whether to accept any host name. Otherwise only this machine's own are accepted, which keeps
                other sites from reading the study through a name that they let resolve to this machine.
        """
        self._folder = folder
        self._study = study
        self._open_to_all = open_to_all
        self._optuna, self._optuna_page = optuna_app(record)
        self._tensorboard: WSGIApplication | None = None
        self._starting_tensorboard = threading.Lock()
        self._report: tuple[tuple[layout.ResultTimes, StudyRecord], str] | None = None
        self._building_report = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path, host = environ["PATH_INFO"], urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
        if not only_reads(environ):
            return _answer(start_response, "405 Method Not Allowed", "This dashboard is read-only.")
        if not self._open_to_all and host not in LOOPBACK_HOSTS:
            return _answer(
                start_response, "403 Forbidden", "This dashboard answers only under this machine's own name."
            )
        own = {"/": self._page, "/live": self._live, "/report": self._current_report}
        if path in own:
            return _answer(start_response, "200 OK", self._or_message(own[path]))
        if is_below(path, OPTUNA):
            html, policy = self._optuna_page
            return _answer(start_response, "200 OK", html, ("Content-Security-Policy", policy))
        board = tensorboard_path(path) if self._has_tensorboard() else None
        if board:
            return self._started_tensorboard()({**environ, "PATH_INFO": board}, start_response)
        return self._optuna(environ, start_response)

    def _or_message(self, render: Callable[[], str]) -> str:
        """Return a page, or why there is none: the study's folder may be moved or damaged meanwhile."""
        try:
            return render()
        except StudyError as error:
            return page.render("message.html", name=self._study.study_name, message=str(error))

    def _page(self) -> str:
        scripts = (page.beside("tables.js"), page.beside("live.js"))
        live = read_live(self._study, self._folder)
        return page.render("dashboard.html", scripts, name=self._study.study_name, live=live, views=self._views())

    def _live(self) -> str:
        return page.render("live.html", live=read_live(self._study, self._folder))

    def _views(self) -> list[View]:
        optuna_page = study_page(self._study)
        board = f"{TENSORBOARD}/" if self._has_tensorboard() else None
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

    def _has_tensorboard(self) -> bool:
        """Return whether TensorBoard can read the study's folder."""
        return files.is_local(self._folder)

    def _started_tensorboard(self) -> WSGIApplication:
        """Return TensorBoard, which the first request starts."""
        with self._starting_tensorboard:
            if self._tensorboard is None:
                self._tensorboard = tensorboard_app(files.join(self._folder, layout.TENSORBOARD))
            return self._tensorboard

    def _current_report(self) -> str:
        """Return the report, built again after a trial has ended or the study was extended; requests wait meanwhile."""
        with self._building_report:
            source = layout.result_times(self._folder), layout.read_study(self._folder)
            if self._report is None or self._report[0] != source:
                self._report = source, page.html(read_content(read_study(self._folder)))
            return self._report[1]


def _answer(start_response: StartResponse, status: str, text: str, *headers: tuple[str, str]) -> Iterable[bytes]:
    body = text.encode()
    kind = "text/html; charset=utf-8" if status.startswith("200") else "text/plain; charset=utf-8"
    common = [("Content-Type", kind), ("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff")]
    start_response(status, [*common, ("Cache-Control", "no-store"), *headers])
    return [body]
