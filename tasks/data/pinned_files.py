"""Download files of the web at fixed addresses with `pooch`, once per machine; used without a network afterwards.

Each file has an address at a fixed commit and, where it is known, a sha256. Without one (GitHub states none) the first
download is trusted: its sha256 is written to `manifest.json` and every later load is compared with it.

Files arrive in `<folder>.partial`. The manifest is written last and the folder renamed, so a folder that exists is
complete and checked.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tasks.data.cache import cache_folder, once
from tasks.plugins import TaskError

if TYPE_CHECKING:
    import pooch

GITHUB = "https://raw.githubusercontent.com"
MANIFEST = "manifest.json"
_RETRIES = 2
_SECONDS = 30
_LOG = logging.getLogger(__name__)


class File(NamedTuple):
    """One file to download."""

    path: str
    """Inside the folder."""
    url: str
    sha256: str | None = None


def github_file(repository: str, commit: str, path: str, sha256: str | None = None) -> File:
    """Return the file at `path` of a GitHub repository at a commit."""
    return File(path, f"{GITHUB}/{repository}/{commit}/{path}", sha256)


def fetch(name: str, revision: str, files: Sequence[File]) -> Path:
    """Return the folder with these files, downloading them if it does not exist.

    Args:
        name: the benchmark or corpus.
        revision: the pinned commit; each has its own folder.
        files: all files of the folder.

    Raises:
        TaskError: an address does not answer, a download breaks off or its checksum is wrong, or a file has changed
            since it was downloaded.
    """
    folder = cache_folder() / name / revision[:12]
    command = f"`python -m study.fetch {name}`"
    try:
        once(folder, lambda partial: _download_all(partial, files), resumable=True)
    except _UnreachableError as error:
        raise TaskError(
            f"{name} is not on this machine and {error}: run {command} where there is a network and copy {folder} "
            "here, or name a local copy with the option `path`"
        ) from error
    _verify(folder, command)
    return folder


class _UnreachableError(Exception):
    """An address from which a file could not be downloaded."""


def _download_all(partial: Path, files: Sequence[File]) -> None:
    import pooch  # noqa: PLC0415 - imports an HTTP client: only if there is something to download

    pooch.get_logger().setLevel(logging.WARNING)  # we log the same
    registry = pooch.create(
        partial,
        base_url="",
        registry={file.path: file.sha256 and f"sha256:{file.sha256}" for file in files},
        urls={file.path: file.url for file in files},
        retry_if_failed=_RETRIES,
    )
    records = {}
    for file in files:
        target = _download(registry, file)
        records[file.path] = {"url": file.url, "sha256": _sha256(target)} | _state(target)
    (partial / MANIFEST).write_text(json.dumps(records, indent=1), encoding="utf-8")


def _download(registry: pooch.Pooch, file: File) -> Path:
    import pooch  # noqa: PLC0415 - see above
    import requests  # noqa: PLC0415

    _LOG.info("downloading %s", file.url)
    try:
        return Path(registry.fetch(file.path, downloader=pooch.HTTPDownloader(timeout=_SECONDS)))
    except requests.exceptions.ChunkedEncodingError as error:
        raise _UnreachableError(f"{file.url} was cut off {_RETRIES + 1} times") from error
    except requests.RequestException as error:
        if error.response is None:
            raise _UnreachableError(f"{file.url} cannot be reached ({type(error).__name__})") from error
        answer = f"{error.response.status_code} {error.response.reason}"
        raise _UnreachableError(f"{file.url} answers {answer}") from error
    except ValueError:  # how pooch says that a checksum differs
        raise TaskError(
            f"{file.url} does not have the sha256 {file.sha256} that is pinned: it was discarded, try again"
        ) from None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state(file: Path) -> dict[str, int]:
    status = file.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _verify(folder: Path, command: str) -> None:
    """Compare every file with the manifest; as in Git, read one again only where its size or time has changed.

    Raises:
        TaskError: a file is missing or has another content.
    """
    for path, record in json.loads((folder / MANIFEST).read_text(encoding="utf-8")).items():
        file = folder / path
        same = file.exists() and (record.items() >= _state(file).items() or _sha256(file) == record["sha256"])
        if not same:
            what = "has changed since it was downloaded" if file.exists() else "is missing"
            raise TaskError(f"{file} {what}: delete {folder} and run {command}")
