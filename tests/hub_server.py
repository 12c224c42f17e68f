"""A local stand-in of the Hugging Face hub: as much of its HTTP API as `huggingface_hub` uses to download."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from tests.file_server import FileServer

LARGE = 1000
"""Bytes from which a file is in large file storage, with a sha256 for a checksum."""


@dataclass
class Repository:
    """A repository with one commit on the branch `main`."""

    files: dict[str, bytes]
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    token: str | None = None
    """Without it a private repository does not exist, and a gated one gives no files."""
    gated: bool = False
    checksums: dict[str, str] = field(default_factory=dict)
    """Checksums that are stated in place of the right ones."""

    def checksum(self, path: str) -> str:
        """Return what the hub states: the sha256 of a large file, Git's sha1 of another."""
        content = self.files[path]
        git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        right = hashlib.sha256(content) if len(content) >= LARGE else git
        return self.checksums.get(path, right.hexdigest())


class HubServer(FileServer):
    """Serves `repositories`, by `models/owner/name` or `datasets/owner/name`."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Send what the hub would send."""
        self.requests.append((request.path, request.headers["Range"]))
        parts = unquote(request.path.partition("?")[0]).strip("/").split("/")
        if parts[0] == "api":
            self._answer_api(request, "/".join(parts[1:4]), parts[4], parts[5])
        else:
            kind = parts.pop(0) if parts[0] == "datasets" else "models"
            self._answer_file(request, "/".join([kind, *parts[:2]]), parts[3], "/".join(parts[4:]))

    def _answer_api(self, request: BaseHTTPRequestHandler, key: str, what: str, revision: str) -> None:
        repository = self._allowed(request, key, revision, gate=False)
        if repository is None:
            return
        listing = [
            {"type": "file", "path": path, "size": len(content), "oid": repository.checksum(path)}
            | ({"lfs": {"oid": repository.checksum(path), "size": len(content), "pointerSize": 130}} if large else {})
            for path, content in repository.files.items()
            for large in [len(content) >= LARGE]
        ]
        answer = listing if what == "tree" else {"id": key.partition("/")[2], "sha": repository.commit, "siblings": []}
        self.send(request, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _answer_file(self, request: BaseHTTPRequestHandler, key: str, revision: str, path: str) -> None:
        repository = self._allowed(request, key, revision, gate=True)
        if repository and path in repository.files:
            headers = {"X-Repo-Commit": repository.commit, "ETag": f'"{repository.checksum(path)}"'}
            self.send(request, repository.files[path], headers)
        elif repository:
            self.refuse(request, HTTPStatus.NOT_FOUND, "EntryNotFound")

    def _allowed(self, request: BaseHTTPRequestHandler, key: str, revision: str, *, gate: bool) -> Repository | None:
        """Return the repository, or None after the refusal has been sent."""
        repository = self.repositories.get(key)
        known = repository is not None and request.headers["Authorization"] == f"Bearer {repository.token}"
        if repository is None or (repository.token and not known and not repository.gated):
            self.refuse(request, HTTPStatus.UNAUTHORIZED, "RepoNotFound")
        elif repository.gated and gate and not known:
            self.refuse(request, HTTPStatus.FORBIDDEN, "GatedRepo")
        elif revision not in {"main", repository.commit}:
            self.refuse(request, HTTPStatus.NOT_FOUND, "RevisionNotFound")
        else:
            return repository
        return None

    def refuse(self, request: BaseHTTPRequestHandler, status: HTTPStatus, code: str) -> None:
        """Send an error as the hub does: its code in a header."""
        request.send_response(status)
        request.send_header("X-Error-Code", code)
        request.send_header("Content-Length", "0")
        request.end_headers()
