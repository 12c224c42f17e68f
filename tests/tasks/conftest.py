"""Fixtures for tests of data: an empty cache, a local web server, and small LAReQA files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.file_server import FileServer

Paragraphs = Mapping[str, list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for this test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("STUDY_CACHE", str(folder))
    return folder


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A web server in the place of GitHub."""
    served = FileServer()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("tasks.data.pinned_files.GITHUB", served.url)
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)  # between attempts
    yield served
    if served.running:
        served.stop()


@pytest.fixture
def paragraph() -> Callable[..., dict[str, Any]]:
    """Return a paragraph made of sentences and questions, each an id, a text and the index of its answer sentence."""

    def make(sentences: list[str], *questions: tuple[str, str, int]) -> dict[str, Any]:
        context = " ".join(sentences)
        starts = [context.index(sentence) for sentence in sentences]
        return {
            "context": context,
            "qas": [
                {
                    "id": key,
                    "question": text,
                    "answers": [{"answer_start": starts[i] + 1, "text": sentences[i][1:4]}],
                }
                for key, text, i in questions
            ],
            "sentence_breaks": [[s, s + len(t)] for s, t in zip(starts, sentences, strict=True)],
            "sentences": sentences,
        }

    return make


@pytest.fixture
def write_lareqa() -> Callable[[Path, Paragraphs], Path]:
    """Write one file per language into a folder, as LAReQA publishes them."""

    def write(folder: Path, paragraphs: Paragraphs) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for language, content in paragraphs.items():
            articles = [{"title": language, "paragraphs": [part]} for part in content]
            (folder / f"{language}.json").write_text(json.dumps({"version": "1.1", "data": articles}), encoding="utf-8")
        return folder

    return write
