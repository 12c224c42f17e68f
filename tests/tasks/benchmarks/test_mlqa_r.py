"""MLQA-R: questions in some of the languages, and files of the repository's history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.benchmarks import mlqa_r
from tasks.plugins import TaskError
from tests.file_server import FileServer

Make = Callable[..., dict[str, Any]]
Write = Callable[[Path, dict[str, list[dict[str, Any]]]], Path]


@pytest.fixture
def copy(tmp_path: Path, paragraph: Make, write_lareqa: Write) -> Path:
    """A folder `mlqa-r` in all seven languages: question q1 in ar, hi and zh, one more in each language and English."""
    others = {lang: paragraph([f"{lang} الجواب هنا."], (f"q-{lang}", "أين الجواب؟", 0)) for lang in ("de", "es", "vi")}
    own = {
        "ar": paragraph(["القاهرة عاصمة مصر.", "باريس عاصمة فرنسا."], ("q1", "ما عاصمة مصر؟", 0)),
        "hi": paragraph(["काहिरा मिस्र की राजधानी है।"], ("q1", "मिस्र की राजधानी क्या है?", 0)),
        "zh": paragraph(["巴黎是法国的首都。", "开罗是埃及的首都。"], ("q1", "埃及的首都是哪里？", 1)),
        "en": paragraph(["ไม่มีภาษาอังกฤษ"], ("q-de", "อะไร?", 0), ("q-es", "อะไร?", 0), ("q-vi", "อะไร?", 0)),
    }
    write_lareqa(tmp_path / "mlqa-r", {language: [held] for language, held in (others | own).items()})
    return tmp_path


def test_a_question_is_relevant_in_its_languages_only(copy: Path) -> None:
    benchmark = mlqa_r.load(path=copy)
    assert benchmark.languages == ("ar", "de", "en", "es", "hi", "vi", "zh")
    assert benchmark.qrels["q1"] == {"ar_1_0": 1, "hi_1_0": 1, "zh_1_1": 1}
    assert benchmark.qrels["q-de"] == {"de_1_0": 1, "en_1_0": 1}
    assert [len(benchmark.queries[language]) for language in benchmark.languages] == [1, 1, 3, 1, 1, 1, 1]


def test_it_is_fetched_from_the_commit_that_still_has_it(copy: Path, server: FileServer) -> None:
    base = "/google-research-datasets/lareqa/354d67d1cd066854cdfbf5ad0e6105528976141d/mlqa-r"
    server.files = {f"{base}/{file.name}": file.read_bytes() for file in (copy / "mlqa-r").iterdir()}
    downloaded = mlqa_r.load()
    assert downloaded.revision == mlqa_r.load(path=copy).revision
    assert len(server.requests) == 7


def test_a_language_that_cannot_be_fetched_is_one_error_and_no_folder(
    copy: Path, server: FileServer, cache: Path
) -> None:
    base = "/google-research-datasets/lareqa/354d67d1cd066854cdfbf5ad0e6105528976141d/mlqa-r"
    server.files = {f"{base}/{n}.json": (copy / "mlqa-r" / f"{n}.json").read_bytes() for n in ("ar", "de", "en", "es")}
    with pytest.raises(TaskError, match=r"hi.json answers 404 Not Found: run `python -m study.fetch mlqa_r` where"):
        mlqa_r.load()
    assert not list(cache.rglob("manifest.json"))


def test_articles_are_the_same_if_a_question_of_theirs_is(copy: Path) -> None:
    """The English article has questions of the German, the Spanish and the Vietnamese one."""
    found = mlqa_r.load(path=copy).document_of()
    assert found["q-de"] == found["q-es"] == found["q-vi"] != found["q1"]
    apart = mlqa_r.load(path=copy, languages=("de", "es", "vi")).document_of()
    assert len(set(apart.values())) == 3
