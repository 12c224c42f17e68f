"""A benchmark of one's own: a folder a language, qrels for all or for each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks.benchmarks import local
from tasks.plugins import TaskError, check_benchmark, load_benchmark
from tasks.schema import Setting

CORPORA = {
    "th": [{"_id": "t1", "title": "กรุงเทพ", "text": "เมืองหลวงของไทย"}, {"_id": "t2", "text": "แม่น้ำเจ้าพระยา"}],
    "zh": [{"_id": "z1", "title": "曼谷", "text": "泰国的首都"}],
}
QUERIES = {
    "th": [{"_id": "q1", "text": "เมืองหลวงของไทยคือ?"}, {"_id": "q3", "text": "ไม่มีคำตอบ"}],
    "zh": [{"_id": "q1", "text": "泰国的首都是哪里？"}],
    "ar": [{"_id": "q2", "text": "ما النهر؟"}],
}
QRELS = "query-id\tcorpus-id\tscore\nq1\tt1\t2\nq1\tz1\t1\nq2\tt2\t1\nq3\tt1\t0\n"


def write(folder: Path, stem: str, by_language: dict[str, list[dict[str, Any]]]) -> None:
    for language, rows in by_language.items():
        (folder / language).mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / language / f"{stem}.jsonl").write_text(lines, encoding="utf-8")


@pytest.fixture
def shared(tmp_path: Path, cache: Path) -> Path:
    """Queries in th, zh and ar, passages in th and zh, one qrels file for all."""
    folder = tmp_path / "shared"
    write(folder, "corpus", CORPORA)
    write(folder, "queries", QUERIES)
    (folder / "qrels.tsv").write_text(QRELS, encoding="utf-8")
    return folder


@pytest.fixture
def apart(tmp_path: Path, cache: Path) -> Path:
    """Two languages whose ids mean different things, each with its own qrels."""
    folder = tmp_path / "apart"
    write(folder, "corpus", {language: [{"_id": "1", "text": rows[0]["text"]}] for language, rows in CORPORA.items()})
    write(folder, "queries", {language: QUERIES[language][:1] for language in CORPORA})
    for language in CORPORA:
        (folder / language / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t1\t1\n", encoding="utf-8")
    return folder


def test_versions_of_a_question_share_its_passages_in_every_language(shared: Path) -> None:
    benchmark = local.load(path=shared)
    assert {language: queries.ids() for language, queries in benchmark.queries.items()} == {
        "ar": ["q2"],
        "th": ["q1", "q3"],
        "zh": ["q1"],
    }
    assert {pool.name: pool.passages.texts() for pool in benchmark.pools} == {
        "th": ["กรุงเทพ เมืองหลวงของไทย", "แม่น้ำเจ้าพระยา"],
        "zh": ["曼谷 泰国的首都"],
    }
    assert benchmark.qrels == {"q1": {"t1": 2, "z1": 1}, "q2": {"t2": 1}}
    assert benchmark.settings == tuple(Setting)


def test_ids_of_separate_languages_stay_separate(apart: Path) -> None:
    benchmark = local.load(path=apart)
    assert benchmark.qrels == {"th:q1": {"th:1": 1}, "zh:q1": {"zh:1": 1}}
    assert [pool.passages.ids() for pool in benchmark.pools] == [["th:1"], ["zh:1"]]
    assert benchmark.settings == (Setting.MONOLINGUAL, Setting.MULTILINGUAL)


def test_chosen_languages_and_settings_are_kept_to(shared: Path) -> None:
    benchmark = load_benchmark("local", {"path": str(shared), "languages": ["ar", "th"], "settings": ["crosslingual"]})
    assert benchmark.languages == ("ar", "th")
    assert [pool.name for pool in benchmark.pools] == ["th"]
    assert {query: found for query, found in benchmark.qrels.items() if found} == {"q1": {"t1": 2}, "q2": {"t2": 1}}
    assert benchmark.settings == (Setting.CROSSLINGUAL,)


def test_queries_that_are_judged_without_a_relevant_passage_are_not_measured_and_counted_in_what_is_said(
    shared: Path,
) -> None:
    more = [{"_id": "q3", "text": "لا جواب"}, {"_id": "q4", "text": "لا حكم"}]
    write(shared, "queries", {"ar": [*QUERIES["ar"], *more]})
    said = "queries have judgements but no relevant passage and are not measured; trec_eval, BEIR and MTEB count each"
    assert local.load(path=shared).details["unanswered"] == f"2 {said} as 0"
    assert local.load(path=shared, languages=("th",)).details["unanswered"] == f"1 {said} as 0"
    assert local.load(path=shared).questions == 3
    assert "unanswered" not in local.load(path=shared, languages=("zh",)).details


def test_the_revision_follows_the_content(shared: Path) -> None:
    before = local.load(path=shared).revision
    assert local.load(path=shared).revision == before
    write(shared, "corpus", {"zh": [{"_id": "z1", "title": "曼谷", "text": "泰国首都"}]})
    assert local.load(path=shared).revision != before


def test_the_folder_is_asked_for_before_any_data_is_read() -> None:
    with pytest.raises(TaskError, match="benchmark 'local' needs the option 'path'"):
        check_benchmark("local", {})


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("qrels.tsv", QRELS + "q9\tt1\t1\n", r"the qrels judge query 'q9', which no file of queries holds"),
        ("qrels.tsv", QRELS + "q1\tt9\t1\n", r"passage 't9', relevant to query 'q1', is in no pool"),
        ("qrels.tsv", QRELS + "q1\tt2\tดี\n", r"qrels.tsv, line 6: the score is 'ดี': write a whole number"),
        ("qrels.tsv", QRELS + f"q1\tt2\t{10**30}\n", r"qrels.tsv, line 6: the score is '1000.*': write a whole number"),
        ("qrels.tsv", QRELS + "q1\tt2\t1e400\n", r"qrels.tsv, line 6: the score is '1e400': write a whole number"),
        ("th/corpus.jsonl", "\0" * 99, r"th/corpus.jsonl, line 1 holds zero bytes"),
        ("th/corpus.jsonl", "<!DOCTYPE html>\n<p>404\n", r"th/corpus.jsonl is a page of a web site and not the data"),
        ("qrels.tsv", QRELS + "q1\tt2\n", r"qrels.tsv, line 6 has 2 fields where the first line has 3"),
        (
            "qrels.tsv",
            "query\tcorpus-id\tscore\n",
            r"qrels.tsv, line 1 has query, corpus-id, score, but a file of qrels",
        ),
        ("qrels.tsv", "query-id\tcorpus-id\tscore\n", r"the qrels hold no relevant passage"),
        ("zh/queries.jsonl", '{"_id": "q1", "text": "\\t"}', r"zh/queries.jsonl, line 1, text: the text is empty"),
        (
            "th/corpus.jsonl",
            '{"_id": "t1", "text": ""}\n\n{"_id": t2}',
            r"th/corpus.jsonl, line 3 is not JSON: expected",
        ),
        (
            "th/corpus.jsonl",
            '{"_id": "t1", "text": ""}\n{"text": "ไทย"}',
            r"th/corpus.jsonl, line 2 has text, but a corpus",
        ),
        ("zh/corpus.jsonl", "", r"zh/corpus.jsonl holds no passage"),
    ],
    ids=[
        "query",
        "passage",
        "score",
        "30 digits",
        "1e400",
        "zeros",
        "web page",
        "short",
        "header",
        "none",
        "empty",
        "malformed",
        "id",
        "no passage",
    ],
)
def test_broken_data_is_one_error_with_file_and_line(shared: Path, file: str, content: str, problem: str) -> None:
    (shared / file).write_text(content, encoding="utf-8")
    with pytest.raises(TaskError, match=problem):
        local.load(path=shared)


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        TaskError, match=r"benchmark 'local': there is no corpus in .*, such as corpus.jsonl or th/corpus"
    ):
        local.load(path=tmp_path)


def test_missing_qrels_are_named(apart: Path) -> None:
    (apart / "zh" / "qrels.tsv").unlink()
    with pytest.raises(TaskError, match=r"zh/queries.jsonl has queries without qrels: add those of 'zh'"):
        local.load(path=apart)


def test_a_tsv_corpus_may_lack_a_header_and_one_with_unknown_names_is_no_passage(shared: Path) -> None:
    folder = shared / "th"
    (folder / "corpus.jsonl").unlink()
    rows = "t1\tกรุงเทพ\nt2\tแม่น้ำเจ้าพระยา\n"
    for header in ("", "id\tbody\n"):
        (folder / "corpus.tsv").write_text(header + rows, encoding="utf-8")
        thai = next(pool for pool in load_benchmark("local", {"path": str(shared)}).pools if pool.language == "th")
        assert thai.passages.ids() == ["t1", "t2"]
    (folder / "corpus.tsv").write_text("article_id\tinhalt\n" + rows, encoding="utf-8")
    with pytest.raises(TaskError, match="line 1 has article_id, inhalt, but a corpus needs a column for its id"):
        load_benchmark("local", {"path": str(shared)})


def test_two_columns_of_ids_are_refused(shared: Path) -> None:
    rows = [{"id": 0, "docid": "t1", "text": "กรุงเทพ"}, {"id": 1, "docid": "t2", "text": "แม่น้ำเจ้าพระยา"}]
    write(shared, "corpus", {"th": rows})
    with pytest.raises(TaskError, match="has id and docid, and only one can be the id: remove or rename the other"):
        load_benchmark("local", {"path": str(shared)})


def test_two_folders_of_one_language_are_refused(apart: Path) -> None:
    """As two copies: both would be measured, as two languages."""
    shutil.copytree(apart / "th", apart / "TH")
    with pytest.raises(TaskError, match="the names TH and th are of one language: rename or remove one of the two"):
        local.load(path=apart)
