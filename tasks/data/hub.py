"""Downloads: pinned, checksummed, locked, resumed; offline afterwards. No other file of `tasks` uses a network.

A download is a list of files, each with its address at a fixed commit and, where it is known, its sha256 and size:
those of XQuAD-R were computed from LAReQA's own files, those of Hugging Face data are read from the hub's listing of
the pinned revision. Where no checksum can be known beforehand (GitHub tells none) the first download is trusted, its
sha256 recorded in `manifest.json`, and every later load held to it.

Files arrive in `<folder>.partial`, an interrupted one as `<name>.part`, from where the next attempt goes on by a range
request; the manifest is written last and the folder renamed, so a folder that exists is complete and checked.
`HF_ENDPOINT` names a mirror of the Hugging Face hub.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from tasks.data.cache import cache_folder, once
from tasks.plugins import TaskError

GITHUB = "https://raw.githubusercontent.com"
MANIFEST = "manifest.json"
_ATTEMPTS = 3
_SECONDS = 30
_BLOCK = 1 << 20
_LOG = logging.getLogger(__name__)


class File(NamedTuple):
    """One file to download: its path inside the folder, its address, and what is known of its content."""

    path: str
    url: str
    sha256: str | None = None
    size: int | None = None


class _UnreachableError(Exception):
    """An address that did not answer."""


def github_file(repository: str, commit: str, path: str, sha256: str | None = None) -> File:
    """Return the file at `path` of a GitHub repository at a commit."""
    return File(path, f"{GITHUB}/{repository}/{commit}/{path}", sha256)


def repository_files(repository: str, revision: str, folders: Sequence[str]) -> list[File]:
    """Ask the Hugging Face hub for the files in `folders` of a dataset repository at `revision`, with checksums."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    files = []
    for folder in folders:
        with _open(f"{endpoint}/api/datasets/{repository}/tree/{revision}/{folder}", 0) as answer:
            entries = json.load(answer)
        for entry in (e for e in entries if e["type"] == "file"):
            address = f"{endpoint}/datasets/{repository}/resolve/{revision}/{entry['path']}"
            checksum = entry["lfs"]["oid"] if entry.get("lfs") else None  # small files are not in large file storage
            files.append(File(entry["path"], address, checksum, entry["size"]))
    return files


def fetch(name: str, revision: str, files: Callable[[], Sequence[File]]) -> Path:
    """Return the folder with these files, downloading what is not there; `files` is called only then.

    Args:
        name: the benchmark or corpus, with a part of it after `/`: `miracl/full/th`.
        revision: the pinned commit; a folder a revision.
        files: lists the files; may ask the network.

    Raises:
        TaskError: an address does not answer, a download is truncated or its checksum wrong, or a file changed since.
    """
    folder = cache_folder() / name / revision[:12]
    command = f"`python -m study.fetch {name.split('/', 1)[0]}`"
    try:
        once(folder, lambda partial: _download_all(partial, files()), resumable=True)
    except _UnreachableError as error:
        raise TaskError(
            f"{name} is not on this machine and {error}: run {command} where there is a network and copy {folder} "
            "here, or name a local copy with the option `path`"
        ) from error
    _verify(folder, command)
    return folder


def _download_all(partial: Path, files: Sequence[File]) -> None:
    records = {}
    for file in files:
        target = partial / file.path
        if not target.exists():  # whole and checked by an earlier attempt
            target.parent.mkdir(parents=True, exist_ok=True)
            _download(file, target)
        records[file.path] = {"url": file.url, "sha256": _sha256(target)} | _state(target)
    (partial / MANIFEST).write_text(json.dumps(records, indent=1), encoding="utf-8")


def _download(file: File, target: Path) -> None:
    """Bring one file, going on where an interrupted attempt stopped, and give it its name once it is right."""
    piece = target.with_name(target.name + ".part")
    _LOG.info("downloading %s%s", file.url, f" ({file.size / 1e6:,.1f} MB)" if file.size else "")
    for _ in range(_ATTEMPTS):
        total = _append(file.url, piece)
        if piece.stat().st_size == total:
            break
    else:
        raise TaskError(
            f"{file.url} was cut off after {piece.stat().st_size} of {total or 'unknown'} bytes, {_ATTEMPTS} times: "
            "run the same command again to go on from there"
        )
    found: tuple[str, int] = _sha256(piece), piece.stat().st_size
    for what, expected, value in zip(("sha256", "size"), (file.sha256, file.size), found, strict=True):
        if expected is not None and value != expected:
            piece.unlink()
            raise TaskError(f"{file.url} has {what} {value} where {expected} is pinned: it was discarded, try again")
    piece.rename(target)


def _append(url: str, piece: Path) -> int | None:
    """Read `url` from where `piece` ends until the connection does; return the size the whole file should have.

    Where the server does not tell, that is the size it has now, or None if the connection broke.
    """
    held = piece.stat().st_size if piece.exists() else 0
    with _open(url, held) as answer:
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        start = held if resumed else 0
        length = answer.headers["Content-Length"]
        with piece.open("ab" if resumed else "wb") as out:
            while block := _read(answer):
                out.write(block)
    if length is not None:
        return start + int(length)
    return None if block is None else piece.stat().st_size


def _open(url: str, start: int) -> Any:
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})  # noqa: S310 - ours
    try:
        return urllib.request.urlopen(request, timeout=_SECONDS)  # noqa: S310 - addresses are those of our tables
    except urllib.error.HTTPError as error:
        if (
            start and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        ):  # nothing after `start`: bring it anew
            return _open(url, 0)
        raise _UnreachableError(f"{url} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _UnreachableError(f"{url} cannot be reached ({getattr(error, 'reason', error)})") from error


def _read(answer: Any) -> bytes | None:
    """Return the next block: empty at the end, None where the connection broke."""
    try:
        block: bytes = answer.read(_BLOCK)
    except (OSError, http.client.HTTPException):
        return None
    return block


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state(file: Path) -> dict[str, int]:
    status = file.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _verify(folder: Path, command: str) -> None:
    """Hold every file to the manifest; like git, hash one again only where its size or time changed."""
    for path, record in json.loads((folder / MANIFEST).read_text(encoding="utf-8")).items():
        file = folder / path
        same = file.exists() and (record.items() >= _state(file).items() or _sha256(file) == record["sha256"])
        if not same:
            what = "has changed since it was downloaded" if file.exists() else "is missing"
            raise TaskError(f"{file} {what}: delete {folder} and run {command}")


MODEL_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*/config.json", "*/model.safetensors")
"""What a backbone is made of; pickled weights and code are never fetched."""


def model_folder(name: str, files: Sequence[str] = MODEL_FILES) -> Path:
    """Return the folder of a model of the Hugging Face hub, downloaded once a machine (in its own cache, `HF_HOME`).

    Args:
        name: owner/name.
        files: patterns; `["config.json"]` is enough to know that the model is there.

    Raises:
        TaskError: the hub does not have it, or neither the hub nor a copy can be reached.
    """
    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except HFValidationError:
        raise TaskError(f"backbone '{name}' is neither built in, nor a folder, nor the id of a hub model") from None
    except (RepositoryNotFoundError, LocalEntryNotFoundError, OSError) as error:
        raise TaskError(
            f"backbone '{name}' is neither built in, nor a folder, and cannot be had from the hub "
            f"({type(error).__name__}): check the name, or fetch it where there is a network and name its folder"
        ) from None
