"""A local stand-in of the Hugging Face hub: as much of its HTTP API as `huggingface_hub` uses, without Xet storage."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

import yaml

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


def _mode(size: int) -> str:
    return "lfs" if size >= LARGE else "regular"


class HubServer(FileServer):
    """Serves `repositories`, by `models/owner/name` or `datasets/owner/name`."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.writers: dict[str, str] = {}
        """Token -> the owner in whose name it may write."""
        self._uploaded: dict[str, bytes] = {}
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Send what the hub would send."""
        self.requests.append((request.path, request.headers["Range"]))
        parts = unquote(request.path.partition("?")[0]).strip("/").split("/")
        if request.command in {"POST", "PUT"}:
            self._answer_upload(request, parts)
        elif parts[0] == "api":
            self._answer_api(request, "/".join(parts[1:4]), *(parts[4:6] or ("revision", "main")))
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
        answer = (
            listing
            if what == "tree"
            else {
                "id": key.partition("/")[2],
                "sha": repository.commit,
                "siblings": [],
                "private": repository.token is not None,
            }
        )
        self._send_json(request, answer)

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

    def _answer_upload(self, request: BaseHTTPRequestHandler, parts: list[str]) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        token = (request.headers["Authorization"] or "").removeprefix("Bearer ")
        match parts:
            case ["lfs", checksum]:
                self._uploaded[checksum] = body
                self._send_json(request, {})
            case ["api", "validate-yaml"]:
                self._check_card(request, json.loads(body)["content"])
            case _ if token not in self.writers:
                self.refuse(request, HTTPStatus.UNAUTHORIZED, "")
            case ["api", "repos", "create"]:
                self._create(request, json.loads(body), token)
            case ["api", "models", _, _, "preupload", _]:
                files = json.loads(body)["files"]
                modes = [{"path": f["path"], "uploadMode": _mode(f["size"]), "shouldIgnore": False} for f in files]
                self._send_json(request, {"files": modes})
            case [_, _, "info", "lfs", "objects", "batch"]:
                objects = [
                    entry | {"actions": {"upload": {"href": f"{self.url}/lfs/{entry['oid']}"}}}
                    for entry in json.loads(body)["objects"]
                ]
                self._send_json(request, {"transfer": "basic", "objects": objects})
            case ["api", "models", owner, name, "commit", _]:
                self._commit(request, f"{owner}/{name}", body)

    def _create(self, request: BaseHTTPRequestHandler, asked: dict[str, str], token: str) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if self.writers[token] != asked["organization"]:
            self.refuse(request, HTTPStatus.FORBIDDEN, "")
        elif f"models/{name}" in self.repositories:
            self.refuse(request, HTTPStatus.CONFLICT, "", f"{self.url}/{name}")
        else:
            private = asked.get("visibility") == "private"
            created = Repository({".gitattributes": b""}, token=token if private else None)
            self.repositories[f"models/{name}"] = created
            self._send_json(request, {"url": f"{self.url}/{name}"})

    def _commit(self, request: BaseHTTPRequestHandler, name: str, body: bytes) -> None:
        repository = self.repositories[f"models/{name}"]
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repository.files[value["path"]] = self._uploaded[value["oid"]]
        repository.commit = "c" * 40
        address = f"{self.url}/{name}/commit/{repository.commit}"
        self._send_json(request, {"commitUrl": address, "commitOid": repository.commit, "success": True})

    def _check_card(self, request: BaseHTTPRequestHandler, card: str) -> None:
        """Answer as the hub does, which takes ISO 639 codes of languages alone."""
        languages = (yaml.safe_load(card.split("---")[1]) or {}).get("language", []) if card.startswith("---") else []
        unknown = [language for language in languages if not re.fullmatch("[a-z]{2,3}", language)]
        errors = [{"message": f'"language" must be ISO 639 codes, not {language}'} for language in unknown]
        status = HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK
        body = json.dumps({"errors": errors, "warnings": []}).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _send_json(self, request: BaseHTTPRequestHandler, answer: object) -> None:
        self.send(request, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def refuse(self, request: BaseHTTPRequestHandler, status: HTTPStatus, code: str, url: str = "") -> None:
        """Send an error as the hub does: its code in a header, and JSON."""
        body = json.dumps({"error": code, "url": url}).encode()
        request.send_response(status)
        request.send_header("X-Error-Code", code)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
