"""mMARCO from small files in its layout: joined by ids in any order, complete or not, and only what is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from babel import Locale

from tasks.corpora import mmarco
from tasks.plugins import TaskError
from tasks.schema import Corpus, Pair
from tests.hub_server import HubServer, Repository
from tests.tasks.corpus_contract import check_contract

QUERIES = {
    "arabic": {7: "ما عاصمة تايلاند؟", 2: "ما عاصمة اليونان؟"},
    "chinese": {7: "泰国的首都是哪里？", 2: "希腊的首都是哪里？"},
}
PASSAGES = {
    "arabic": {0: "أثينا عاصمة اليونان.", 1: "بانكوك عاصمة تايلاند.", 2: "هانوي عاصمة فيتنام."},
    "chinese": {0: "雅典是希腊的首都。", 1: "曼谷是泰国的首都。", 2: "河内是越南的首都。"},
}
TRIPLES = [(7, 1, 2), (2, 0, 1), (7, 1, 0)]


def tsv(rows: dict[int, str], *, backwards: bool = False) -> str:
    lines = [f"{key}\t{text}\n" for key, text in rows.items()]
    return "".join(reversed(lines) if backwards else lines)


def contents() -> dict[str, str]:
    """Path in the repository -> content; the two languages list their texts in opposite order."""
    files = {"data/triples.train.ids.small.tsv": "".join("\t".join(map(str, row)) + "\n" for row in TRIPLES)}
    for backwards, language in enumerate(QUERIES):
        queries, passages = (tsv(held[language], backwards=bool(backwards)) for held in (QUERIES, PASSAGES))
        files[f"data/google/queries/train/{language}_queries.train.tsv"] = queries
        files[f"data/google/collections/{language}_collection.tsv"] = passages
    return files


@pytest.fixture
def copy(tmp_path: Path, cache: Path) -> Path:
    for path, content in contents().items():
        file = tmp_path / "mmarco" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return tmp_path / "mmarco"


def test_a_row_is_joined_by_ids_in_any_pair_of_languages(copy: Path) -> None:
    corpus: Corpus = mmarco.load(path=copy, languages=("zh", "ar"))
    check_contract(corpus)
    assert corpus.languages == ("ar", "zh")
    assert corpus.pairs(np.array([1, 0, 2]), ["ar", "zh", "ar"], ["zh", "zh", "ar"]) == [
        Pair(QUERIES["arabic"][2], PASSAGES["chinese"][0], (PASSAGES["chinese"][1],)),
        Pair(QUERIES["chinese"][7], PASSAGES["chinese"][1], (PASSAGES["chinese"][2],)),
        Pair(QUERIES["arabic"][7], PASSAGES["arabic"][1], (PASSAGES["arabic"][0],)),
    ]


def test_rows_are_a_range_and_keys_are_ms_marcos_ids(copy: Path) -> None:
    corpus = mmarco.load(path=copy, languages=("ar", "zh"))
    assert corpus.rows() == corpus.rows("zh") == range(3)
    keys = corpus.keys(np.array([2, 1, 0]))
    assert keys.queries.tolist() == [7, 2, 7]
    assert keys.passages.tolist() == [1, 0, 1]


def test_one_language_alone_serves_monolingual_batches_only(copy: Path) -> None:
    corpus: Corpus = mmarco.load(path=copy, languages=("ar",))
    check_contract(corpus)
    assert len(corpus.rows()) == 0


def test_a_line_break_of_another_kind_inside_a_text_does_not_end_it(copy: Path) -> None:
    file = copy / "data/google/collections/chinese_collection.tsv"
    file.write_text("0\t雅典\r是\u2028希腊\x85的首都。\n1\t曼谷\n2\t河内\n", encoding="utf-8", newline="")
    corpus = mmarco.load(path=copy, languages=("zh",))
    assert corpus.pairs(np.array([1]), ["zh"], ["zh"])[0].passage == "雅典\r是\u2028希腊\x85的首都。"


@pytest.mark.parametrize("removed", [0, 2])
def test_an_id_without_a_text_is_reported_with_its_file_before_training(copy: Path, removed: int) -> None:
    file = copy / "data/google/collections/arabic_collection.tsv"
    kept = {key: text for key, text in PASSAGES["arabic"].items() if key != removed}
    file.write_text(tsv(kept), encoding="utf-8")
    with pytest.raises(TaskError, match=rf"arabic_collection\.tsv has no line with the id {removed}"):
        mmarco.load(path=copy, languages=("ar",))


def test_triples_with_an_empty_text_are_left_out(copy: Path) -> None:
    file = copy / "data/google/collections/chinese_collection.tsv"
    file.write_text(tsv(PASSAGES["chinese"] | {2: " "}), encoding="utf-8")  # the negative of the first triple
    corpus: Corpus = mmarco.load(path=copy, languages=("ar", "zh"))
    check_contract(corpus)
    assert (len(corpus), corpus.rows("zh")) == (2, range(2))
    assert [pair.query for pair in corpus.pairs(np.arange(2), ["ar"] * 2, ["ar"] * 2)] == [
        QUERIES["arabic"][2],
        QUERIES["arabic"][7],
    ]
    assert len(mmarco.load(path=copy, languages=("ar",))) == 3


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (
            "data/google/collections/arabic_collection.tsv",
            "0\tأ\nب\n",
            "arabic_collection.tsv, line 2: .* is not a number",
        ),
        (
            "data/google/collections/arabic_collection.tsv",
            f"{10**12}\tأ\n",
            "arabic_collection.tsv, line 1: .* is not a num",
        ),
        ("data/google/collections/arabic_collection.tsv", "", r"arabic_collection\.tsv has no line with the id 1"),
        ("data/google/queries/train/arabic_queries.train.tsv", "", r"queries\.train\.tsv has no line with the id 7"),
        ("data/triples.train.ids.small.tsv", "7\t-1\t2\n", r"small\.tsv holds the number -1: ids are 0 or more"),
        ("data/triples.train.ids.small.tsv", "7\t1\n", r"small\.tsv is not 3 columns of numbers"),
        ("data/triples.train.ids.small.tsv", "7\t1\tสอง\n", r"small\.tsv is not 3 columns of numbers"),
    ],
)
def test_a_malformed_file_is_refused(copy: Path, path: str, content: str, message: str) -> None:
    (copy / path).write_text(content, encoding="utf-8")
    with pytest.raises(TaskError, match=message):
        mmarco.load(path=copy, languages=("ar",))


def test_a_language_that_is_not_translated_and_a_missing_file_are_refused(copy: Path) -> None:
    with pytest.raises(TaskError, match="there is no 'th'"):
        mmarco.load(path=copy, languages=("th",))
    with pytest.raises(TaskError, match=r"needs the file .*german_queries\.train\.tsv"):
        mmarco.load(path=copy, languages=("de",))


def test_only_the_files_of_the_languages_asked_for_are_downloaded(hub: HubServer) -> None:
    files = {path: text.encode() for path, text in contents().items()}
    hub.repositories["datasets/unicamp-dl/mmarco"] = Repository(files, mmarco._REVISION)
    corpus = mmarco.load(languages=("zh",))
    assert corpus.pairs(np.array([0]), ["zh"], ["zh"])[0].query == QUERIES["chinese"][7]
    assert not any("arabic" in path for path, _ in hub.requests)
    hub.stop()
    assert mmarco.load(languages=("zh",)).revision == corpus.revision


def test_the_names_of_files_are_those_of_their_languages() -> None:
    names = Locale("en").languages
    assert {language: names[language].lower() for language in mmarco._NAMES} == mmarco._NAMES
