"""Test questions that are training questions: counted in each language, however they and their languages are spelt."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from study import seen_questions as module
from study.seen_questions import seen_questions, shared_questions
from tasks.benchmarks import mlqa_r, xquad_r
from tasks.corpora import lareqa, parallel_jsonl
from tasks.schema import Benchmark, Corpus, Query, Setting, Texts
from tests.toy_corpus import ToyCorpus

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


def benchmark(questions: dict[str, list[str]], *, translated: bool = False) -> Benchmark:
    queries = {
        language: Texts.of([Query(f"{'' if translated else language}{n}", text) for n, text in enumerate(texts)])
        for language, texts in questions.items()
    }
    qrels = {query: {"p": 1} for table in queries.values() for query in table.ids()}
    return Benchmark("asked", "1", queries, [], qrels, (Setting.MULTILINGUAL,))


@pytest.mark.parametrize(
    ("questions", "seen"),
    [
        ({"th": ["แม่น้ำใดยาวที่สุด", "น้ำเดือดที่เท่าไร", "ใครเขียน"], "ar": ["ما عاصمة مصر؟"]}, 3),
        ({"th": ["哪条河最长？"], "zh": ["哪条河最短？"]}, 1),  # under another label, another question
        ({"zh": ["哪条河最长?"], "en": ["which  river is\u00a0the LONGEST?", "Which river"]}, 2),  # width, case, spaces
        ({"th": ["แม่น\u0e49\u0e4dาใดยาวที่สุด"]}, 1),  # the vowel of น้ำ in two characters
        ({"zh": ["哪条河最长？", "哪条河最长？"]}, 2),
        ({"ja": ["哪条河最长？"]}, 1),
        ({"arb": ["ما عاصمة مصر؟"], "zh_Hant": ["哪条河最长？"]}, 2),
    ],
)
def test_questions_are_counted_in_each_language_and_however_they_are_spelt(
    questions: dict[str, list[str]], seen: int, corpus: Corpus
) -> None:
    assert seen_questions(benchmark(questions), [corpus, corpus]) == (seen, ())
    assert seen_questions(benchmark(questions), []) == (0, ())


def test_the_versions_of_a_trained_question_in_other_languages_are_counted_with_it(corpus: Corpus) -> None:
    questions = {"th": ["แม่น้ำใดยาวที่สุด", "ใครเขียน"], "ar": ["ما أطول نهر؟", "من كتب؟"], "ja": ["最長の川は？"]}
    assert seen_questions(benchmark(questions), [corpus]).questions == 1
    assert seen_questions(benchmark(questions, translated=True), [corpus]).questions == 3


def test_questions_that_two_benchmarks_share_are_counted_whatever_their_languages_are_called() -> None:
    norwegian = benchmark({"no": ["Hva heter elven?", "Hvem?"], "th": ["แม่น้ำใด", "ใคร"]}, translated=True)
    assert shared_questions(norwegian, benchmark({"nb": ["hva heter  elven?"]})) == 2
    assert shared_questions(norwegian, benchmark({"zh": ["哪条河？"]})) == 0


def test_queries_without_a_judgement_are_not_counted_as_the_benchmark_does_not_ask_them(corpus: Corpus) -> None:
    """BEIR's files hold the queries of all splits."""
    whole = benchmark({"th": ["แม่น้ำใดยาวที่สุด", "ใครเขียน", "น้ำเดือดที่เท่าไร"]})
    train, test = (replace(whole, qrels={query: {"p": 1}}) for query in ("th0", "th1"))
    assert (test.questions, list(test.document_of())) == (1, ["th1"])
    assert [seen_questions(split, [corpus]).questions for split in (train, test)] == [1, 0]
    assert (shared_questions(train, train), shared_questions(train, test)) == (1, 0)


def test_large_corpora_are_not_searched(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = benchmark({"th": ["แม่น้ำใดยาวที่สุด"]})
    monkeypatch.setattr(module, "MOST_QUESTIONS", 5)
    assert seen_questions(asked, [corpus]) == (1, ())
    monkeypatch.setattr(module, "MOST_QUESTIONS", 4)  # those in Thai alone
    thai = len(corpus.rows("th"))
    assert thai <= 4
    assert seen_questions(asked, [corpus]) == (1, ())
    monkeypatch.setattr(module, "MOST_QUESTIONS", thai - 1)
    assert seen_questions(asked, [corpus]) == (None, ("parallel_jsonl",))
    assert seen_questions(benchmark({"xx": ["?"]}), [corpus]) == (None, ("parallel_jsonl",))


def test_a_corpus_that_is_too_large_does_not_keep_smaller_ones_from_being_searched(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = ToyCorpus.parallel(4, ("ar", "th", "zh"), name="ใหญ่")
    monkeypatch.setattr(module, "MOST_QUESTIONS", 8)
    asked = benchmark({"th": ["แม่น้ำใดยาวที่สุด"], "zh": ["问"]})
    assert seen_questions(asked, [large, corpus, large]) == (1, ("ใหญ่", "ใหญ่"))
    monkeypatch.setattr(module, "MOST_QUESTIONS", 5 + 4 * 2)  # in Thai and Chinese
    assert seen_questions(asked, [large, corpus]) == (1, ())


SQUAD, MLQA = "56beb4343aeaaa14008c925b", "a4968ca8a18de16aa3859be760e43dbd3af3fce9"


@pytest.mark.parametrize(
    ("trained", "asked", "seen"),
    [
        (SQUAD, SQUAD, 1),
        (MLQA, f"zh:{MLQA}", 1),
        (SQUAD, MLQA, 0),
        ("q7", "q7", 0),
        ("0" * 24, "0" * 24, 0),  # a number
        (f"x{SQUAD}", f"x{SQUAD}", 0),
    ],
)
def test_a_question_that_is_trained_on_in_another_language_is_known_by_its_id_if_that_is_a_hash(
    tmp_path: Path, trained: str, asked: str, seen: int
) -> None:
    row = {"id": trained, "pairs": {"th": {"query": "แม่น้ำใดยาวที่สุด", "passage": "แม่น้ำไนล์"}}}
    (tmp_path / "mined.jsonl").write_text(json.dumps(row, ensure_ascii=False), "utf-8")
    queries = {"zh": Texts.of([Query(asked, "哪条河最长？"), Query(f"{asked}0", "哪条河最短？")])}
    qrels = {query: {"p": 1} for query in queries["zh"].ids()}
    chinese = Benchmark("asked", "1", queries, [], qrels, (Setting.MULTILINGUAL,))
    corpus = parallel_jsonl.load(path=tmp_path / "mined.jsonl")
    assert seen_questions(chinese, [corpus]).questions == seen


@pytest.mark.parametrize(("name", "load"), [("xquad-r", xquad_r.load), ("mlqa-r", mlqa_r.load)])
def test_questions_of_lareqa_that_are_trained_on_in_english_are_seen_in_german_and_chinese(
    real_xquad_r: Path, name: str, load: Callable[..., Benchmark]
) -> None:
    folder = real_xquad_r.with_name(name)
    asked, trained = load(path=folder, languages=("de", "zh")), lareqa.load(path=folder, languages=("en",))
    assert seen_questions(asked, [trained]) == (asked.questions, ())
    one = lareqa.load(path=folder, languages=("en",), rows=1)
    assert 0 < (seen_questions(asked, [one]).questions or 0) <= 2
