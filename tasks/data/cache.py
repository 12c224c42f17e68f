"""The cache of this project: folders that are built once per machine, under a lock, and appear only when complete."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import filelock

from tasks.data.records import combined_digest, content_digest
from tasks.plugins import TaskError

_DIGEST = "digest"


class Conversion(NamedTuple):
    """A finished conversion."""

    folder: Path
    digest: str
    """Digest of the source files' names and content."""


def cache_folder() -> Path:
    """Return `$STUDY_CACHE`, or `~/.cache/multilingual-retrieval-study`."""
    chosen = os.environ.get("STUDY_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "multilingual-retrieval-study"


def once(folder: Path, build: Callable[[Path], None], *, resumable: bool = False) -> Path:
    """Return `folder`, filled by `build` unless it exists; processes that ask at the same time wait for the first.

    `build` fills `<folder>.partial`, which is then renamed: a folder that exists is complete. After a failure the
    partial folder is removed, or kept for the next attempt if `build` is `resumable`.

    Raises:
        TaskError: the cache cannot be written.
    """
    if folder.exists():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder.with_name(folder.name + ".lock")).acquire()
    except OSError as error:
        raise TaskError(
            f"the cache folder {cache_folder()} cannot be written ({error.strerror}): "
            "set the environment variable STUDY_CACHE to a folder that can"
        ) from None
    with lock:
        if not folder.exists():  # else another process was faster
            _build_aside(folder, build, resumable=resumable)
    return folder


def _build_aside(folder: Path, build: Callable[[Path], None], *, resumable: bool) -> None:
    partial = folder.with_name(folder.name + ".partial")
    if partial.exists() and not resumable:
        shutil.rmtree(partial)  # left by a killed process
    partial.mkdir(exist_ok=True)
    try:
        build(partial)
    except BaseException:
        if not resumable or not any(path.is_file() for path in partial.rglob("*")):
            shutil.rmtree(partial)
        raise
    partial.rename(folder)


def once_per_state(name: str, files: Sequence[Path], build: Callable[[Path], None]) -> Path:
    """Return a folder below `<cache>/<name>`, filled by `build` once for the paths, sizes and times of these files."""
    state = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]
    return once(cache_folder() / name / key, build)


def conversion(name: str, recipe: str, sources: Sequence[Path], build: Callable[[Path], None]) -> Conversion:
    """Return the folder that `build` fills from these files, made on first use.

    It lies in `<cache>/corpora/<name>-<hash>` and may be deleted at any time.

    Args:
        name: for people who look into the cache.
        recipe: what is made of the sources, and in which layout; another recipe makes another conversion.
        sources: the files that `build` reads.
        build: fills an empty folder.

    Raises:
        TaskError: the cache cannot be written, or what `build` raises.
    """
    digest = _digest(sources)
    folder = cache_folder() / "corpora" / f"{name}-{combined_digest([recipe, digest])}"
    return Conversion(once(folder, build), digest)


def _digest(files: Sequence[Path]) -> str:
    """Return the digest of the files, which are read again only after a path, size or time has changed."""

    def build(folder: Path) -> None:
        (folder / _DIGEST).write_text(content_digest(files), encoding="ascii")

    return (once_per_state("digests", files, build) / _DIGEST).read_text(encoding="ascii")
