"""The folder for what is downloaded or converted once a machine: built aside, under a lock, then renamed whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import filelock

from tasks.plugins import TaskError


def cache_folder() -> Path:
    """Return where prepared data lies: `$STUDY_CACHE`, or `~/.cache/multilingual-retrieval-study`."""
    chosen = os.environ.get("STUDY_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "multilingual-retrieval-study"


def once(folder: Path, build: Callable[[Path], None], *, resumable: bool = False) -> Path:
    """Return `folder`, filled by `build` unless it exists; processes that ask at the same time wait for the first.

    `build` fills `<folder>.partial`, which is renamed when it is done: a folder that exists is complete. After a
    failure the partial folder is removed, or kept for the next attempt where `build` is `resumable`.

    Raises:
        TaskError: the cache cannot be written.
    """
    if folder.exists():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(folder.with_name(folder.name + ".lock")).acquire()
    except OSError as error:
        raise TaskError(
            f"the cache folder {cache_folder()} cannot be written ({error.strerror}): "
            "set the environment variable STUDY_CACHE to a folder that can"
        ) from None
    with held:
        if not folder.exists():  # else another process was faster
            _build_aside(folder, build, resumable=resumable)
    return folder


def _build_aside(folder: Path, build: Callable[[Path], None], *, resumable: bool) -> None:
    partial = folder.with_name(folder.name + ".partial")
    if partial.exists() and not resumable:
        shutil.rmtree(partial)  # what a killed process left
    partial.mkdir(exist_ok=True)
    try:
        build(partial)
    except BaseException:
        if not resumable or not any(path.is_file() for path in partial.rglob("*")):
            shutil.rmtree(partial)
        raise
    partial.rename(folder)
