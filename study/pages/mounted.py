"""optuna-dashboard and TensorBoard as parts of the dashboard, which serves them on its own port and only reads."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.util import setup_testing_defaults

import optuna
import optuna_dashboard
from optuna.storages import BaseStorage

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

OPTUNA = "/dashboard"
TENSORBOARD = "/tensorboard"
_FONTS = "/font-roboto/"
_QUERY = re.compile(f"{TENSORBOARD}/(experiment/[^/]+/)?data/plugin/")
"""Where TensorBoard's charts ask for their data by POST; no plugin of it writes anything."""
_RELOAD_S = 5.0
_WRITE_ICONS = ("AddBox", "DriveFileRenameOutline", "Delete", "StopCircle", "Edit")
"""Icons of optuna-dashboard's buttons that create, rename, delete, fail or annotate; it has no read-only mode."""
_NOTES = (
    'li[title="Note"]',
    '.MuiCard-root:has([data-testid="EditIcon"])',
    'h5:has(+ .MuiCard-root [data-testid="EditIcon"])',
)
"""The places of notes, which stay empty as nothing here writes any."""
_HIDDEN = (*(f'button:has([data-testid="{icon}Icon"])' for icon in _WRITE_ICONS), *_NOTES)
_READ_ONLY_STYLE = f"<style>{', '.join(_HIDDEN)} {{ display: none !important; }}</style>"


class OptunaPage(NamedTuple):
    """optuna-dashboard's HTML page, which shows every path below `OPTUNA` by its script."""

    html: str
    policy: str
    """Its content security policy."""


def optuna_app(record: BaseStorage) -> tuple[WSGIApplication, OptunaPage]:
    """Return optuna-dashboard, and its page without the controls that change a study."""
    app: WSGIApplication = optuna_dashboard.wsgi(record)
    environ: dict[str, Any] = {"PATH_INFO": OPTUNA}
    setup_testing_defaults(environ)
    answered: list[dict[str, str]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
        assert status.startswith("200"), status
        answered.append(dict(headers))

    html = b"".join(app(environ, start_response)).decode()
    assert "</head>" in html
    return app, OptunaPage(
        html.replace("</head>", f"{_READ_ONLY_STYLE}</head>"), answered[0]["Content-Security-Policy"]
    )


def study_page(study: optuna.Study) -> str:
    """Return the address of a study's page in optuna-dashboard."""
    return f"{OPTUNA}/studies/{study._study_id}"  # noqa: SLF001 - the only way to its page


def tensorboard_app(logs: str) -> WSGIApplication:
    """Return TensorBoard on a folder of event files, which a thread of it reads anew every few seconds."""
    from tensorboard import program  # noqa: PLC0415 - takes seconds, and few visits to the dashboard need it

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # its warnings are about its own installation
    apps: list[WSGIApplication] = []

    class Mount(program.TensorBoardServer):  # type: ignore[misc]  # tensorboard has no types
        """Takes the place of TensorBoard's own server, which would listen on another port."""

        def __init__(self, app: WSGIApplication, flags: object) -> None:
            apps.append(app)

        def serve_forever(self) -> None:
            """Serve nothing."""

        def get_url(self) -> str:
            """Return the path that it is mounted at."""
            return TENSORBOARD

    board = program.TensorBoard(server_class=Mount)
    # Not the fast loader: it is a process of its own, and announces on standard error that it is an experiment.
    board.configure(logdir=logs, path_prefix=TENSORBOARD, reload_interval=_RELOAD_S, load_fast="false")
    board.launch()
    (app,) = apps
    return app


def tensorboard_path(path: str) -> str | None:
    """Return the path by which TensorBoard knows a request, as its page asks for fonts at the root; None for others."""
    if path.startswith(_FONTS):
        return TENSORBOARD + path
    return path if is_below(path, TENSORBOARD) else None


def is_below(path: str, prefix: str) -> bool:
    """Return whether a path is a prefix or continues it."""
    return path == prefix or path.startswith(f"{prefix}/")


def only_reads(environ: WSGIEnvironment) -> bool:
    """Return whether a request changes nothing."""
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    return method in {"GET", "HEAD"} or (method == "POST" and bool(_QUERY.match(path)))
