"""A lock per study: two drivers would assign the same trials."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from study.results import files
from tasks.data.cache import cache_folder
from tasks.errors import UserError

LOCK, OWNER = "driver.lock", "driver.json"


class StudyRunsError(UserError):
    """Another process runs the study."""


@contextmanager
def exclusive(folder: str) -> Iterator[None]:
    """Hold a study's lock; the operating system releases it when this process ends.

    The lock is in the study's folder or, for storage without locks (S3, GCS), in the cache of this machine.

    Raises:
        StudyRunsError: another process holds it.
    """
    lock_folder = _place(folder)
    lock_folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(lock_folder / LOCK, blocking=False)
    owner = lock_folder / OWNER
    try:
        lock.acquire()
    except filelock.Timeout:
        other = json.loads(owner.read_text("utf-8")) if owner.is_file() else {}
        raise StudyRunsError(
            f"the study {folder} is being run by process {other.get('process')} on {other.get('host')}: "
            "wait until that ends, or end it and then add --resume"
        ) from None
    with lock:
        owner.write_text(json.dumps({"process": os.getpid(), "host": socket.gethostname()}), "utf-8")
        yield


def is_abandoned(folder: str) -> bool:
    """Return whether the process that last ran a study is known to have ended: it was on this machine and is gone."""
    owner = _place(folder) / OWNER
    try:
        driver = json.loads(owner.read_text("utf-8"))
        if driver["host"] == socket.gethostname():
            os.kill(driver["process"], 0)  # sends nothing, and fails where there is no such process
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not known
    return False


def _place(folder: str) -> Path:
    return Path(folder) if files.is_local(folder) else cache_folder() / "drivers" / _key(folder)


def _key(folder: str) -> str:
    return hashlib.sha256(folder.encode()).hexdigest()[:16]
