"""The corpora whose rows have one language each, from small local copies in their published layouts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from babel import Locale

from tasks.corpora import mfaq, miracl, mr_tydi, natural_questions, newsqa, wiki_qa
from tasks.plugins import TaskError, load_corpus
from tasks.schema import Corpus, Pair
from tests.tasks.corpus_contract import check_contract


def parquet(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file)


def everything(corpus: Corpus) -> list[tuple[str, Pair]]:
    """Return the language and the pair of every row."""
    check_contract(corpus)
    languages = [corpus.row_languages(row) for row in range(len(corpus))]
    assert all(len(held) == 1 for held in languages)
    held = [language for (language,) in languages]
    return list(zip(held, corpus.pairs(np.arange(len(corpus)), held, held), strict=True))


@pytest.mark.parametrize(
    ("name", "file", "query", "passage"),
    [
        ("natural_questions", "pair/train-00000-of-00001.parquet", "query", "answer"),
        ("yahoo_qa", "title-answer-pair/train-00000-of-00001.parquet", "title", "answer"),
        ("newsqa", "data/train-00000-of-00001-ec54.parquet", "question", "context"),
    ],
)
def test_plain_pairs_are_rows_without_white_space_and_empty_ones_are_skipped(
    tmp_path: Path, name: str, file: str, query: str, passage: str
) -> None:
    parquet(
        tmp_path / file,
        [
            {query: " ใครเขียนบทกวีนี้ ", passage: "สุนทรภู่เขียน\n", "other": 1},
            {query: "谁？", passage: " ", "other": 2},
            {query: None, passage: "无", "other": 3},
            {query: "من؟", passage: "هو", "other": 4},
        ],
    )
    corpus = load_corpus(name, {"path": str(tmp_path)})
    assert everything(corpus) == [("en", Pair("ใครเขียนบทกวีนี้", "สุนทรภู่เขียน")), ("en", Pair("من؟", "هو"))]


def test_newsqa_leaves_its_validation_split_alone(tmp_path: Path) -> None:
    parquet(tmp_path / "data/train-0.parquet", [{"question": "ใคร", "context": "เขา"}])
    parquet(tmp_path / "data/validation-0.parquet", [{"question": "谁", "context": "他"}])
    assert everything(newsqa.load(path=tmp_path)) == [("en", Pair("ใคร", "เขา"))]


def test_wiki_qa_pairs_sentences_that_answer_with_those_of_the_same_question_that_do_not(tmp_path: Path) -> None:
    rows = [
        ("Q1", "泰国", "不是", 0),
        ("Q1", "泰国", "曼谷", 1),
        ("Q1", "泰国", "也不是", 0),
        ("Q2", "ไม่มีคำตอบ", "ก", 0),
    ]
    for split, held in (("train", rows), ("validation", [("Q3", "ما؟", "نعم", 1), ("Q3", "ما؟", "أجل", 1)])):
        columns = ("question_id", "question", "answer", "label")
        parquet(tmp_path / f"data/{split}-0.parquet", [dict(zip(columns, row, strict=True)) for row in held])
    assert everything(wiki_qa.load(path=tmp_path)) == [
        ("en", Pair("泰国", "曼谷", ("不是", "也不是"))),
        ("en", Pair("ما؟", "نعم")),
        ("en", Pair("ما؟", "أجل")),
    ]


def test_miracl_has_a_judged_negative_a_row_and_no_row_in_two_languages(tmp_path: Path) -> None:
    for language, texts in {"th": "กขค", "ar": "ابت"}.items():
        row = dict(zip(("anchor", "positive", "negative"), texts, strict=True))
        parquet(tmp_path / f"{language}-triplet/train/0000.parquet", [row])
    corpus = miracl.load(path=tmp_path, languages=("th", "ar"))
    assert everything(corpus) == [("ar", Pair("ا", "ب", ("ت",))), ("th", Pair("ก", "ข", ("ค",)))]
    assert len(corpus.rows()) == 0
    with pytest.raises(TaskError, match=r"'miracl' needs files .*zh-triplet/train"):
        miracl.load(path=tmp_path, languages=("zh",))


def test_mr_tydi_has_a_row_for_each_passage_that_answers(tmp_path: Path) -> None:
    question = {
        "query_id": "1",
        "query": "เมืองหลวงของไทยคือ?",
        "positive_passages": [
            {"docid": "1#0", "title": "กรุงเทพ", "text": "เมืองหลวง"},
            {"docid": "1#1", "title": "", "text": "บางกอก"},
            {"docid": "1#2", "title": " ", "text": ""},
        ],
        "negative_passages": [
            {"docid": "2#0", "title": "เชียงใหม่", "text": "อยู่ทางเหนือ"},
            {"docid": "2#1", "title": "", "text": " "},
        ],
    }
    folder = tmp_path / "mrtydi-v1.1-thai"
    folder.mkdir()
    with gzip.open(folder / "train.jsonl.gz", "wt", encoding="utf-8") as out:
        out.write(json.dumps(question) + "\n")
    corpus = mr_tydi.load(path=tmp_path, languages=("th",))
    negatives = ("เชียงใหม่ อยู่ทางเหนือ",)
    assert everything(corpus) == [
        ("th", Pair("เมืองหลวงของไทยคือ?", "กรุงเทพ เมืองหลวง", negatives)),
        ("th", Pair("เมืองหลวงของไทยคือ?", "บางกอก", negatives)),
    ]
    assert corpus.keys(np.arange(2)).queries.tolist() == [0, 0]
    with gzip.open(folder / "train.jsonl.gz", "wt", encoding="utf-8") as out:
        out.write('{"query": "ก"}\n')
    with pytest.raises(TaskError, match=r"train\.jsonl\.gz, line 1, positive_passages: Field required"):
        mr_tydi.load(path=tmp_path, languages=("th",))
    (folder / "train.jsonl.gz").write_bytes(gzip.compress(json.dumps(question).encode())[:-12])
    with pytest.raises(TaskError, match=r"train\.jsonl\.gz cannot be read .*: bring a whole copy"):
        mr_tydi.load(path=tmp_path, languages=("th",))


def test_mfaq_has_a_row_for_each_pair_of_a_page(tmp_path: Path) -> None:
    page = {
        "id": 1,
        "domain": "example.org",
        "qa_pairs": [{"question": "Nerede?", "answer": "Burada. "}, {"question": "Ne?", "answer": ""}],
    }
    (tmp_path / "data/tr").mkdir(parents=True)
    (tmp_path / "data/tr/train.jsonl").write_text(json.dumps(page) + "\n", encoding="utf-8")
    assert everything(mfaq.load(path=tmp_path, languages=("tr",))) == [("tr", Pair("Nerede?", "Burada."))]


def test_a_parquet_file_without_a_column_is_refused_with_those_it_has(tmp_path: Path) -> None:
    parquet(tmp_path / "pair/train.parquet", [{"query": "ก", "text": "ข"}])
    with pytest.raises(TaskError, match=r"train\.parquet has the columns query, text, but not answer"):
        natural_questions.load(path=tmp_path)
    parquet(tmp_path / "pair/train.parquet", [{"query": 1.5, "answer": "ข"}])
    with pytest.raises(
        TaskError, match=r"train\.parquet, column query has the type double: a column of texts is needed"
    ):
        natural_questions.load(path=tmp_path)
    (tmp_path / "pair/train.parquet").write_bytes(b"PAR1")
    with pytest.raises(TaskError, match=r"train\.parquet is not a readable Parquet file"):
        natural_questions.load(path=tmp_path)


def test_a_parquet_file_that_was_never_pulled_from_large_file_storage_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pair" / "train.parquet"
    file.parent.mkdir()
    file.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 7\n", encoding="ascii")
    with pytest.raises(TaskError, match=r"train\.parquet is a Git LFS pointer and not the file itself: run `git lfs"):
        load_corpus("natural_questions", {"path": str(tmp_path)})


def test_the_names_of_mr_tydis_folders_are_those_of_their_languages() -> None:
    names = dict(Locale("en").languages) | {"bn": "Bengali"}  # Bangla in the CLDR
    assert {language: names[language].lower() for language in mr_tydi._NAMES} == mr_tydi._NAMES
