"""A lock per study: two drivers would assign the same trials.

Storage without locks (S3, GCS) has one on each machine, and a sign of life in the study's folder for other machines.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from study.results import files
from tasks.data.cache import cache_folder
from tasks.errors import UserError

LOCK, OWNER = "driver.lock", "driver.json"
TELL_EVERY_S, GONE_AFTER_S = 60, 200
logger = logging.getLogger(__name__)


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
        owner.write_text(json.dumps(_own()), "utf-8")
        yield


@contextmanager
def sign_of_life(folder: str) -> Iterator[None]:
    """Tell other machines that this one runs a study in a bucket, once a minute; nothing to do for a local folder.

    Raises:
        StudyRunsError: another machine told so, at most `GONE_AFTER_S` ago.
    """
    if files.is_local(folder):
        yield
        return
    sign = files.join(folder, OWNER)
    _check_alone(folder, sign)
    ended = threading.Event()
    teller = threading.Thread(target=_tell, args=(sign, ended), daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
        with suppress(OSError):  # it would be out of date in three minutes
            files.remove(sign)


def _check_alone(folder: str, sign: str) -> None:
    other = files.read_json(sign) if files.exists(sign) else {}
    age = time.time() - other.get("at", 0)
    if other.get("host") != socket.gethostname() and age < GONE_AFTER_S:
        raise StudyRunsError(
            f"the study {folder} is being run by process {other['process']} on {other['host']}, {age:.0f} seconds ago "
            f"at least: end it there and add --resume, or wait {GONE_AFTER_S} seconds if that machine is gone"
        )


def _tell(sign: str, ended: threading.Event) -> None:
    while True:
        try:
            files.write_json(sign, {**_own(), "at": time.time()})
        except OSError as error:
            logger.warning("warning: %s cannot be written (%s)", sign, error)
        if ended.wait(TELL_EVERY_S):
            return


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


def _own() -> dict[str, int | str]:
    return {"process": os.getpid(), "host": socket.gethostname()}


def _place(folder: str) -> Path:
    return Path(folder) if files.is_local(folder) else cache_folder() / "drivers" / _key(folder)


def _key(folder: str) -> str:
    return hashlib.sha256(folder.encode()).hexdigest()[:16]
