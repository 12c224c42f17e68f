"""Show a study in the browser, during and after its run: `python -m study.dashboard STUDY`.

One server has the dashboard's own page, the report, optuna-dashboard and TensorBoard, so one forwarded port shows all.
Everything is read-only: a SQLite record is opened read-only, and requests that change anything are refused.
"""

from __future__ import annotations

from socketserver import ThreadingMixIn
from typing import Annotated
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import typer
from rich.console import Console

from study import cli
from study.cli import Interruption
from study.results import files, layout
from tasks.errors import UserError

LOOPBACK = "127.0.0.1"


class PortError(UserError):
    """The server cannot listen on an address."""


def main(
    study: Annotated[str, typer.Argument(help=cli.STUDY_HELP)],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on; only this machine can connect unless given.")
    ] = LOOPBACK,
) -> None:
    """Show a study's trials, parameters, curves and report, with links to TensorBoard and Ray's dashboard."""
    console = cli.console()
    with cli.refusals():
        _serve(files.absolute(cli.study_folder(study)), port, host, console)


def _serve(folder: str, port: int, host: str, console: Console) -> None:
    layout.read_study(folder)
    # These import Optuna and the charts' libraries, which take seconds.
    from study.pages.dashboard import LOOPBACK_HOSTS, Site
    from study.pages.live import open_study

    study, record = open_study(folder)
    Interruption().install()
    with _server(host, port) as server:
        open_to_all = host not in LOOPBACK_HOSTS
        server.set_app(Site(folder, study, record, open_to_all=open_to_all))
        if open_to_all:
            console.print(
                "[bold yellow]warning:[/] there is no password: everyone who can reach this address can read the study"
            )
        address = f"http://{host}:{server.server_port}/"
        console.print(f"{folder}: {address}\nCtrl-C ends the dashboard, not the study", soft_wrap=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("ended")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing: the page sends a request every few seconds."""


def _server(host: str, port: int) -> WSGIServer:
    try:
        return make_server(host, port, lambda *_: [], _Server, _Handler)
    except OSError as error:
        raise PortError(
            f"cannot listen on --host {host} --port {port} ({error.strerror}): choose another --port"
        ) from None


if __name__ == "__main__":
    cli.program(main)()
