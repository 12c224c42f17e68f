"""The dashboard's pages as one WSGI application: ours, the report, and optuna-dashboard under its own addresses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import optuna
import optuna_dashboard
from optuna.storages import BaseStorage

from study.analysis.study import StudyError, read_study
from study.pages import page
from study.pages.content import read_content
from study.pages.live import read_live
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
