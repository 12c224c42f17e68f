"""MIRACL in MTEB's layout: Parquet and JSON lines, grades, prefixes, memory, and the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.benchmarks import miracl
from tasks.plugins import TaskError
from tasks.schema import Setting
from tests.hub_server import HubServer, Repository

Rows = list[dict[str, Any]]
THAI: dict[str, Rows] = {
    "corpus": [
        {"_id": "7#0", "title": "กรุงเทพมหานคร", "text": "เป็นเมืองหลวงของประเทศไทย"},
        {"_id": "7#1", "title": "กรุงเทพมหานคร", "text": " มีแม่น้ำเจ้าพระยา "},
        {"_id": "9#0", "title": "", "text": "ไม่มีชื่อเรื่อง"},
    ],
    "queries": [{"_id": "1", "text": "เมืองหลวงของไทยคือ?"}, {"_id": "2", "text": "ไม่มีคำตอบ"}],
    "qrels": [
        {"query-id": "1", "corpus-id": "7#0", "score": 1},
        {"query-id": "1", "corpus-id": "7#1", "score": 3},
        {"query-id": "1", "corpus-id": "9#0", "score": 0},
        {"query-id": "2", "corpus-id": "9#0", "score": 0},
    ],
}
ARABIC: dict[str, Rows] = {
    "corpus": [{"_id": "7#0", "title": "القاهرة", "text": "عاصمة مصر"}],
    "queries": [{"_id": "1", "text": "ما عاصمة مصر؟"}],
    "qrels": [{"query-id": "1", "corpus-id": "7#0", "score": 1}],
}


def write(folder: Path, language: str, parts: dict[str, Rows], suffix: str) -> None:
    for part, rows in parts.items():
        inside = folder / f"{language}-{part}"
        inside.mkdir(parents=True)
        if suffix == "parquet":
            for i in range(0, len(rows), 2):  # shards, as the full corpora have
                pq.write_table(pa.Table.from_pylist(rows[i : i + 2]), inside / f"dev-0000{i // 2}-of-00002.parquet")
        elif part == "qrels":
            lines = ["query-id\tcorpus-id\tscore", *("\t".join(str(value) for value in row.values()) for row in rows)]
            (inside / "dev.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        else:
            (inside / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(params=["parquet", "jsonl"])
def copy(request: pytest.FixtureRequest, tmp_path: Path, cache: Path) -> Path:
    folder = tmp_path / "copy" / "MIRACLRetrievalHardNegatives"
    write(folder, "th", THAI, request.param)
    write(folder, "ar", ARABIC, request.param)
    return folder


@pytest.mark.parametrize("parent", [False, True], ids=["the folder", "the folder that holds it"])
def test_both_layouts_give_the_same_passages_grades_and_queries(copy: Path, parent: bool) -> None:
    benchmark = miracl.load(path=copy.parent if parent else copy, languages=("th", "ar"))
    arabic, thai = benchmark.pools
    assert thai.passages.ids() == ["th:7#0", "th:7#1", "th:9#0"]
    assert thai.passages.texts() == [
        "กรุงเทพมหานคร เป็นเมืองหลวงของประเทศไทย",
        "กรุงเทพมหานคร  มีแม่น้ำเจ้าพระยา",
        "ไม่มีชื่อเรื่อง",
    ]
    assert arabic.passages.ids() == ["ar:7#0"], "the same id in another language is another passage"
    assert benchmark.qrels == {"th:1": {"th:7#0": 1, "th:7#1": 3}, "ar:1": {"ar:7#0": 1}}
    assert benchmark.queries["th"].texts() == ["เมืองหลวงของไทยคือ?", "ไม่มีคำตอบ"]
    assert benchmark.settings == (Setting.MONOLINGUAL,)
    assert benchmark.metrics == ("ndcg@10", "recall@100")
    unanswered = {"unanswered": benchmark.details["unanswered"]}
    assert benchmark.details == unanswered | {"variant": "hard_negatives", "split": "dev", "passages": "4"}


@pytest.mark.parametrize("variant", [None, "full"])
def test_full_corpora_are_told_by_their_passages_and_come_with_an_estimate(
    copy: Path, variant: miracl.Variant | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(miracl.FULL_PASSAGES, "th", 3)
    monkeypatch.setitem(miracl.FULL_PASSAGES, "ar", 1)
    full = copy.rename(copy.parent / "MIRACLRetrieval")
    estimate = "3 passages, 0.0 hours to encode at 310 passages/s"
    benchmark = miracl.load(path=full.parent, languages=("th",), variant=variant)
    assert (benchmark.details["variant"], benchmark.details["estimate"]) == ("full", estimate)
    assert (f"miracl, full corpora: {estimate}" in caplog.messages) == (variant == "full")
    with pytest.raises(TaskError, match=r"the 1 passages in 'ar' are those of 'full' .* not of 'hard_negatives': wr"):
        miracl.load(path=full, languages=("ar", "th"), variant="hard_negatives")


def test_a_variant_that_is_not_that_of_the_data_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = r"'variant': the 1 passages in 'ar' are those of 'hard_negatives' \(the full corpus has 2,061,414\)"
    with pytest.raises(TaskError, match=sentence):
        miracl.load(path=copy, languages=("ar", "th"), variant="full")
    monkeypatch.setitem(miracl.FULL_PASSAGES, "th", 3)
    with pytest.raises(TaskError, match=r"the 3 passages in 'th' are those of 'full' .* and not of 'hard_negatives'"):
        miracl.load(path=copy, languages=("ar", "th"))


def test_corpora_as_published_are_the_full_ones_or_lack_files(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, topics = tmp_path / "miracl-corpus-v1.0-th", tmp_path / "miracl-v1.0-th"
    for folder in (corpus, topics / "topics", topics / "qrels"):
        folder.mkdir(parents=True)
    (corpus / "docs-0.jsonl").write_text(json.dumps({"docid": "7#0", "title": "ไทย", "text": "กรุงเทพ"}), "utf-8")
    (topics / "topics" / "topics.miracl-v1.0-th-dev.tsv").write_text("1\tเมืองหลวง\n", "utf-8")
    (topics / "qrels" / "qrels.miracl-v1.0-th-dev.tsv").write_text("1 Q0 7#0 1\n", "utf-8")
    sentence = "the full corpus in 'th' has 542,166 passages, and 1 are here: copy the other files of its folder too"
    with pytest.raises(TaskError, match=sentence):
        miracl.load(path=tmp_path, languages=("th",))
    monkeypatch.setitem(miracl.FULL_PASSAGES, "th", 1)
    assert miracl.load(path=tmp_path, languages=("th",)).details["variant"] == "full"


def test_the_published_sizes_sum_to_the_published_total() -> None:
    assert len(miracl.FULL_PASSAGES) == 18
    assert sum(miracl.FULL_PASSAGES.values()) == 106_332_152


def test_it_is_downloaded_one_language_at_a_time(tmp_path: Path, hub: HubServer) -> None:
    write(tmp_path / "copy", "th", THAI, "parquet")
    repository, revision = miracl._REPOSITORIES["hard_negatives"]
    files = {str(f.relative_to(tmp_path / "copy")): f.read_bytes() for f in (tmp_path / "copy").rglob("*.parquet")}
    hub.repositories[f"datasets/{repository}"] = Repository(files, revision)
    downloaded = miracl.load(languages=("th",))
    hub.stop()
    assert miracl.load(languages=("th",)).revision == downloaded.revision
    assert miracl.load(path=tmp_path / "copy", languages=("th",)).revision == downloaded.revision


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_an_empty_query_is_named_with_its_place(tmp_path: Path, cache: Path, suffix: str) -> None:
    queries = [{"_id": "0", "text": "ما عاصمة مصر؟"}, {"_id": "1", "text": " "}]
    write(tmp_path / "copy", "ar", ARABIC | {"queries": queries}, suffix)
    with pytest.raises(TaskError, match=r"dev\S*, (row|line) 2, text: the text is empty"):
        miracl.load(path=tmp_path / "copy", languages=("ar",))


def test_a_truncated_corpus_is_named_and_leaves_no_table(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "copy", "ar", ARABIC, "parquet")
    file = tmp_path / "copy" / "ar-corpus" / "dev-00000-of-00002.parquet"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(TaskError, match=r"dev-00000-of-00002.parquet is not a readable Parquet file"):
        miracl.load(path=tmp_path / "copy", languages=("ar",))
    assert not [path for path in (cache / "tables").iterdir() if path.is_dir()]


def test_a_corpus_with_other_columns_is_refused(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "copy", "ar", ARABIC | {"corpus": [{"docid": "7#0", "inhalt": "عاصمة مصر"}]}, "parquet")
    with pytest.raises(
        TaskError, match=r"parquet has docid, inhalt, but a corpus needs a column for its text: text or"
    ):
        miracl.load(path=tmp_path / "copy", languages=("ar",))


def test_a_missing_language_is_named_with_what_is_looked_for(copy: Path) -> None:
    with pytest.raises(TaskError, match=r"benchmark 'miracl', option 'languages': there is no 'zh', allowed: ar, th"):
        miracl.load(path=copy, languages=("zh",))
