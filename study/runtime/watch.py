"""Ends this process with a sentence when the Ray that it uses dies.

Calls into a Ray without raylet block for ever, and without GCS they end the process after a minute, without a word.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from study.runtime import ray_internals

EVERY_S = 1.0
CHECKS = 3
"""A server is dead when so many checks in a row say so: a network may fail for a second."""
DIED = 4
"""The exit status, which is that of an unfinished study (`study.runtime.summary`)."""


@contextmanager
def until_ray_dies(say: Callable[[str], None]) -> Iterator[None]:
    """Watch Ray; if it dies, end this process and what is left of a Ray that it started.

    Args:
        say: prints how it ended; called in another thread, with the name of what died.
    """
    servers, ended = ray_internals.Servers(), threading.Event()
    watch = threading.Thread(target=_watch, args=(servers, ended, say), name="watch Ray", daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()
        servers.close()


def _watch(servers: ray_internals.Servers, ended: threading.Event, say: Callable[[str], None]) -> None:
    missing = 0
    while not ended.wait(EVERY_S):
        dead = servers.dead()
        missing = missing + 1 if dead else 0
        if dead and missing == CHECKS:
            try:
                say(dead)
            finally:
                servers.kill()
                os._exit(DIED)  # the main thread is inside Ray, from where it cannot be called back
