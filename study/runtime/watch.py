"""Ends this process with a sentence when the Ray that it uses dies.

Calls into a Ray without raylet block for ever, and without GCS they end the process after a minute, without a word.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from study.runtime import ray_internals

EVERY_S = 1.0
CHECKS = 3
"""A server is dead when so many checks in a row say so: a network may fail for a second."""
DIED = 4
"""The exit status, which is that of an unfinished study (`study.runtime.summary`)."""


@contextmanager
def while_ray_starts(say: Callable[[str], None]) -> Iterator[None]:
    """Watch the GCS that this process starts; if it dies, end this process and what is left of Ray.

    Args:
        say: see `until_ray_dies`.
    """
    this = psutil.Process()
    gcs: list[psutil.Process] = []

    def dead() -> str | None:
        gcs.extend(child for child in this.children() if not gcs and ray_internals.is_gcs(child))
        return "GCS" if gcs and not _runs(gcs[0]) else None

    def kill() -> None:
        for process in this.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    with _watching(dead, kill, say):
        yield


@contextmanager
def until_ray_dies(say: Callable[[str], None]) -> Iterator[None]:
    """Watch Ray; if it dies, end this process and what is left of a Ray that it started.

    Args:
        say: prints how it ended; called in another thread, with the name of what died.
    """
    servers = ray_internals.Servers()
    try:
        with _watching(servers.dead, servers.kill, say):
            yield
    finally:
        servers.close()


@contextmanager
def _watching(dead: Callable[[], str | None], kill: Callable[[], None], say: Callable[[str], None]) -> Iterator[None]:
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(dead, kill, ended, say), name="watch Ray", daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(
    dead: Callable[[], str | None], kill: Callable[[], None], ended: threading.Event, say: Callable[[str], None]
) -> None:
    missing = 0
    while not ended.wait(EVERY_S):
        died = dead()
        missing = missing + 1 if died else 0
        if died and missing == CHECKS:
            try:
                say(died)
            finally:
                kill()
                os._exit(DIED)  # the main thread is inside Ray, from where it cannot be called back


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
