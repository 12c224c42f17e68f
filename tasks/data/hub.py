"""Download data sets and models of the Hugging Face hub with `huggingface_hub`.

Files lie in the library's own cache, which all programs on a machine share, and the library's environment variables
apply: `HF_HOME` (the cache), `HF_TOKEN` (private and gated repositories), `HF_ENDPOINT` (a mirror) and
`HF_HUB_OFFLINE`. A snapshot of a fixed commit that is complete is used without any request.

The library compares sizes. The checksum of each file (sha256 of large files, Git's sha1 of others) is compared here,
once after the download and again after a file has changed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from huggingface_hub import constants

from tasks.data.cache import once_per_state
from tasks.plugins import TaskError

MODEL_FILES = ("*.json", "*.safetensors", "*.model", "*.txt")
"""The files of a backbone, in all folders; pickled weights and code are never downloaded."""
_WORDS = {"model": "backbone", "dataset": "data set"}
_GIT_SHA1_LENGTH = 40
_NOT_ALLOWED = {401, 403}
_COMMITS: dict[tuple[str, str], str] = {}
"""Cache folder and backbone -> commit: a process keeps to the commit it saw first, even if the branch moves."""


class _Repository(NamedTuple):
    kind: Literal["model", "dataset"]
    name: str
    revision: str | None

    def __str__(self) -> str:
        return f"{_WORDS[self.kind]} '{self.name}'"

    @property
    def page(self) -> str:
        return f"{constants.ENDPOINT}/{'datasets/' if self.kind == 'dataset' else ''}{self.name}"


def dataset_folder(name: str, revision: str, patterns: Sequence[str]) -> Path:
    """Return the folder of a data set's snapshot in which the files that match are complete and checked.

    Args:
        name: `owner/name`.
        revision: the pinned commit.
        patterns: of paths in the repository, such as `th-corpus/*`; `*` also matches `/`.

    Raises:
        TaskError: the repository or revision does not exist or may not be read, no file matches, the hub cannot be
            reached and the files are not in the cache, or a checksum is wrong.
    """
    return _download(_Repository("dataset", name, revision), patterns)


def model_folder(backbone: str, patterns: Sequence[str] = MODEL_FILES) -> Path:
    """Return the folder of a model's snapshot.

    Args:
        backbone: `owner/name`, or `owner/name@revision` with a commit, tag or branch.
        patterns: of paths in the repository; `["config.json"]` is enough to know that the model can be had.

    Raises:
        TaskError: as for `dataset_folder`.
    """
    name, _, revision = backbone.partition("@")
    key = constants.HF_HUB_CACHE, backbone
    pinned = _COMMITS.get(key, revision)
    folder = _download(_Repository("model", name if revision else backbone, pinned or None), patterns)
    _COMMITS[key] = folder.name
    return folder


def _download(repository: _Repository, patterns: Sequence[str]) -> Path:
    # Imported here: search spaces that name a benchmark are checked without the library's HTTP clients.
    import httpx2  # noqa: PLC0415
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415
    from huggingface_hub.utils import disable_progress_bars, filter_repo_objects  # noqa: PLC0415

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        folder = Path(
            snapshot_download(
                repository.name,
                repo_type=repository.kind,
                revision=repository.revision,
                allow_patterns=list(patterns),
            )
        )
    except (OSError, HFValidationError, httpx2.HTTPError) as error:
        raise TaskError(_explain(repository, error)) from error
    paths = (str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    files = [folder / path for path in sorted(filter_repo_objects(paths, allow_patterns=list(patterns)))]
    if not files:
        raise TaskError(f"{repository} has no files {', '.join(patterns)} ({repository.page})")
    once_per_state("verified", files, lambda _: _verify(files))
    return folder


def _explain(repository: _Repository, error: Exception) -> str:
    """Return one sentence for an error of the library."""
    from huggingface_hub.errors import (  # noqa: PLC0415 - see above
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    hub = constants.ENDPOINT
    pinned = f"{repository} at revision '{repository.revision}'" if repository.revision else str(repository)
    match error:
        case HFValidationError():
            text = f"{repository} is neither a folder on this machine nor the id of a repository of the hub, owner/name"
        case GatedRepoError():
            text = (
                f"{repository} is gated: accept its terms at {repository.page}, then set HF_TOKEN to a token of the "
                "account that did"
            )
        case RepositoryNotFoundError():
            text = (
                f"{repository} is not a folder on this machine, and {hub} has no such repository or it is private: "
                "check the name, or set HF_TOKEN to a token that may read it"
            )
        case RevisionNotFoundError():
            text = f"{repository} has no revision '{repository.revision}': {repository.page}/commits lists them"
        case LocalEntryNotFoundError():
            reason = "HF_HUB_OFFLINE is set" if constants.is_offline_mode() else f"{hub} cannot be reached"
            text = (
                f"{pinned} is not complete on this machine and {reason}: download it where there is a network and copy "
                f"it into {constants.HF_HUB_CACHE}, or name a local folder"
            )
        case HfHubHTTPError(response=response):
            text = f"{pinned} cannot be downloaded: {hub} answers {response.status_code} {response.reason_phrase}"
            text += ": check HF_TOKEN" * (response.status_code in _NOT_ALLOWED)
        case _:
            reason = str(error).partition("\n")[0] or type(error).__name__
            text = f"{pinned} cannot be downloaded: {reason}; run the same command again"
    return text


def _verify(files: Sequence[Path]) -> None:
    """Compare each file with its checksum, which is the name of the blob that the cache links it to.

    Raises:
        TaskError: a file has another content; it has been removed, so that the next attempt downloads it again.
    """
    for file in files:
        if not file.is_symlink():  # a file system without links: only the size was compared
            continue
        expected = file.readlink().name
        if _checksum(file, expected) != expected:
            file.resolve().unlink()  # the blob: a link alone would be made to it again
            file.unlink()
            raise TaskError(
                f"{file} does not have the checksum {expected} that the hub states and was removed: run the same "
                "command again to download it once more"
            )


def _checksum(file: Path, expected: str) -> str:
    if len(expected) == _GIT_SHA1_LENGTH:
        digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
        digest.update(file.read_bytes())
        return digest.hexdigest()
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
