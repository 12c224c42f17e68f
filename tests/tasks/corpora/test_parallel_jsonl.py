"""Parallel JSON lines: conversion, rows that lack languages, identities, memory, and the real XQuAD-R training half."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.corpora import parallel_jsonl
from tasks.formats import parallel_writer
from tasks.plugins import TaskError
from tasks.schema import Corpus, Pair
from tests.tasks.corpus_contract import check_contract

Versions = dict[str, dict[str, Any]]
THAI: dict[str, Any] = {"query": "เมืองหลวงของไทยคือเมืองใด", "passage": "กรุงเทพมหานครเป็นเมืองหลวงของไทย"}
CHINESE: dict[str, Any] = {
    "query": "泰国的首都是哪里？",
    "passage": "曼谷是泰国的首都。",
    "negatives": ["清迈在泰国北部。", "河内是越南的首都。"],
}
ARABIC = {"query": "ما عاصمة تايلاند؟", "passage": "بانكوك هي عاصمة تايلاند."}
LANGUAGES = ("ar", "th", "zh")


@pytest.fixture
def write(tmp_path: Path, cache: Path) -> Callable[..., Path]:
    """Write rows, each given as language -> version."""

    def write(*rows: Versions) -> Path:
        file = tmp_path / "train.jsonl"
        lines = [json.dumps({"id": str(i), "pairs": pairs}, ensure_ascii=False) for i, pairs in enumerate(rows)]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    return write


def numbered(row: int, languages: tuple[str, ...]) -> Versions:
    return {
        la: {"query": f"ถาม {row} {la}", "passage": f"答 {row} {la}", "negatives": [f"لا {row}"]} for la in languages
    }


def test_a_pair_takes_its_query_from_one_language_and_passage_and_negatives_from_the_other(
    write: Callable[..., Path],
) -> None:
    corpus = parallel_jsonl.load(path=write({"th": THAI, "zh": CHINESE}))
    pairs = corpus.pairs(np.array([0, 0, 0]), ["th", "zh", "zh"], ["zh", "th", "zh"])
    assert pairs == [
        Pair(THAI["query"], CHINESE["passage"], tuple(CHINESE["negatives"])),
        Pair(CHINESE["query"], THAI["passage"]),
        Pair(CHINESE["query"], CHINESE["passage"], tuple(CHINESE["negatives"])),
    ]


def test_a_complete_corpus_lists_no_rows(write: Callable[..., Path]) -> None:
    corpus: Corpus = parallel_jsonl.load(path=write(*(numbered(row, LANGUAGES) for row in range(5))))
    assert corpus.rows() == corpus.rows("th") == range(5)
    check_contract(corpus)


def test_rows_that_lack_languages_are_listed_in_mapped_arrays_not_in_python_objects(write: Callable[..., Path]) -> None:
    corpus: Corpus = parallel_jsonl.load(path=write(*(numbered(i, [LANGUAGES, ("th",)][i % 2]) for i in range(6))))
    for rows, expected in ((corpus.rows("ar"), [0, 2, 4]), (corpus.rows(), [0, 2, 4])):
        assert isinstance(rows, np.ndarray)
        assert not rows.flags.owndata
        assert rows.tolist() == expected
    assert corpus.rows("th") == range(6)
    check_contract(corpus)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sets(st.sampled_from(LANGUAGES), min_size=1), min_size=1, max_size=40))
def test_any_mixture_of_languages_reads_back_as_it_was_written(
    write: Callable[..., Path], held: list[set[str]]
) -> None:
    corpus = parallel_jsonl.load(path=write(*(numbered(row, tuple(sorted(la))) for row, la in enumerate(held))))
    assert corpus.languages == tuple(sorted(set().union(*held)))
    check_contract(corpus)
    for row, languages in enumerate(held):
        for language in languages:
            pair = corpus.pairs(np.array([row]), [language], [language])[0]
            assert pair == Pair(f"ถาม {row} {language}", f"答 {row} {language}", (f"لا {row}",))


def test_negatives_in_languages_that_are_not_selected_are_left_out(write: Callable[..., Path]) -> None:
    negatives = ["ข", {"text": "清迈", "language": "zho_Hans"}, {"text": "شيانغ ماي", "language": "ar"}, "ค"]
    file = write({"th": THAI | {"negatives": negatives}, "zh": CHINESE})
    for languages, expected in (
        (None, ("ข", "清迈", "شيانغ ماي", "ค")),
        (("th", "zh"), ("ข", "清迈", "ค")),
        (("th",), ("ข", "ค")),
    ):
        corpus = parallel_jsonl.load(path=file, languages=languages)
        (pair,) = corpus.pairs(np.array([0]), ["th"], ["th"])
        assert pair.negatives == expected
        assert corpus.fewest_negatives == 2  # of the Chinese version where it is read


def test_every_spelling_of_a_language_is_the_same_one(write: Callable[..., Path]) -> None:
    corpus = parallel_jsonl.load(path=write({"zho_Hans": CHINESE, "tha": THAI}, {"zh-CN": CHINESE, "ary": ARABIC}))
    assert corpus.languages == ("ary", "th", "zh")
    assert corpus.rows("zh") == range(2)
    with pytest.raises(TaskError, match="line 1, pairs: 'zh' is the language of another key too"):
        parallel_jsonl.load(path=write({"zh": CHINESE, "zh-CN": CHINESE}))


def test_rows_beyond_one_arrow_batch_read_back(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel_writer, "BATCH_CHARACTERS", 100)
    corpus = parallel_jsonl.load(path=write(*(numbered(row, LANGUAGES) for row in range(50))))
    rows = np.random.default_rng(0).permutation(50)
    passages = [pair.passage for pair in corpus.pairs(rows, ["ar"] * 50, ["zh"] * 50)]
    assert passages == [f"答 {row} zh" for row in rows]


def test_rows_with_the_same_passage_share_its_key_and_keep_their_queries_apart(write: Callable[..., Path]) -> None:
    same = {"th": THAI["passage"], "zh": CHINESE["passage"]}
    rows = [{la: {"query": f"{la} {row}", "passage": text} for la, text in same.items()} for row in range(2)]
    other = {la: {"query": "th 0" if la == "th" else "zh 9", "passage": f"{la} 另一个"} for la in same}
    keys = parallel_jsonl.load(path=write(*rows, other)).keys(np.arange(3))
    assert keys.passages.tolist() == [0, 0, 2]
    assert keys.queries.tolist() == [0, 1, 0]


def test_rows_without_a_common_language_are_versions_of_one_passage_if_others_connect_them(
    write: Callable[..., Path],
) -> None:
    corpus = parallel_jsonl.load(
        path=write({"ar": ARABIC, "th": THAI}, {"th": THAI, "zh": CHINESE}, numbered(2, ("th",)), {"zh": CHINESE})
    )
    assert corpus.components(np.arange(4)).passages.tolist() == [0, 0, 2, 0]
    assert corpus.keys(np.arange(4)).passages.tolist() == [0, 0, 2, 3]


def test_the_languages_asked_for_are_kept_and_rows_without_them_left_out(write: Callable[..., Path]) -> None:
    file = write({"ar": ARABIC, "th": THAI}, {"zh": CHINESE}, {"th": THAI, "zh": CHINESE})
    corpus = parallel_jsonl.load(path=file, languages=("zh", "th"))
    assert corpus.languages == ("th", "zh")
    assert [corpus.row_languages(row) for row in range(len(corpus))] == [("th",), ("zh",), ("th", "zh")]
    assert corpus.revision == parallel_jsonl.load(path=file).revision


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"id": "1", "pairs": {}}', "line 1, pairs: Dictionary should have at least 1 item"),
        ('\n{"pairs": {"th": {"query": " ", "passage": "ก"}}}', "line 2, pairs.th.query: the text is empty"),
        ('{"pairs": {"th": {"query": "ก"}}}', "line 1, pairs.th.passage: Field required"),
        ('{"pairs": {"../th": {"query": "ก", "passage": "ข"}}}', r"line 1, pairs: '\.\./th' is not a language code"),
        ("{", "line 1: Invalid JSON"),
        (
            '{"pairs": {"th": {"query": "ก", "passage": "ข", "negatives": [{"text": "ค", "language": "Klingonish"}]}}}',
            "line 1, pairs.th.negatives.0.language: .*Klingonish",
        ),
        (
            '{"pairs": {"th": {"query": "ก", "passage": "ข", "negatives": [" "]}}}',
            "line 1, pairs.th.negatives.0.text: the text is empty",
        ),
        ("", "the corpus has no row"),
    ],
)
def test_a_malformed_file_is_refused_with_the_place_and_leaves_nothing_behind(
    tmp_path: Path, cache: Path, lines: str, message: str
) -> None:
    file = tmp_path / "broken.jsonl"
    file.write_text(lines, encoding="utf-8")
    with pytest.raises(TaskError, match=message):
        parallel_jsonl.load(path=file)
    assert [path.name for path in (cache / "corpora").iterdir() if path.is_dir()] == []


def test_a_language_that_no_row_has_and_a_file_that_is_not_there_are_refused(write: Callable[..., Path]) -> None:
    file = write({"th": THAI})
    with pytest.raises(TaskError, match=r"option 'languages': no row of .*train\.jsonl has 'tr', allowed: th"):
        parallel_jsonl.load(path=file, languages=("th", "tr"))
    with pytest.raises(TaskError, match=r"option 'path': there is no file .*nowhere\.jsonl"):
        parallel_jsonl.load(path=file.with_name("nowhere.jsonl"))


def test_a_file_is_converted_again_only_when_its_content_changes(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    real = parallel_jsonl._rows

    def counted(file: Path, languages: tuple[str, ...] | None) -> Any:
        passes.append(1)
        return real(file, languages)

    monkeypatch.setattr(parallel_jsonl, "_rows", counted)
    file = write({"th": THAI})
    first = parallel_jsonl.load(path=file)
    os.utime(file, ns=(1, 1))
    assert parallel_jsonl.load(path=file).revision == first.revision
    assert len(passes) == 1
    second = parallel_jsonl.load(path=write({"th": THAI}, {"zh": CHINESE}))
    assert len(passes) == 2
    assert second.revision != first.revision
    assert first.pairs(np.array([0]), ["th"], ["th"]) == [Pair(THAI["query"], THAI["passage"])]


def test_the_training_half_of_xquad_r_is_complete_in_eleven_languages(cache: Path, real_xquad_r: Path) -> None:
    file = real_xquad_r.parent / "xquad-r-split" / "train.jsonl"
    corpus: Corpus = parallel_jsonl.load(path=file)
    assert corpus.languages == ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
    assert corpus.rows() == corpus.rows("vi") == range(612)
    rows = [json.loads(line)["pairs"] for line in file.read_text(encoding="utf-8").splitlines()]
    picked = np.random.default_rng(0).permutation(612)
    pairs = corpus.pairs(picked, ["th"] * 612, ["zh"] * 612)
    assert pairs == [Pair(rows[i]["th"]["query"].strip(), rows[i]["zh"]["passage"].strip()) for i in picked]
    components, keys = corpus.components(np.arange(612)), corpus.keys(np.arange(612))
    for side, of_side in (("query", components.queries), ("passage", components.passages)):
        for language in corpus.languages:
            key_of = dict(zip((row[language][side].strip() for row in rows), of_side.tolist(), strict=True))
            assert [key_of[row[language][side].strip()] for row in rows] == of_side.tolist()
    # Counted in the file by union-find over the texts of all languages.
    assert (len(set(components.queries.tolist())), len(set(components.passages.tolist()))) == (608, 249)
    # Batches tell passages apart by the text in one language.
    texts = {row["ar"]["passage"].strip() for row in rows}
    assert len(set(keys.passages.tolist())) == len(texts) > 249
