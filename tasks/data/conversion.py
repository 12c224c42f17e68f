"""Source files converted once a machine, and kept in the cache under what identifies the result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks.data.cache import cache_folder, once
from tasks.data.records import combined_digest, content_digest

_DIGEST = "digest"


class Conversion(NamedTuple):
    """A finished conversion."""

    folder: Path
    digest: str
    """Of the source files' names and content."""


def conversion(name: str, recipe: str, sources: Sequence[Path], build: Callable[[Path], None]) -> Conversion:
    """Return the folder that `build` fills, made on first use; processes that ask meanwhile wait for it.

    It is kept as `<cache>/corpora/<name>-<hash>`, and may be deleted at any time.

    Args:
        name: for people who look into the cache.
        recipe: says what is made of the sources, and in which layout; another recipe is another conversion.
        sources: the files that `build` reads.
        build: fills an empty folder.

    Raises:
        TaskError: the cache cannot be written, or what `build` raises.
    """
    digest = _digest(sources)
    folder = cache_folder() / "corpora" / f"{name}-{combined_digest([recipe, digest])}"
    return Conversion(once(folder, build), digest)


def _digest(files: Sequence[Path]) -> str:
    """Return the digest of the files, read again only where a file's path, size or time has changed."""
    state = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        (folder / _DIGEST).write_text(content_digest(files), encoding="ascii")

    return (once(cache_folder() / "digests" / key, build) / _DIGEST).read_text(encoding="ascii")
