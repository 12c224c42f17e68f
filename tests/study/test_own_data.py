"""Evaluation data as people have it: the right figure, or one sentence that names the file and what to do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from study import fetch
from study.cli import program
from study.retrieval.evaluation import Evaluation, evaluate
from tasks.benchmarks import miracl
from tasks.plugins import load_benchmark
from tests.hashing_encoder import HashingEncoder

THAI = "เมืองหลวงของประเทศไทยคือกรุงเทพมหานคร"
CHINESE = "泰国的首都是曼谷"
ARABIC = "عاصمة تايلاند هي بانكوك"
RIVER = "แม่น้ำเจ้าพระยาไหลผ่านภาคกลาง"
HEADER = "query-id\tcorpus-id\tscore\n"
Rows = Sequence[Mapping[str, Any]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thai: two queries, whose relevant passages have their text, and one more passage."""
    root = tmp_path / "own"
    write(
        root, "th/corpus.jsonl", [{"_id": "p1", "text": THAI}, {"_id": "p2", "text": RIVER}, {"_id": "p3", "text": "ก"}]
    )
    write(root, "th/queries.jsonl", [{"_id": "q1", "text": THAI}, {"_id": "q2", "text": RIVER}])
    write(root, "th/qrels.tsv", HEADER + "q1\tp1\t1\nq2\tp2\t1\n")
    return root


def write(root: Path, name: str, content: str | bytes | Rows) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, (str, bytes)):
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def write_parquet(root: Path, name: str, rows: Rows) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), root / name)


def measured(root: Path, name: str = "local", **options: Any) -> Evaluation:
    return evaluate(HashingEncoder(), load_benchmark(name, {"path": str(root), **options}))


def map_of(root: Path, **options: Any) -> float:
    return measured(root, **options).metrics["local/monolingual/map"]


