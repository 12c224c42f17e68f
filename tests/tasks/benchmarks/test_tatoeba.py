"""Tatoeba: one pool a pair, aligned by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.benchmarks import tatoeba
from tasks.data.languages import language_code
from tasks.plugins import TaskError
from tasks.schema import Setting
from tests.file_server import FileServer

PAIRS = {
    "tha": ("ฉันมีแมวสองตัว\nผมโสด \nไม่เป็นไร\n", "I have two cats.\nI am single.\nIt doesn't matter.\n"),
    "cmn": ("我有两只猫。\n没关系。\n", "I have two cats.\nIt doesn't matter.\n"),
    "ara": ("لدي قطتان.\nلا بأس.", "I have two cats.\nI have two cats."),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    for code, (sentences, translations) in PAIRS.items():
        (folder / f"tatoeba.{code}-eng.{code}").write_text(sentences, encoding="utf-8")
        (folder / f"tatoeba.{code}-eng.eng").write_text(translations, encoding="utf-8")
    return folder


@pytest.mark.parametrize("parent", [False, True], ids=["the folder", "the folder that holds it"])
def test_each_language_searches_the_english_side_of_its_own_pair(copy: Path, parent: bool) -> None:
    benchmark = tatoeba.load(path=copy.parent if parent else copy, languages=("zh", "th", "ar"))
    assert benchmark.languages == ("ar", "th", "zh")
    assert [(pool.name, pool.language, len(pool.passages)) for pool in benchmark.pools] == [
        ("ar-en", "en", 2),
        ("th-en", "en", 3),
        ("zh-en", "en", 2),
    ]
    assert benchmark.queries["th"].texts() == ["ฉันมีแมวสองตัว", "ผมโสด", "ไม่เป็นไร"]
    text_of = {
        i: t for pool in benchmark.pools for i, t in zip(pool.passages.ids(), pool.passages.texts(), strict=True)
    }
    for language in ("th", "zh"):
        answers = [
            text_of[passage] for query in benchmark.queries[language].ids() for passage in benchmark.qrels[query]
        ]
        assert answers == next(pool.passages.texts() for pool in benchmark.pools if pool.name == f"{language}-en")
    assert len(text_of) == 7
    assert benchmark.settings == (Setting.CROSSLINGUAL,)
    assert benchmark.metrics == ("accuracy",)


def test_repeated_translations_stay_and_only_the_line_of_the_same_number_is_right(copy: Path) -> None:
    benchmark = tatoeba.load(path=copy, languages=("ar",))
    assert benchmark.pools[0].passages.texts() == ["I have two cats."] * 2
    assert benchmark.qrels == {"ar-1": {"ar-en-1": 1}, "ar-2": {"ar-en-2": 1}}


def test_without_a_choice_it_is_the_36_languages_of_xtreme(server: FileServer) -> None:
    base = f"/facebookresearch/LASER/{tatoeba._COMMIT}/data/tatoeba/v1"
    for code in tatoeba._ALL.values():
        server.files |= {f"{base}/tatoeba.{code}-eng.{side}": "猫\n".encode() for side in (code, "eng")}
    benchmark = tatoeba.load()
    assert len(benchmark.languages) == len(benchmark.pools) == 36
    assert {"fa", "sw", "tl", "zh"} < set(benchmark.languages)
    assert tatoeba.load(languages=("uk", "pl")).languages == ("pl", "uk")
    assert len(server.requests) == 82


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("tatoeba.tha-eng.tha", "ฉันมีแมวสองตัว\n  \nไม่เป็นไร\n", r"tatoeba.tha-eng.tha, line 2: the text is empty"),
        ("tatoeba.tha-eng.eng", "I have two cats.\n", r"tha has 3 lines and .*eng 1: they must match"),
    ],
    ids=["empty query", "lines missing"],
)
def test_broken_data_is_one_error_with_file_and_line(copy: Path, name: str, content: str, problem: str) -> None:
    (copy / name).write_text(content, encoding="utf-8")
    with pytest.raises(TaskError, match=problem):
        tatoeba.load(path=copy, languages=("th",))


def test_another_encoding_is_refused(copy: Path) -> None:
    (copy / "tatoeba.tha-eng.tha").write_bytes("ฉันมีแมวสองตัว\n".encode("tis-620"))
    with pytest.raises(TaskError, match=r"tatoeba.tha-eng.tha, line 1 is not UTF-8"):
        tatoeba.load(path=copy, languages=("th",))


def test_a_missing_language_is_named_with_its_file(copy: Path) -> None:
    with pytest.raises(TaskError, match=r"benchmark 'tatoeba' needs the file .*tatoeba.afr-eng.afr"):
        tatoeba.load(path=copy)


def test_the_codes_in_the_names_of_files_are_those_of_their_languages() -> None:
    """Tagalog's one spelling, of `tl` and `tgl` alike, is `fil`."""
    known = {language: language_code(code) for language, code in tatoeba._ALL.items()}
    assert known == {language: language_code(language) for language in tatoeba._ALL}
    assert len(set(known.values())) == 41
