"""LAReQA files in their published format, written for the tests that need broken or small ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Paragraphs = Mapping[str, list[dict[str, Any]]]


@pytest.fixture
def paragraph() -> Callable[..., dict[str, Any]]:
    """Return one paragraph from its sentences and, a question, (id, text, number of the answer's sentence)."""

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
    """Write one file a language, as LAReQA publishes them, into a folder."""

    def write(folder: Path, paragraphs: Paragraphs) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for language, held in paragraphs.items():
            content = {"version": "1.1", "data": [{"title": language, "paragraphs": [one]} for one in held]}
            (folder / f"{language}.json").write_text(json.dumps(content), encoding="utf-8")
        return folder

    return write
