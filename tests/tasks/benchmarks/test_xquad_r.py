"""XQuAD-R: the published counts and protocol on LAReQA's own files, and clear errors on broken ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.benchmarks import xquad_r
from tasks.formats.lareqa import COMMIT
from tasks.plugins import TaskError, check_benchmark, load_benchmark
from tasks.published import read_published
from tasks.schema import Setting
from tests.file_server import FileServer

Make = Callable[..., dict[str, Any]]
Write = Callable[[Path, dict[str, list[dict[str, Any]]]], Path]


@pytest.mark.parametrize("parent", [False, True], ids=["the folder", "the folder that holds it"])
def test_the_published_counts(real_xquad_r: Path, parent: bool) -> None:
    benchmark = xquad_r.load(path=real_xquad_r.parent if parent else real_xquad_r)
    counts = {pool.language: len(pool.passages) for pool in benchmark.pools}
    assert counts == read_published().candidates["XQuAD-R"]
    assert sum(counts.values()) == 13_014
    assert {language: len(queries) for language, queries in benchmark.queries.items()} == dict.fromkeys(counts, 1190)
    assert len(benchmark.qrels) == 1190
    assert {len(relevant) for relevant in benchmark.qrels.values()} == {11}
    assert benchmark.settings == tuple(Setting)
    assert benchmark.details == {"context": "sentence"}
    assert "map@20" not in benchmark.metrics


@pytest.mark.parametrize("language", ["ar", "el", "th", "tr", "zh"])
def test_the_relevant_passage_holds_the_start_of_the_answer(real_xquad_r: Path, language: str) -> None:
    benchmark = xquad_r.load(path=real_xquad_r, languages=(language,))
    passages = benchmark.pools[0].passages
    text_of = dict(zip(passages.ids(), passages.texts(), strict=True))
    published = json.loads((real_xquad_r / f"{language}.json").read_text(encoding="utf-8"))
    for question in (q for article in published["data"] for p in article["paragraphs"] for q in p["qas"]):
        (relevant,) = benchmark.qrels[question["id"]]
        answer = question["answers"][0]["text"].strip().replace("â\x81„", "⁞")  # one broken fraction slash in tr
        text = text_of[relevant]
        beginnings = (answer[:end] for end in range(len(answer), 0, -1))
        assert answer in text or any(text.endswith(b.strip()) for b in beginnings if b.strip()), (question, text)


def test_every_query_language_has_one_relevant_passage_in_every_pool(real_xquad_r: Path) -> None:
    benchmark = xquad_r.load(path=real_xquad_r)
    for pool in benchmark.pools:
        held = set(pool.passages.ids())
        assert all(len(held & relevant.keys()) == 1 for relevant in benchmark.qrels.values())
    assert all(set(queries.ids()) == benchmark.qrels.keys() for queries in benchmark.queries.values())


def test_repeated_sentences_stay_and_ids_are_unique(real_xquad_r: Path) -> None:
    benchmark = xquad_r.load(path=real_xquad_r)
    ids = [i for pool in benchmark.pools for i in pool.passages.ids()]
    texts = [text for pool in benchmark.pools for text in pool.passages.texts()]
    assert len(set(ids)) == 13_014
    assert len(set(texts)) < 13_014
    assert all(text == text.strip() for text in texts)
    assert any(text.startswith("\ufeff") for text in texts), "byte order marks stay as published"


def test_the_paragraph_follows_the_sentence_in_the_variant_of_xtreme_r(real_xquad_r: Path) -> None:
    plain = xquad_r.load(path=real_xquad_r, languages=("th", "zh"))
    both = xquad_r.load(path=real_xquad_r, languages=("th", "zh"), context="sentence+paragraph")
    assert both.details == {"context": "sentence+paragraph"}
    assert "map@20" in both.metrics
    assert both.qrels == plain.qrels
    for pool, longer in zip(plain.pools, both.pools, strict=True):
        assert pool.passages.ids() == longer.passages.ids()
        rows = np.arange(50)
        for sentence, text in zip(pool.passages.texts(rows), longer.passages.texts(rows), strict=True):
            paragraph = text.removeprefix(f"{sentence} ")
            assert text.startswith(f"{sentence} ")
            assert sentence in paragraph


def test_a_download_gives_what_a_local_copy_gives_and_then_needs_no_network(
    real_xquad_r: Path, server: FileServer
) -> None:
    base = f"/google-research-datasets/lareqa/{COMMIT}/xquad-r"
    server.files = {f"{base}/{file.name}": file.read_bytes() for file in real_xquad_r.glob("*.json")}
    downloaded = load_benchmark("xquad_r", {})
    assert len(server.requests) == 11
    server.stop()
    again = load_benchmark("xquad_r", {"languages": ["th"]})
    assert downloaded.revision == xquad_r.load(path=real_xquad_r).revision
    assert again.languages == ("th",)


def test_other_content_at_the_pinned_address_is_refused(
    tmp_path: Path, server: FileServer, paragraph: Make, write_lareqa: Write
) -> None:
    folder = write_lareqa(
        tmp_path / "changed", {"ar": [paragraph(["باريس عاصمة فرنسا."], ("q", "ما عاصمة فرنسا؟", 0))]}
    )
    base = f"/google-research-datasets/lareqa/{COMMIT}/xquad-r"
    server.files = {f"{base}/ar.json": (folder / "ar.json").read_bytes()}
    with pytest.raises(TaskError, match=r"ar.json does not have the sha256 .* that is pinned"):
        xquad_r.load()


@pytest.fixture
def copy(tmp_path: Path, paragraph: Make, write_lareqa: Write) -> Path:
    """A small local copy in Thai and Chinese."""
    thai = paragraph(["กรุงเทพเป็นเมืองหลวงของไทย", "โตเกียวเป็นเมืองหลวงของญี่ปุ่น"], ("q1", " เมืองหลวงของไทยคือ? ", 0))
    chinese = paragraph(["东京是日本的首都。", "曼谷是泰国的首都。"], ("q1", "泰国的首都是哪里？", 1))
    return write_lareqa(tmp_path / "copy", {"th": [thai], "zh": [chinese, chinese | {"qas": []}]})


def test_ids_count_paragraphs_from_one_and_sentences_from_zero(copy: Path) -> None:
    benchmark = xquad_r.load(path=copy, languages=("th", "zh"))
    assert benchmark.pools[1].passages.ids() == ["zh_1_0", "zh_1_1", "zh_2_0", "zh_2_1"]
    assert benchmark.qrels == {"q1": {"th_1_0": 1, "zh_1_1": 1}}
    assert benchmark.queries["th"].texts() == ["เมืองหลวงของไทยคือ?"]


def test_a_missing_language_is_named_with_its_file(copy: Path) -> None:
    with pytest.raises(TaskError, match=r"benchmark 'xquad_r' needs the file .*ar.json: put it there, or choose other"):
        xquad_r.load(path=copy)


def test_a_language_it_does_not_have_is_refused(copy: Path) -> None:
    with pytest.raises(TaskError, match="benchmark 'xquad_r', option 'languages': there is no 'ja', allowed: ar, de"):
        xquad_r.load(path=copy, languages=("ja",))
    with pytest.raises(TaskError, match="name at least one of ar, de"):
        xquad_r.load(path=copy, languages=())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"benchmark 'xquad_r', option 'path': there is no folder .*nowhere"):
        xquad_r.load(path=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"qas"', '"qas', r"th.json: Invalid JSON: .* line 1 column \d+"),
        (
            '"question": " ',
            '"question": "", "was": "',
            r"th.json, data.0.paragraphs.0.qas.0.question: the text is empty",
        ),
        ('"question"', '"frage"', r"th.json, data.0.paragraphs.0.qas.0.question: Field required"),
        ('"answer_start": 1', '"answer_start": 999', r"th.json: the answer to question 'q1' starts in no sentence"),
        ('"sentence_breaks": [', '"sentence_breaks": [[0, 0], ', r"th.json, .*: .*3 sentence breaks for 2 sentences"),
    ],
    ids=["malformed JSON", "empty query", "missing field", "answer outside", "breaks"],
)
def test_broken_data_is_one_error_with_file_and_place(copy: Path, old: str, new: str, problem: str) -> None:
    file = copy / "th.json"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TaskError, match=problem):
        xquad_r.load(path=copy, languages=("th",))


def test_an_unknown_context_is_refused_before_any_data_is_read() -> None:
    with pytest.raises(TaskError, match="benchmark 'xquad_r', option 'context': 'paragraph' is refused"):
        check_benchmark("xquad_r", {"context": "paragraph"})


def test_a_question_that_is_there_twice_is_read_once_and_with_another_text_refused(
    tmp_path: Path, paragraph: Callable[..., dict[str, Any]], write_lareqa: Callable[[Path, Any], Path]
) -> None:
    sentences = ["กรุงเทพเป็นเมืองหลวง", "แม่น้ำเจ้าพระยายาว"]
    twice = paragraph(sentences, ("q1", "เมืองหลวงคือ?", 0), ("q1", "เมืองหลวงคือ?", 0))
    benchmark = xquad_r.load(path=write_lareqa(tmp_path / "copies", {"th": [twice]}), languages=("th",))
    assert (benchmark.queries["th"].ids(), benchmark.copies) == (["q1"], {"th": 1})
    differing = paragraph(sentences, ("q1", "เมืองหลวงคือ?", 0), ("q1", "แม่น้ำคือ?", 1))
    with pytest.raises(TaskError, match=r"th.json: question 'q1' has two texts: remove one of them"):
        xquad_r.load(path=write_lareqa(tmp_path / "two", {"th": [differing]}), languages=("th",))


def test_questions_are_about_the_articles_they_were_asked_about(real_xquad_r: Path) -> None:
    found = xquad_r.load(path=real_xquad_r, languages=("th", "zh")).document_of()
    published = json.loads((real_xquad_r / "en.json").read_text(encoding="utf-8"))
    articles = [{q["id"] for p in article["paragraphs"] for q in p["qas"]} for article in published["data"]]
    assert len(articles) == 48
    assert {frozenset(key for key in found if found[key] == document) for document in found.values()} == set(
        map(frozenset, articles)
    )


@pytest.mark.parametrize(("start", "sentence"), [(0, 0), (8, 0), (9, 1), (17, 1)])
def test_an_answer_is_the_sentence_that_holds_its_first_character(
    start: int, sentence: int, tmp_path: Path, paragraph: Make, write_lareqa: Write
) -> None:
    """Two Chinese sentences of nine characters, without a space between them."""
    sentences = ["东京是日本的首都。", "曼谷是泰国的首都。"]
    made = paragraph(sentences, ("q1", "首都是哪里？", 0)) | {"context": "".join(sentences)}
    made["sentence_breaks"] = [[0, 9], [9, 18]]
    made["qas"][0]["answers"] = [{"answer_start": start, "text": made["context"][start]}]
    benchmark = xquad_r.load(path=write_lareqa(tmp_path / "copy", {"zh": [made]}), languages=("zh",))
    assert benchmark.qrels == {"q1": {f"zh_1_{sentence}": 1}}
