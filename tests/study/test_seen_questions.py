"""Test questions that are training questions: counted by language, however they are spelt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study import seen_questions as module
from study.seen_questions import seen_questions
from tasks.corpora import parallel_jsonl
from tasks.schema import Benchmark, Corpus, Query, Setting, Texts

TRAINED = [
    {"th": "แม่น้ำใดยาวที่สุด", "zh": "哪条河最长？", "en": "Which river is the longest?"},
    {"th": "น้ำเดือดที่เท่าไร", "ar": "ما عاصمة مصر؟"},
]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    rows = [{lang: {"query": text, "passage": f"答 {text}"} for lang, text in row.items()} for row in TRAINED]
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(json.dumps({"pairs": row}, ensure_ascii=False) for row in rows), "utf-8")
    return parallel_jsonl.load(path=file)


def benchmark(**questions: list[str]) -> Benchmark:
    queries = {
        language: Texts.of([Query(f"{language}-{n}", text) for n, text in enumerate(texts)])
        for language, texts in questions.items()
    }
    return Benchmark("asked", "1", queries, [], {}, (Setting.MULTILINGUAL,))


@pytest.mark.parametrize(
    ("questions", "seen"),
    [
        ({"th": ["แม่น้ำใดยาวที่สุด", "น้ำเดือดที่เท่าไร", "ใครเขียน"], "ar": ["ما عاصمة مصر؟"]}, 3),
        ({"th": ["哪条河最长？"], "zh": ["哪条河最短？"]}, 0),  # another language, another question
        ({"zh": ["哪条河最长?"], "en": ["which  river is\u00a0the LONGEST?", "Which river"]}, 2),  # width, case, spaces
        ({"th": ["แม่น\u0e49\u0e4dาใดยาวที่สุด"]}, 1),  # the vowel of น้ำ in two characters
        ({"zh": ["哪条河最长？", "哪条河最长？"]}, 2),
        ({"ja": ["哪条河最长？"]}, 0),
    ],
)
def test_questions_are_counted_by_language_and_however_they_are_spelt(
    questions: dict[str, list[str]], seen: int, corpus: Corpus
) -> None:
    assert seen_questions(benchmark(**questions), [corpus, corpus]) == seen
    assert seen_questions(benchmark(**questions), []) == 0


def test_large_corpora_are_not_searched(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = benchmark(th=["แม่น้ำใดยาวที่สุด"])
    monkeypatch.setattr(module, "MOST_QUESTIONS", 2)
    assert seen_questions(asked, [corpus]) == 1
    assert seen_questions(asked, [corpus, corpus]) is None
