"""Corpus `dataset`: which files of a folder are read, and which rows of them are left out or refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.plugins import TaskError, load_corpus
from tasks.schema import Pair
from tests.tasks.corpora.test_dataset import everything, pairs_of


def test_rows_that_are_left_out_are_counted_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "train.csv"
    file.write_text("query,passage\nถาม,ตอบ\n,ว่าง\nว่าง, \n", encoding="utf-8")
    assert pairs_of(file, language="th") == [Pair("ถาม", "ตอบ")]
    assert (
        "corpus 'dataset': 2 rows without a query or a passage in the columns that are read are left out" in caplog.text
    )


def test_the_number_of_rows_that_were_left_out_is_kept_with_the_corpus(tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_text("query,passage\nถาม,ตอบ\n,ว่าง\nว่าง, \n", encoding="utf-8")
    for _ in ("converted", "opened again"):
        corpus = load_corpus("dataset", {"path": str(file), "language": "th"})
        assert corpus.left_out == {"without a query or a passage in the columns that are read": 2}
    file.write_text("query,passage\nถาม,ตอบ\n", encoding="utf-8")
    assert load_corpus("dataset", {"path": str(file), "language": "th"}).left_out == {}


# Folders of files.


def write(file: Path, *rows: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return file


def test_linked_folders_are_followed_and_hidden_ones_are_not_read(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere" / "train-1.jsonl", {"query": "谁", "passage": "他"}).parent
    own = write(tmp_path / "own" / "train-0.jsonl", {"query": "ใคร", "passage": "เขา"}).parent
    write(own / ".ipynb_checkpoints" / "train-checkpoint.jsonl", {"query": "เก่า", "passage": "เก่า"})
    write(own / ".train-2.jsonl", {"query": "ซ่อน", "passage": "ซ่อน"})
    (own / "linked").symlink_to(elsewhere)
    (own / "again").symlink_to(elsewhere)
    assert pairs_of(own, language="th") == [Pair("谁", "他"), Pair("ใคร", "เขา")]


def test_files_of_evaluation_are_not_trained_on(tmp_path: Path) -> None:
    write(tmp_path / "Eval.JSONL", {"query": "ใคร", "passage": "เขา"})
    write(tmp_path / "other.jsonl", {"query": "谁", "passage": "他"})
    with pytest.raises(TaskError, match="no data file in it belongs to split 'train'"):
        pairs_of(tmp_path, language="th")
    assert pairs_of(tmp_path, language="th", split="eval") == [Pair("ใคร", "เขา")]


@pytest.mark.parametrize("split", ["train", "training"])
def test_train_and_training_name_one_split(tmp_path: Path, split: str) -> None:
    write(tmp_path / "train.jsonl", {"query": "ใคร", "passage": "เขา"})
    write(tmp_path / "training_extra.jsonl", {"query": "谁", "passage": "他"})
    assert pairs_of(tmp_path, language="th", split=split) == [Pair("ใคร", "เขา"), Pair("谁", "他")]
    write(tmp_path / "more.jsonl", {"query": "من", "passage": "هو"})
    with pytest.raises(TaskError, match="tells no split"):
        pairs_of(tmp_path, language="th", split=split)


@pytest.mark.parametrize("folder", ["training_data", "test/training_data", "evaluation"])
def test_the_name_of_a_file_tells_its_split_before_those_of_its_folders_the_closest_first(
    tmp_path: Path, folder: str
) -> None:
    write(tmp_path / folder / "train.jsonl", {"query": "ใคร", "passage": "เขา"})
    write(tmp_path / folder / "dev.jsonl", {"query": "谁", "passage": "他"})
    write(tmp_path / folder / "test" / "part.jsonl", {"query": "من", "passage": "هو"})
    for split, pair in (("train", Pair("ใคร", "เขา")), ("dev", Pair("谁", "他")), ("test", Pair("من", "هو"))):
        assert pairs_of(tmp_path, language="th", split=split) == [pair]


@pytest.mark.parametrize("name", ["more.jsonl", "ไทย/more.jsonl.gz"])
def test_a_file_whose_name_tells_no_split_is_refused_beside_one_that_is_read(tmp_path: Path, name: str) -> None:
    first, more = write(tmp_path / "train.jsonl", {"query": "ใคร", "passage": "เขา"}), tmp_path / name
    write(tmp_path / "test.jsonl", {"query": "谁", "passage": "他"})
    (tmp_path / "config.json").write_text('{\n "model": "ไม่ใช่ข้อมูล"\n}', "utf-8")
    write(tmp_path / "corpus.jsonl", {"_id": "p1", "title": "", "text": "เขา"})
    write(tmp_path / "queries.jsonl", {"_id": "q1", "text": "ใคร"})
    assert pairs_of(tmp_path, language="th") == [Pair("ใคร", "เขา")]
    write(more, {"query": "哪里", "passage": "这里"})
    if more.suffix == ".gz":
        more.write_bytes(gzip.compress(more.read_bytes()))
    with pytest.raises(TaskError) as refusal:
        pairs_of(tmp_path, language="th")
    assert str(refusal.value) == (
        f"corpus 'dataset': the name of {more} tells no split, and it would not be read beside {first}: name it "
        f"train-{more.name} to train on it, or take it out of {tmp_path}"
    )
    assert pairs_of(tmp_path, language="zh", split="test") == [Pair("谁", "他")]
    more.rename(more.with_name(f"train-{more.name}"))
    assert set(pairs_of(tmp_path, language="th")) == {Pair("ใคร", "เขา"), Pair("哪里", "这里")}


@pytest.mark.parametrize(
    ("row", "missing"),
    [
        ({"frage": "谁", "antwort": "他"}, "passage"),
        ({"question": "谁", "passage": "他"}, "query"),
        ({"query": "谁", "text": "他"}, "passage"),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_every_file_needs_the_columns_of_query_and_passage(
    tmp_path: Path, row: dict[str, str], missing: str, form: str
) -> None:
    write(tmp_path / "train-0.jsonl", {"query": "ใคร", "passage": "เขา"})
    second = tmp_path / f"train-1.{form}"
    if form == "jsonl":
        write(second, row)
    elif form == "csv":
        second.write_text(f"{','.join(row)}\n{','.join(row.values())}\n", "utf-8")
    else:
        pq.write_table(pa.Table.from_pylist([row]), second)
    sentence = rf"{second} has no column '{missing}': .*; name its columns as the other files do, or take it out of"
    with pytest.raises(TaskError, match=sentence):
        pairs_of(tmp_path, language="ar")


def test_files_of_one_language_each_may_share_a_column(tmp_path: Path) -> None:
    shared = {la: {"query": "q", "passage": f"p_{la}"} for la in ("th", "zh")}
    write(tmp_path / "train-0.jsonl", {"q": "ใคร", "p_th": "เขา"})
    write(tmp_path / "train-1.jsonl", {"q": "谁", "p_zh": "他"})
    assert everything(load_corpus("dataset", {"path": str(tmp_path), "columns": shared})) == [
        {"th": Pair("ใคร", "เขา")},
        {"zh": Pair("谁", "他")},
    ]


def test_a_file_may_lack_a_language_or_negatives_or_rows(tmp_path: Path) -> None:
    write(tmp_path / "train-0.jsonl", {"q_th": "ใคร", "p_th": "เขา", "q_zh": "谁", "p_zh": "他", "n_zh": "她"})
    write(tmp_path / "train-1.jsonl", {"q_zh": "哪里", "p_zh": "这里"})
    write(tmp_path / "train-2.jsonl")
    chinese = {"query": "q_zh", "passage": "p_zh", "negatives": ["n_zh"]}
    columns = {"th": {"query": "q_th", "passage": "p_th"}, "zh": chinese}
    assert everything(load_corpus("dataset", {"path": str(tmp_path), "columns": columns})) == [
        {"th": Pair("ใคร", "เขา"), "zh": Pair("谁", "他", ("她",))},
        {"zh": Pair("哪里", "这里")},
    ]
    write(tmp_path / "train-3.jsonl", {"q_zh": "什么", "p_zh": "东西", "q_th": "อะไร"})
    with pytest.raises(TaskError, match=r"train-3.jsonl has no column 'p_th': "):
        load_corpus("dataset", {"path": str(tmp_path), "columns": columns})


def test_negatives_that_only_a_later_file_has_are_read(tmp_path: Path) -> None:
    write(tmp_path / "train-0.jsonl", {"query": "ใคร", "positive": "เขา"})
    write(tmp_path / "train-1.jsonl", {"query": "谁", "positive": "他", "negative": "她"})
    assert [pair.negatives for pair in pairs_of(tmp_path, language="th")] == [(), ("她",)]


# What rows say of their language.


@pytest.mark.parametrize("name", ["lang", "language", "Locale"])
@pytest.mark.parametrize("form", ["jsonl", "saved"])
def test_rows_in_another_language_than_the_one_that_is_read_are_refused(tmp_path: Path, name: str, form: str) -> None:
    rows = [{"query": "ใคร", "passage": "เขา", name: "tha"}, {"query": "谁", "passage": "他", name: "zh-CN"}]
    path = tmp_path / f"train.{form}"
    if form == "jsonl":
        write(path, *rows)
    else:
        datasets.Dataset.from_list(rows).save_to_disk(path)
    sentence = (
        r"(line|row) 2 says that it is in 'zh-CN' and is read as in 'th': keep only rows in 'th' there, or remove"
    )
    columns = {"query": "query", "passage": "passage"}
    named: list[dict[str, Any]] = [{"language": "th"}, {"columns": {"th": columns}}]
    for options in named:
        with pytest.raises(TaskError, match=sentence):
            load_corpus("dataset", {"path": str(path), **options})
    both = dict.fromkeys(("th", "lo"), columns)
    assert len(load_corpus("dataset", {"path": str(path), "columns": both})) == 2


def test_a_text_in_a_column_named_language_is_a_text(tmp_path: Path) -> None:
    file = write(tmp_path / "names.jsonl", {"language": "Thai", "passage": "ภาษาไทย"})
    columns = {"zh": {"query": "language", "passage": "passage"}}
    assert everything(load_corpus("dataset", {"path": str(file), "columns": columns})) == [
        {"zh": Pair("Thai", "ภาษาไทย")}
    ]


# What paths say of their language.


@pytest.mark.parametrize(
    "names",
    [
        ("th/train.jsonl", "zh/train.jsonl"),
        ("train-th.jsonl", "train-zh.jsonl"),
        ("th-triplet/train-00000-of-00001.jsonl", "zh-triplet/train-00000-of-00001.jsonl"),
        ("Thai/train.jsonl", "中文/train.jsonl"),
        ("ไทย/train.jsonl", "日本語/train.jsonl"),
    ],
)
def test_a_folder_with_files_for_several_languages_is_not_read_as_in_one(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    thai = write(tmp_path / names[0], {"query": "ใคร", "passage": "เขา"})
    chinese = write(tmp_path / names[1], {"query": "谁", "passage": "他"})
    columns = {"query": "query", "passage": "passage"}
    named: list[dict[str, Any]] = [{"language": "th"}, {"columns": {"th": columns}}]
    for options in named:
        with pytest.raises(TaskError) as refusal:
            load_corpus("dataset", {"path": str(tmp_path), **options})
        assert str(refusal.value) == (
            f"corpus 'dataset': the path of {chinese} names another language than 'th', in which all of {tmp_path} "
            "would be read: name the folder or file of 'th' alone as path"
        )
    assert pairs_of(thai, language="th") == [Pair("ใคร", "เขา")]
    both = dict.fromkeys(("th", "zh"), columns)
    assert len(load_corpus("dataset", {"path": str(tmp_path), "columns": both})) == 2


@pytest.mark.parametrize(
    "names",
    [
        ("train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"),
        ("train-00001-of-00002-a1de77c0f3b2c9e1.jsonl", "train-00000-of-00002-490260c6e4a970ba.jsonl"),
        ("my-a.jsonl", "my-b.jsonl"),
        ("train-sql.jsonl", "train-web.jsonl"),
        ("th/train.jsonl", "th/train-more.jsonl"),
        ("train.jsonl", "train-no-2.jsonl"),
        ("th/train.jsonl", "th-TH/train.jsonl"),
        ("th-zh/train.jsonl", "th-ar/train.jsonl"),
    ],
)
def test_files_whose_paths_do_not_tell_languages_apart_are_read_together(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    for name in names:
        write(tmp_path / name, {"query": f"ใคร {name}", "passage": "เขา"})
    assert len(load_corpus("dataset", {"path": str(tmp_path), "language": "th"})) == 2
