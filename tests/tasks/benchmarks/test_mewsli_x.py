"""Mewsli-X: mentions in their sentences, entities in fifty languages, and the article text that must be restored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.benchmarks import mewsli_x
from tasks.plugins import TaskError
from tasks.relevance import relevance
from tasks.schema import Setting

ARABIC = "قائد الحرس يزور الجزر\n\nزار قائد الحرس جزر أبو موسى  وطنب الصغرى أمس."
JAPANESE = "ヘルシンキでストライキ。"


def spans(text: str, *parts: str) -> list[dict[str, int]]:
    return [{"start": text.index(part), "end": text.index(part) + len(part)} for part in parts]


def article(language: str, text: str, sentences: list[str], *mentions: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "context": {
            "document_title": sentences[0],
            "document_url": f"https://{language}.wikinews.org/wiki?curid=1",
            "document_id": f"{language}-1",
            "language": language,
            "text": text,
            "sentence_spans": spans(text, *sentences),
        },
        "mentions": [
            {"example_id": key, "entity_id": entity, "mention_span": spans(text, mention)[0] | {"text": mention}}
            for key, entity, mention in mentions
        ],
    }


def entity(key: str, language: str, *sentences: str) -> dict[str, Any]:
    text = "\n".join(sentences)
    return {
        "entity_id": key,
        "title": sentences[0][:5],
        "description": text,
        "description_url": f"https://{language}.wikipedia.org/wiki?curid=1",
        "description_language": language,
        "sentence_spans": spans(text, *sentences),
    }


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def articles() -> list[dict[str, Any]]:
    lines = ARABIC.split("\n\n")
    return [
        article("ar", ARABIC, lines, ("a1", "Q167217", "أبو موسى"), ("a2", "Q3447452", "طنب الصغرى")),
        article("ja", JAPANESE, [JAPANESE], ("j1", "Q1757", "ヘルシンキ")),
    ]


@pytest.fixture
def copy(tmp_path: Path, cache: Path, articles: list[dict[str, Any]]) -> Path:
    folder = tmp_path / "copy" / "mewslix"
    write(folder / "wikinews_mentions-test.jsonl", articles)
    write(folder / "wikinews_mentions-dev.jsonl", articles[1:])
    candidates = [
        entity("Q167217", "th", "เกาะอาบูมูซา", "อยู่ในอ่าวเปอร์เซีย"),
        entity("Q3447452", "zh", "小通布岛是波斯湾的岛。"),
        entity("Q1757", "th", "เฮลซิงกิเป็นเมืองหลวงของฟินแลนด์"),
    ]
    write(folder / "candidate_set_entities.jsonl", candidates)
    return folder


@pytest.mark.parametrize("parent", [False, True], ids=["the folder", "the folder that holds it"])
def test_mentions_search_all_entities_whatever_their_language(copy: Path, parent: bool) -> None:
    benchmark = mewsli_x.load(path=copy.parent if parent else copy, languages=("ar", "ja"))
    assert {language: queries.ids() for language, queries in benchmark.queries.items()} == {
        "ar": ["a1", "a2"],
        "ja": ["j1"],
    }
    assert {pool.language: pool.passages.ids() for pool in benchmark.pools} == {
        "th": ["Q167217", "Q1757"],
        "zh": ["Q3447452"],
    }
    assert benchmark.qrels == {"a1": {"Q167217": 1}, "a2": {"Q3447452": 1}, "j1": {"Q1757": 1}}
    assert benchmark.settings == (Setting.MULTILINGUAL,)
    assert benchmark.metrics == ("mrr", "map@20")


def test_a_query_is_the_mention_and_its_sentence_with_the_mention_in_braces(copy: Path) -> None:
    benchmark = mewsli_x.load(path=copy, languages=("ar",))
    assert benchmark.queries["ar"].texts() == [
        "أبو موسى: زار قائد الحرس جزر { أبو موسى } وطنب الصغرى أمس.",
        "طنب الصغرى: زار قائد الحرس جزر أبو موسى و { طنب الصغرى } أمس.",
    ]
    assert benchmark.pools[0].passages.texts()[0] == "เกาะอาบูมูซา อยู่ในอ่าวเปอร์เซีย"


def test_a_choice_of_languages_and_split_leaves_the_candidates_alone(copy: Path) -> None:
    benchmark = mewsli_x.load(path=copy, languages=("ja",), split="dev")
    assert benchmark.languages == ("ja",)
    assert sum(len(pool.passages) for pool in benchmark.pools) == 3
    assert benchmark.details == {"split": "dev"}


def test_the_released_file_without_articles_is_refused(copy: Path, articles: list[dict[str, Any]]) -> None:
    articles[1]["context"]["text"] = ""
    write(copy / "wikinews_mentions-test.jsonl", articles)
    with pytest.raises(TaskError, match=r"test.jsonl, line 2, mention 'j1': the article has no text: get-mewsli-x.sh"):
        mewsli_x.load(path=copy)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"text": "ストライキ"}, r"line 2, mention 'j1': 'ストライキ' is not at 0 of the text"),
        ({"end": 99, "text": JAPANESE}, r"line 2, mention 'j1': it lies in no single sentence"),
    ],
    ids=["another version", "outside"],
)
def test_a_mention_that_does_not_fit_its_article_is_named(
    copy: Path, articles: list[dict[str, Any]], change: dict[str, Any], problem: str
) -> None:
    articles[1]["mentions"][0]["mention_span"] |= change
    write(copy / "wikinews_mentions-test.jsonl", articles)
    with pytest.raises(TaskError, match=problem):
        mewsli_x.load(path=copy)


def test_a_malformed_line_is_named_and_leaves_no_table(copy: Path, cache: Path) -> None:
    file = copy / "candidate_set_entities.jsonl"
    file.write_text(file.read_text(encoding="utf-8") + '{"entity_id": \n', encoding="utf-8")
    with pytest.raises(TaskError, match=r"candidate_set_entities.jsonl, line 4: Invalid JSON"):
        mewsli_x.load(path=copy)
    assert not [path for path in (cache / "tables").iterdir() if path.is_dir()]


def test_without_a_copy_the_error_says_how_to_make_one_and_where(cache: Path, copy: Path) -> None:
    with pytest.raises(TaskError, match=rf"run get-mewsli-x.sh .* put its .jsonl files in {cache}/mewsli_x, or name"):
        mewsli_x.load()
    cache.mkdir(exist_ok=True)
    copy.rename(cache / "mewsli_x")
    assert mewsli_x.load().languages == ("ar", "de", "en", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk")


def test_a_mention_that_is_there_twice_is_read_once_and_refused_if_it_differs(
    copy: Path, articles: list[dict[str, Any]]
) -> None:
    write(copy / "wikinews_mentions-test.jsonl", [*articles, articles[1]])
    benchmark = mewsli_x.load(path=copy)
    assert (benchmark.queries["ja"].ids(), benchmark.copies["ja"]) == (["j1"], 1)
    articles[0]["mentions"][1]["example_id"] = "a1"
    write(copy / "wikinews_mentions-test.jsonl", articles)
    with pytest.raises(TaskError, match=r"mention 'a1' occurs twice and differs: remove one of them"):
        mewsli_x.load(path=copy)


def test_an_entity_that_is_no_candidate_is_refused_or_counts_as_not_retrieved(
    copy: Path, articles: list[dict[str, Any]]
) -> None:
    articles[1]["mentions"][0]["entity_id"] = "Q9"
    write(copy / "wikinews_mentions-test.jsonl", articles)
    with pytest.raises(TaskError, match=r"passage 'Q9', relevant to query 'j1', is in no pool"):
        relevance(mewsli_x.load(path=copy))
    counted = mewsli_x.load(path=copy, missing="count")
    assert relevance(counted).missing.ids_M == ["Q9"]
    assert counted.details["missing"].startswith("1 relevant passages are in no corpus")


def test_mentions_of_one_article_belong_together(copy: Path) -> None:
    found = mewsli_x.load(path=copy, languages=("ar", "ja")).document_of()
    assert found == {"a1": "ar-1", "a2": "ar-1", "j1": "ja-1"}