def refusal(root: Path, *options: str) -> str:
    """Return the one sentence that the command line prints."""
    arguments = ["local", "--option", f"path={root}", *(part for o in options for part in ("--option", o))]
    result = CliRunner().invoke(program(fetch.main), arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


# Languages.


def test_languages_have_one_spelling_and_norwegian_is_one(folder: Path) -> None:
    for name in ("zho_Hans", "no", "pt-br", "pt-pt"):
        for file in (folder / "th").iterdir():
            write(folder, f"{name}/{file.name}", file.read_bytes())
    measured_languages = measured(folder).queries
    assert set(measured_languages) == {"th", "zh", "no", "pt-br", "pt-pt"}
    assert set(measured(folder, languages=["zh-CN", "no"]).queries) == {"zh", "no"}
    arguments = ["local", "--option", f"path={folder}", "--option", "languages=[no]"]
    result = CliRunner().invoke(program(fetch.main), arguments)
    assert "local: 2 queries, 3 passages" in result.output


# Splits.


@pytest.fixture
def with_splits(folder: Path) -> Path:
    """`test` judges the right passages, `train` other ones."""
    (folder / "th" / "qrels.tsv").unlink()
    write(folder, "th/qrels/test.tsv", HEADER + "q1\tp1\t1\nq2\tp2\t1\n")
    write(folder, "th/qrels/train.tsv", HEADER + "q1\tp3\t1\nq2\tp3\t1\n")
    return folder


def test_splits_are_not_merged_and_test_is_the_one_without_a_choice(with_splits: Path) -> None:
    assert map_of(with_splits) == 1
    assert measured(with_splits).details["split"] == "test"
    assert map_of(with_splits, split="train") < 1


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_splits_are_told_by_the_names_of_files_of_any_format(with_splits: Path, suffix: str) -> None:
    for split, passage in (("test", "p1"), ("train", "p3")):
        (with_splits / "th" / "qrels" / f"{split}.tsv").unlink()
        rows = [{"query-id": "q1", "corpus-id": passage, "score": 1}]
        if suffix == "jsonl":
            write(with_splits, f"th/qrels/{split}.jsonl", rows)
        else:
            write_parquet(with_splits, f"th/qrels/{split}-00000-of-00001.parquet", rows)
    assert map_of(with_splits) == 1


def test_an_unclear_or_unknown_split_is_refused(with_splits: Path) -> None:
    assert "there are no qrels for 'dev', but for test, train" in refusal(with_splits, "split=dev")
    (with_splits / "th" / "qrels" / "test.tsv").rename(with_splits / "th" / "qrels" / "dev.tsv")
    assert "choose one of those that there are qrels for: dev, train" in refusal(with_splits)


def test_miracl_as_published_is_measured_on_its_development_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(miracl.FULL_PASSAGES, "th", 2)
    root = tmp_path / "miracl"
    docs = b"".join(json.dumps(row).encode() + b"\n" for row in [{"docid": "7#0", "title": "ไทย", "text": THAI}])
    write(root, "miracl-corpus-v1.0-th/docs-0.jsonl.gz", gzip.compress(docs))
    more = json.dumps({"docid": "8#0", "title": "", "text": RIVER}).encode()
    write(root, "miracl-corpus-v1.0-th/docs-1.jsonl.gz", gzip.compress(more))
    for split, query, passage in (("dev", THAI, "7#0"), ("train", THAI, "8#0")):
        write(root, f"miracl-v1.0-th/topics/topics.miracl-v1.0-th-{split}.tsv", f"{split}1\t{query}\n")
        write(root, f"miracl-v1.0-th/qrels/qrels.miracl-v1.0-th-{split}.tsv", f"{split}1 Q0 {passage} 1\n")
    result = measured(root, "miracl", languages=["th"])
    assert result.metrics["miracl/monolingual/ndcg@10"] == 1
    assert (result.queries, result.passages) == ({"th": 1}, {"th": 2})
    assert measured(root, split="dev").metrics["local/monolingual/map"] == 1
    assert "choose one of those that there are qrels for: dev, train" in refusal(root)


def test_mr_tydi_as_published(tmp_path: Path) -> None:
    root = tmp_path / "mrtydi-v1.1-thai"
    docs = [{"id": "7#0", "contents": f"ไทย\n\n{THAI}"}, {"id": "8#0", "contents": RIVER}]
    content = "".join(json.dumps(row) + "\n" for row in docs)
    write(root, "collection/docs.jsonl.gz", gzip.compress(content.encode()))
    for split, text, passage in (("test", THAI, "7#0"), ("train", THAI, "8#0")):
        write(root, f"topic.{split}.tsv", f"{split}1\t{text}\n")
        write(root, f"qrels.{split}.txt", f"{split}1\t0\t{passage}\t1\n")
    write(root, "topic.tsv", f"test1\t{THAI}\ntrain1\t{THAI}\n")
    write(root, "qrels.txt", "test1\t0\t7#0\t1\ntrain1\t0\t8#0\t1\n")
    result = measured(tmp_path)
    assert (result.queries, result.passages, result.metrics["local/monolingual/map"]) == ({"th": 1}, {"th": 2}, 1)


def test_ciral_as_published_asks_in_english(tmp_path: Path) -> None:
    docs = [{"docid": "VOA#1#0", "title": "", "text": "Babban birnin Thailand", "url": "x"}]
    write(
        tmp_path,
        "passages-v1.0/hausa_passages.jsonl",
        [*docs, {"docid": "VOA#1#1", "title": "", "text": "kogi", "url": "x"}],
    )
    write(tmp_path, "ciral-hausa/topics/topics.ciral-v1.0-ha-test-a.tsv", "7\tBabban birnin Thailand\n")
    write(tmp_path, "ciral-hausa/qrels/qrels.ciral-v1.0-ha-test-a.tsv", "7 Q0 VOA#1#0 1\n")
    write(tmp_path, "ciral-hausa/qrels/qrels.ciral-v1.0-ha-test-a-pools.tsv", "7 Q0 VOA#1#0 1\n7 Q0 VOA#1#1 1\n")
    result = measured(tmp_path, query_language="en", split="test-a")
    assert result.by_pair == {"en-ha": result.by_pair["en-ha"]}
    assert result.metrics["local/crosslingual/map"] == 1


def test_flag_embedding_and_ms_marco_layouts(tmp_path: Path) -> None:
    flag, marco = tmp_path / "flag", tmp_path / "marco"
    write(flag, "corpus.jsonl", [{"id": "p1", "title": "", "text": CHINESE}, {"id": "p2", "title": "", "text": "月"}])
    write(flag, "test_queries.jsonl", [{"id": "q1", "text": CHINESE}])
    write(flag, "test_qrels.jsonl", [{"qid": "q1", "docid": "p1", "relevance": 1}])
    write(marco, "collection.tsv", f"0\t{CHINESE}\n1\t月\n")
    write(marco, "queries.dev.small.tsv", f"7\t{CHINESE}\n")
    write(marco, "queries.train.tsv", "8\t月\n")
    write(marco, "qrels.dev.small.tsv", "7\t0\t0\t1\n")
    for root in (flag, marco):
        result = measured(root, language="zh")
        assert (result.queries, result.passages) == ({"zh": 1}, {"zh": 2})
        assert result.metrics["local/monolingual/map"] == 1


def test_a_corpus_in_numbered_parts_is_read_whole(folder: Path) -> None:
    rows = (folder / "th" / "corpus.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "th" / "corpus.jsonl").unlink()
    for number, row in enumerate(rows):
        write(folder, f"th/corpus_{number}.jsonl", row)
    assert measured(folder).passages == {"th": 3}


# Ids that occur twice.


def test_copies_of_queries_passages_and_judgements_are_read_once_and_counted(folder: Path) -> None:
    for name in ("corpus.jsonl", "queries.jsonl"):
        file = folder / "th" / name
        file.write_text(file.read_text("utf-8") * 2, encoding="utf-8")
    write(folder, "th/qrels.tsv", HEADER + "q1\tp1\t1\nq2\tp2\t1\nq1\tp1\t1\n")
    result = measured(folder)
    assert result.metrics["local/monolingual/map"] == 1
    assert (result.queries, result.passages) == ({"th": 2}, {"th": 3})
    assert result.details["copies"] == "6 rows repeat another and were read once"


def test_a_corpus_in_two_formats_is_read_once(folder: Path) -> None:
    write_parquet(folder, "th/corpus.parquet", [{"_id": "p1", "text": THAI}])
    result = measured(folder)
    assert (result.passages, result.metrics["local/monolingual/map"]) == ({"th": 3}, 1)


def test_the_corpora_of_two_splits_are_not_one(folder: Path) -> None:
    (folder / "th" / "corpus.jsonl").unlink()
    for split in ("dev", "test"):
        rows = [{"_id": "p1", "text": THAI}, {"_id": "p2", "text": RIVER}, {"_id": split, "text": "ก"}]
        write_parquet(folder, f"th/corpus/{split}-00000-of-00001.parquet", rows)
    (folder / "th" / "qrels.tsv").rename(folder / "th" / "qrels.test.tsv")
    assert measured(folder).passages == {"th": 3}


@pytest.mark.parametrize(
    ("name", "row", "sentence"),
    [
        ("th/queries.jsonl", {"_id": "q1", "text": RIVER}, "query 'th:q1' has two texts"),
        ("th/corpus.jsonl", {"_id": "p1", "text": RIVER}, "passage 'th:p1' has two texts"),
    ],
)
def test_an_id_with_two_texts_is_refused_with_both_places(
    folder: Path, name: str, row: dict[str, Any], sentence: str
) -> None:
    file = folder / name
    rows = file.read_text("utf-8").count("\n")
    file.write_text(file.read_text("utf-8") + json.dumps(row) + "\n", encoding="utf-8")
    message = refusal(folder)
    assert f"{sentence}: {file}, line 1 and {file}, line {rows + 1}; remove one of them" in message


def test_two_grades_of_one_passage_are_refused(folder: Path) -> None:
    write(folder, "th/qrels.tsv", HEADER + "q1\tp1\t1\nq2\tp2\t1\nq1\tp1\t2\n")
    assert "passage 'th:p1' has two grades for query 'th:q1': 1 in " in refusal(folder)


def test_one_id_in_two_languages_with_shared_qrels_is_refused(folder: Path) -> None:
    write(folder, "zh/corpus.jsonl", [{"_id": "p1", "text": CHINESE}])
    (folder / "th" / "qrels.tsv").rename(folder / "qrels.tsv")
    message = refusal(folder)
    assert f"passage 'p1' is both in {folder / 'th/corpus.jsonl'} and in {folder / 'zh/corpus.jsonl'}: give" in message


# Names of columns.


@pytest.mark.parametrize("names", [("id", "contents"), ("docid", "text"), ("_id", "Text"), ("pid", "passage")])
def test_other_names_of_columns_are_read(folder: Path, names: tuple[str, str]) -> None:
    texts = {"p1": THAI, "p2": RIVER, "p3": "ก"}
    rows: Rows = [dict(zip(names, row, strict=True)) for row in texts.items()]
    write(folder, "th/corpus.jsonl", rows)
    assert map_of(folder) == 1
    lines = "".join(f"{passage}\t{text}\n" for passage, text in texts.items())
    (folder / "th" / "corpus.jsonl").unlink()
    write(folder, "th/corpus.tsv", "\t".join(names) + "\n" + lines)
    assert map_of(folder) == 1


def test_a_corpus_without_a_column_of_texts_is_refused_and_empty_texts_are_not(folder: Path) -> None:
    write(folder, "th/corpus.jsonl", [{"_id": "p1", "inhalt": THAI}])
    assert "th/corpus.jsonl, line 1 has _id, inhalt, but a corpus needs a column for its text" in refusal(folder)
    rows: Rows = [
        {"_id": "p1", "text": THAI},
        {"_id": "p2", "text": RIVER},
        {"_id": "p3", "text": ""},
        {"_id": "p4", "text": None},
    ]
    write(folder, "th/corpus.jsonl", rows)
    assert measured(folder).passages == {"th": 4}


# Relevant passages that are in no corpus, and ids that a query shares with a passage.


@pytest.mark.parametrize("options", [{}, {"languages": ["th"]}])
def test_a_missing_relevant_passage_is_refused_or_counts_as_not_retrieved(
    folder: Path, options: dict[str, Any]
) -> None:
    (folder / "th" / "qrels.tsv").unlink()
    write(folder, "qrels.tsv", HEADER + "q1\tp1\t1\nq1\tp9\t1\nq2\tp2\t1\nq2\tp9\t1\n")
    assert "passage 'p9', relevant to query 'q1', is in no pool: add it" in refusal(folder)
    result = measured(folder, missing="count", **options)
    assert result.metrics["local/monolingual/map"] == 0.5
    assert result.details["missing"] == "1 relevant passages are in no corpus and count as not retrieved"


def test_a_query_whose_only_relevant_passage_is_missing_scores_nothing(folder: Path) -> None:
    write(folder, "th/qrels.tsv", HEADER + "q1\tp1\t1\nq2\tp9\t1\n")
    assert map_of(folder, missing="count") == 0.5


def test_a_passage_of_another_language_is_not_missing(folder: Path) -> None:
    write(folder, "zh/corpus.jsonl", [{"_id": "z1", "text": CHINESE}])
    (folder / "th" / "qrels.tsv").unlink()
    write(folder, "qrels.tsv", HEADER + "q1\tp1\t1\nq1\tz1\t1\nq2\tp2\t1\n")
    result = measured(folder, languages=["th"])
    assert result.metrics["local/monolingual/map"] == 1
    assert "missing" not in result.details


def test_a_missing_passage_does_not_count_where_the_language_that_lacks_it_is_not_chosen(folder: Path) -> None:
    write(folder, "zh/queries.jsonl", [{"_id": "q1", "text": CHINESE}])
    (folder / "th" / "qrels.tsv").rename(folder / "qrels.tsv")
    write(folder, "qrels.tsv", HEADER + "q1\tp1\t1\nq2\tp2\t1\nq2\tp9\t1\n")
    assert measured(folder, languages=["th"], missing="count").metrics["local/monolingual/map"] == 0.75
    assert "no query has a relevant passage in any pool" in refusal(folder, "languages=[zh]", "missing=count")


def test_a_missing_passage_of_unknown_language_counts_in_the_union_alone(folder: Path) -> None:
    write(folder, "zh/corpus.jsonl", [{"_id": "z1", "text": CHINESE}])
    (folder / "th" / "qrels.tsv").unlink()
    write(folder, "qrels.tsv", HEADER + "q1\tp1\t1\nq1\tz1\t1\nq1\tx\t1\nq2\tp2\t1\n")
    assert "passage 'x' is in no corpus, so its language is unknown: measure with" in refusal(folder, "missing=count")
    whole = measured(folder, missing="count", settings=["multilingual"])
    write(folder, "qrels.tsv", HEADER + "q1\tp1\t1\nq1\tz1\t1\nq2\tp2\t1\n")
    without = measured(folder, settings=["multilingual"])
    first, second = (m.metrics["local/multilingual/map"] for m in (without, whole))
    query_1 = 2 * first - 1  # query 2 scores 1
    assert second == pytest.approx((query_1 * 2 / 3 + 1) / 2)
    assert whole.metrics["local/multilingual/rank_distance"] == without.metrics["local/multilingual/rank_distance"]


@pytest.fixture
def arguana(tmp_path: Path) -> Path:
    """Each query is also a passage, with its id and text; its counter-argument is relevant."""
    rows = [{"_id": "a", "text": THAI}, {"_id": "b", "text": RIVER}]
    counter = [{"_id": "c", "text": THAI + "ก"}, {"_id": "d", "text": RIVER + "ก"}]
    write(tmp_path, "argu/corpus.jsonl", [*rows, *counter])
    write(tmp_path, "argu/queries.jsonl", rows)
    write(tmp_path, "argu/qrels/test.tsv", HEADER + "a\tc\t1\nb\td\t1\n")
    return tmp_path / "argu"


def test_a_passage_with_the_id_of_its_query_is_ignored_on_request_and_said_otherwise(
    arguana: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = measured(arguana, language="th")
    assert said.metrics["local/monolingual/map"] == 0.5
    assert said.details["identical_ids"].startswith("2 queries have the id of a passage")
    assert said.details["identical_ids"] in caplog.text
    ignored = measured(arguana, language="th", ignore_identical_ids=True)
    assert ignored.metrics["local/monolingual/map"] == 1
    assert ignored.details["ignore_identical_ids"] == "true"


def test_an_ignored_passage_that_is_relevant_counts_as_not_retrieved(arguana: Path) -> None:
    write(arguana, "qrels/test.tsv", HEADER + "a\tc\t1\na\ta\t1\nb\td\t1\n")
    assert map_of(arguana, language="th", ignore_identical_ids=True) == (0.5 + 1) / 2


# Text files.


def test_a_quoted_field_holds_tabs_and_line_breaks_and_other_quotes_are_text(folder: Path) -> None:
    (folder / "th" / "corpus.jsonl").unlink()
    rows = [f'p1\t"{THAI}\t""ก"""', f'p2\t"{RIVER}\nข"', 'p3\t"ก" ข', 'p4\t"ค', 'p5\t"ง"']
    write(folder, "th/corpus.tsv", "_id\ttext\n" + "\n".join(rows) + "\n")
    (pool,) = load_benchmark("local", {"path": str(folder)}).pools
    assert pool.passages.texts() == [f'{THAI}\t"ก"', f"{RIVER}\nข", '"ก" ข', '"ค', "ง"]


def test_a_tab_outside_quotes_is_refused(folder: Path) -> None:
    (folder / "th" / "corpus.jsonl").unlink()
    file = write(folder, "th/corpus.tsv", f"_id\ttext\np1\t{THAI}\tก\n")
    assert f"{file}, line 2 has 3 fields where the first line has 2: put a text that contains a tab" in refusal(folder)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("corpus.tsv", "_id\ttext\np1\tTürkçe\n".encode("latin-1"), "corpus.tsv, line 2 is not UTF-8: convert"),
        ("corpus.tsv", f"_id\ttext\np1\t{THAI}\n".encode("utf-16"), "corpus.tsv is UTF-16 and not UTF-8: convert"),
        ("corpus.jsonl.gz", gzip.compress(b'{"_id": "p1", "text": "a"}\n' * 9)[:-9], "corpus.jsonl.gz cannot be read"),
        (
            "corpus.jsonl",
            b'{"_id": "p1", "text": "\\ud800"}\n',
            "corpus.jsonl, line 1 is not JSON: unexpected end of hex",
        ),
        (
            "corpus.jsonl",
            b'{"_id": "p1", "text": ["a", "b"]}\n',
            "corpus.jsonl, line 1: the text is a list, not a text",
        ),
        (
            "corpus.jsonl",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "corpus.jsonl is a Git LFS pointer and not the file itself: run `git lfs pull`",
        ),
    ],
    ids=["Latin-1", "UTF-16", "damaged", "surrogate", "list", "pointer"],
)
def test_a_file_that_cannot_be_read_is_one_sentence(folder: Path, name: str, content: bytes, sentence: str) -> None:
    (folder / "th" / "corpus.jsonl").unlink()
    write(folder, f"th/{name}", content)
    assert sentence in refusal(folder)


def test_a_column_of_lists_is_one_sentence(folder: Path) -> None:
    (folder / "th" / "corpus.jsonl").unlink()
    write_parquet(folder, "th/corpus.parquet", [{"_id": "p1", "text": [THAI]}])
    assert "corpus.parquet, column text has the type list<" in refusal(folder)


def test_long_fields_byte_order_marks_and_compressed_files_are_read(folder: Path) -> None:
    (folder / "th" / "corpus.jsonl").unlink()
    write(folder, "th/corpus.tsv", f"\ufeff_id\ttext\np1\t{THAI}\np2\t{RIVER}\np3\t{'ก' * 200_000}\n")
    write(folder, "th/queries.jsonl", "\ufeff" + (folder / "th" / "queries.jsonl").read_text("utf-8"))
    assert map_of(folder) == 1
    for name, codec in (("corpus.tsv", "gzip"), ("queries.jsonl", "zstd")):
        file = folder / "th" / name
        with pa.CompressedOutputStream(f"{file}.{'gz' if codec == 'gzip' else 'zst'}", codec) as out:
            out.write(file.read_bytes())
        file.unlink()
    assert map_of(folder) == 1


def test_qrels_of_trec_have_no_header(folder: Path) -> None:
    write(folder, "th/qrels.tsv", "q1 Q0 p1 1\nq2 Q0 p2 1\nq2 Q0 p3 0\nq1 Q0 p3 -1\n")
    assert map_of(folder) == 1


def test_a_folder_of_beir_as_unzipped_needs_its_language(folder: Path) -> None:
    own = folder / "th"
    assert f"{own / 'corpus.jsonl'} lies in no folder of a language: name its language" in refusal(own)
    assert measured(own, language="th").by_language["monolingual"]["th"]["map"] == 1


def test_files_that_are_not_part_of_the_data_are_not_read(folder: Path) -> None:
    write(folder, "th/corpus_old.jsonl", [{"_id": "p9", "text": THAI}])
    write(folder, "th/corpus.jsonl.bak", "x")
    assert measured(folder).passages == {"th": 3}
