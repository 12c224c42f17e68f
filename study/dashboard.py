"""Show a study in the browser, during and after its run: `python -m study.dashboard STUDY`.

One server has the dashboard's own page, the report and optuna-dashboard; TensorBoard runs as a process beside it.
Everything is read-only: a SQLite record is opened read-only, and only GET and HEAD requests are answered.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Annotated
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import typer
from rich.console import Console

from study import cli
from study.cli import Interruption
from study.pages.dashboard import Site, open_study
from study.results import files, layout
from tasks.errors import UserError

LOOPBACK = "127.0.0.1"
_TENSORBOARD_STOPS_S = 10


class PortError(UserError):
    """The server cannot listen on an address."""


def main(
    study: Annotated[str, typer.Argument(help="The study's folder or URI.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on; only this machine can connect unless given.")
    ] = LOOPBACK,
) -> None:
    """Show a study's trials, parameters, curves and report, with links to TensorBoard and Ray's dashboard."""
    console = cli.console()
    with cli.refusals():
        _serve(files.absolute(study), port, host, console)


def _serve(folder: str, port: int, host: str, console: Console) -> None:
    study, record = open_study(folder)
    Interruption().install()  # so that SIGTERM too ends TensorBoard
    with _server(host, port) as server, _tensorboard(folder, host) as tensorboard:
        server.set_app(Site(folder, study, record, tensorboard, open_to_all=host != LOOPBACK))
        if host != LOOPBACK:
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


@contextmanager
def _tensorboard(folder: str, host: str) -> Iterator[int | None]:
    """Run TensorBoard on the study's folder; yield its port, or None if the folder is not on this machine."""
    if not files.is_local(folder):
        yield None
        return
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = int(probe.getsockname()[1])
    logs = files.join(folder, layout.TENSORBOARD)
    arguments = ("--logdir", logs, "--host", host, "--port", str(port), "--reload_interval", "5")
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and no argument is read by a shell
        [sys.executable, "-m", "tensorboard.main", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        start_new_session=True,  # Ctrl-C reaches this process only, which then ends TensorBoard
    )
    try:
        yield port
    finally:
        process.terminate()
        try:
            process.wait(_TENSORBOARD_STOPS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    cli.program(main)()
