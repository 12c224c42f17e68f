"""A study in the browser, while it runs and after: `python -m study.dashboard STUDY`.

One address has our own page, the report, and optuna-dashboard; TensorBoard runs beside it for as long as it does. All
of it only reads: the record is opened so that it cannot be written, and no request but reading ones is let through.
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
_STOPS_S = 10


class PortError(UserError):
    """An address that cannot be listened on."""


def main(
    study: Annotated[str, typer.Argument(help="The study's folder or URI.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any free port.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on; this machine alone unless given.")] = LOOPBACK,
) -> None:
    """Show a study's trials, parameters and curves, its report, and the way to TensorBoard and Ray's dashboard."""
    console = cli.console()
    with cli.refusals():
        _serve(files.absolute(study), port, host, console)


def _serve(folder: str, port: int, host: str, console: Console) -> None:
    record, held = open_study(folder)
    Interruption().heed()  # whoever ends us, what we started ends with us
    with _server(host, port) as server, _tensorboard(folder, host) as tensorboard:
        server.set_app(Site(folder, record, held, tensorboard, open_to_all=host != LOOPBACK))
        if host != LOOPBACK:
            console.print("[bold yellow]warning:[/] whoever reaches this address sees the study: there is no password")
        address = f"http://{host}:{server.server_port}/"
        console.print(f"{folder}: {address}\nCtrl-C ends it; the study goes on", soft_wrap=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("ended")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing: a live page asks every few seconds."""


def _server(host: str, port: int) -> WSGIServer:
    try:
        return make_server(host, port, lambda *_: [], _Server, _Handler)
    except OSError as error:
        raise PortError(
            f"--host {host} --port {port} cannot be listened on ({error.strerror}): give another --port"
        ) from None


@contextmanager
def _tensorboard(folder: str, host: str) -> Iterator[int | None]:
    """Run TensorBoard on the study's folder; yield its port, or None where the folder is not on this machine."""
    if "://" in folder:
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
        start_new_session=True,  # Ctrl-C is for us, and we end it
    )
    try:
        yield port
    finally:
        process.terminate()
        try:
            process.wait(_STOPS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    cli.door(main)()
