"""Local datasets in every form that `datasets` writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.plugins import TaskError, load_corpus
from tasks.schema import Corpus, Pair
from tests.tasks.corpus_contract import check_contract

ROWS = {
    "q_th": [" ใคร ", "ที่ไหน", None],
    "p_th": ["เขา", "ที่นี่", "ว่าง"],
    "n_th": [["เธอ", "มัน"], [], None],
    "q_zh": ["谁", "", "哪里"],
    "p_zh": ["他", "这里", "那里\n"],
    "other": [1, 2, 3],
}
COLUMNS = {
    "th": {"query": "q_th", "passage": "p_th", "negatives": ["n_th"]},
    "zh": {"query": "q_zh", "passage": "p_zh"},
}
FLAT = {key: values for key, values in ROWS.items() if key != "n_th"}


def everything(corpus: Corpus) -> list[dict[str, Pair]]:
    check_contract(corpus)
    return [
        {language: corpus.pairs(np.array([row]), [language], [language])[0] for language in corpus.row_languages(row)}
        for row in range(len(corpus))
    ]


def saved(form: str, folder: Path) -> Path:
    table = datasets.Dataset.from_dict(ROWS)
    file = folder / f"pairs.{form}"
    match form:
        case "parquet":
            table.to_parquet(file)
        case "csv":
            datasets.Dataset.from_dict(FLAT).to_csv(file)
        case "jsonl":
            table.to_json(file, force_ascii=False)
        case "folder of files":
            (folder / "held").mkdir()
            table.to_parquet(folder / "held" / "train-00000.parquet")
            return folder / "held"
        case "saved":
            table.save_to_disk(folder / "held")
            return folder / "held"
        case "saved splits":
            datasets.DatasetDict({"train": table}).save_to_disk(folder / "held")
            return folder / "held"
    return file


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl", "folder of files", "saved", "saved splits"])
def test_rows_of_any_form_are_parallel_pairs_without_empty_ones(tmp_path: Path, form: str) -> None:
    columns: Any = {"th": {"query": "q_th", "passage": "p_th"}, "zh": COLUMNS["zh"]} if form == "csv" else COLUMNS
    found = everything(load_corpus("dataset", {"path": str(saved(form, tmp_path)), "columns": columns}))
    negatives = () if form == "csv" else ("เธอ", "มัน")
    assert found == [
        {"th": Pair("ใคร", "เขา", negatives), "zh": Pair("谁", "他")},
        {"th": Pair("ที่ไหน", "ที่นี่")},
        {"zh": Pair("哪里", "那里")},
    ]


def test_a_column_of_negatives_may_hold_single_texts(tmp_path: Path) -> None:
    file = tmp_path / "triplets.jsonl"
    file.write_text(json.dumps({"a": "ما", "b": "هو", "c": "هي"}, ensure_ascii=False) + "\n", encoding="utf-8")
    columns = {"ar": {"query": "a", "passage": "b", "negatives": ["c"]}}
    assert everything(load_corpus("dataset", {"path": str(file), "columns": columns})) == [
        {"ar": Pair("ما", "هو", ("هي",))}
    ]


def test_another_split_and_other_columns_are_other_corpora(tmp_path: Path) -> None:
    path = saved("parquet", tmp_path)
    whole = load_corpus("dataset", {"path": str(path), "columns": COLUMNS})
    part = load_corpus("dataset", {"path": str(path), "columns": {"zh": COLUMNS["zh"]}})
    assert (len(whole), len(part)) == (3, 2)
    assert part.languages == ("zh",)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "needs either 'path', or 'id' with the 'revision'"),
        ({"id": "owner/name"}, "needs either 'path', or 'id' with the 'revision'"),
        ({"path": "PATH", "columns": {"th": {"query": "q_ht", "passage": "p_th"}}}, "no column 'q_ht': did you mean"),
        ({"path": "PATH", "columns": {"th": {"query": "q_th"}}}, "option 'columns'"),
        ({"path": "PATH", "columns": {}}, "option 'columns'"),
        ({"path": "PATH", "columns": {"Thai": COLUMNS["th"]}}, "option 'columns'"),
        ({"path": "nowhere"}, r"option 'path': there is no file or folder nowhere"),
        ({"path": "PATH.txt"}, r"pairs\.parquet\.txt is of an unknown kind"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    path = saved("parquet", tmp_path)
    (tmp_path / "pairs.parquet.txt").touch()
    given = {
        key: str(path) + value[4:] if key == "path" and "PATH" in value else value for key, value in options.items()
    }
    with pytest.raises(TaskError, match=sentence) as caught:
        load_corpus("dataset", {"columns": COLUMNS} | given)
    assert "\n" not in str(caught.value)


def test_a_dataset_with_a_loading_script_is_refused_and_its_code_never_runs(tmp_path: Path) -> None:
    folder = tmp_path / "scripted"
    folder.mkdir()
    (folder / "scripted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n", encoding="utf-8")
    with pytest.raises(TaskError, match="cannot be opened: no data file in it belongs to split 'train'"):
        load_corpus("dataset", {"path": str(folder), "columns": {"th": COLUMNS["th"]}})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("form", ["saved", "saved splits", "of the hub"])
def test_datasets_that_fit_into_memory_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(datasets.config, "IN_MEMORY_MAX_SIZE", 10**9)
    monkeypatch.chdir(tmp_path)
    corpora = []
    for name, query in (("owner/one", "ใคร"), ("owner/two", "谁")):
        table = datasets.Dataset.from_dict({"query": [query], "passage": ["เขา"]})
        options = {"path": name}
        if form == "of the hub":  # `datasets` takes a folder of this name for the dataset
            table.to_csv(tmp_path / name / "train.csv")
            options = {"id": name, "revision": "0" * 40}
        elif form == "saved":
            table.save_to_disk(name)
        else:
            datasets.DatasetDict({"train": table}).save_to_disk(name)
        corpora.append(load_corpus("dataset", {"language": "th", **options}))
    assert [everything(corpus) for corpus in corpora] == [[{"th": Pair("ใคร", "เขา")}], [{"th": Pair("谁", "เขา")}]]
    assert corpora[0].revision != corpora[1].revision


CSV = """query,passage
NA,null
007,None
"ถาม, สอง","ตอบ ""สอง"" สาม"
1e5,nan
"""


def pairs_of(path: Path, **options: Any) -> list[Pair]:
    corpus = load_corpus("dataset", {"path": str(path), **options})
    (language,) = corpus.languages
    return corpus.pairs(np.arange(len(corpus)), [language] * len(corpus), [language] * len(corpus))


@pytest.mark.parametrize("inside", [False, True], ids=["a file", "a folder"])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_texts_of_csv_and_tsv_stay_as_they_are_written(tmp_path: Path, inside: bool, separator: str) -> None:
    file = tmp_path / "held" / ("train.csv" if separator == "," else "train.tsv")
    file.parent.mkdir()
    file.write_text(CSV.replace(",", separator).replace(f"ถาม{separator}", "ถาม,"), encoding="utf-8")
    assert pairs_of(file.parent if inside else file, language="th") == [
        Pair("NA", "null"),
        Pair("007", "None"),
        Pair("ถาม, สอง", 'ตอบ "สอง" สาม'),
        Pair("1e5", "nan"),
    ]


def test_a_field_of_csv_may_go_on_over_several_lines(tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_text('query,passage\n"ถาม, สอง","ตอบ ""สอง""\n\nบรรทัดใหม่"\nหนึ่ง,สาม\n', encoding="utf-8")
    assert pairs_of(file, language="th") == [
        Pair("ถาม, สอง", 'ตอบ "สอง"\n\nบรรทัดใหม่'),
        Pair("หนึ่ง", "สาม"),
    ]


def test_csv_of_the_hub_is_not_guessed_at_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # `datasets` takes a folder of this name for the dataset: this is how it reads CSV files of the hub.
    (tmp_path / "owner" / "name").mkdir(parents=True)
    (tmp_path / "owner" / "name" / "train.csv").write_text("query,passage\nNA,null\n007,None\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    corpus = load_corpus("dataset", {"id": "owner/name", "revision": "0" * 40, "language": "th"})
    assert corpus.pairs(np.arange(2), ["th"] * 2, ["th"] * 2) == [Pair("NA", "null"), Pair("007", "None")]


FLAG_EMBEDDING = {"query": "ใคร", "pos": ["เขา", " เธอ "], "neg": ["มัน", "เขา", "นั่น"], "prompt": "ถาม"}
TEVATRON = {
    "query_id": "7",
    "query": "ใคร",
    "positive_passages": [{"docid": "1", "title": "คน", "text": "เขา"}],
    "negative_passages": [{"docid": "2", "title": "", "text": "มัน"}, {"docid": "3", "text": "นั่น"}],
}
TRIPLET = {"anchor": "ใคร", "positive": "เขา", "negative_1": "มัน", "negative_2": "นั่น"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (FLAG_EMBEDDING, [Pair("ใคร", "เขา", ("มัน", "นั่น")), Pair("ใคร", "เธอ", ("มัน", "นั่น"))]),
        (TEVATRON, [Pair("ใคร", "คน เขา", ("มัน", "นั่น"))]),
        (TRIPLET, [Pair("ใคร", "เขา", ("มัน", "นั่น"))]),
        ({"question": "ใคร", "answer": "เขา"}, [Pair("ใคร", "เขา")]),
    ],
    ids=["FlagEmbedding", "Tevatron", "sentence-transformers", "plain"],
)
@pytest.mark.parametrize("form", ["jsonl", "parquet", "saved"])
def test_published_layouts_are_read_as_they_are(
    tmp_path: Path, record: dict[str, Any], expected: list[Pair], form: str
) -> None:
    path = tmp_path / f"train.{form}"
    table = datasets.Dataset.from_list([record])
    if form == "jsonl":
        path.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    elif form == "parquet":
        table.to_parquet(path)
    else:
        table.save_to_disk(path)
    assert pairs_of(path, language="th") == expected


def test_a_column_that_the_first_rows_lack_is_read(tmp_path: Path) -> None:
    file = tmp_path / "later.jsonl"
    rows = [{"query": f"ถาม {n}", "positive": f"ตอบ {n}"} | ({"negative": "ผิด"} if n > 2 else {}) for n in range(6)]
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    assert [pair.negatives for pair in pairs_of(file, language="th")] == [()] * 3 + [("ผิด",)] * 3


def test_lists_are_parallel_where_every_language_has_as_many(tmp_path: Path) -> None:
    row = {"q": "ใคร", "p": ["เขา", "เธอ"], "q_zh": "谁", "p_zh": ["他", "她"]}
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps(row), encoding="utf-8")
    columns = {"th": {"query": "q", "passage": "p"}, "zh-CN": {"query": "q_zh", "passage": "p_zh"}}
    assert everything(load_corpus("dataset", {"path": str(file), "columns": columns})) == [
        {"th": Pair("ใคร", "เขา"), "zh": Pair("谁", "他")},
        {"th": Pair("ใคร", "เธอ"), "zh": Pair("谁", "她")},
    ]


REFUSED_VALUES = [
    ({"query": "ใคร", "pos": [{"txt": "เขา"}]}, r"line 1: the column 'pos' holds .* \(dict\), neither a text"),
    ({"query": "ใคร", "pos": ["เขา"], "neg": [7]}, r"line 1: the column 'neg' holds '7' \(int\), neither a text"),
    ({"query": ["ใคร", "อะไร"], "pos": ["เขา"]}, "the column 'query' holds 2 texts; a query is one"),
    ({"query": 7, "pos": ["เขา"]}, r"the column 'query' holds '7' \(int\)"),
    (
        {"ask": "ใคร", "tell": "เขา"},
        "has the columns ask, tell, which are of no known layout: name them with `columns`",
    ),
]


@pytest.mark.parametrize(("record", "sentence"), REFUSED_VALUES)
def test_a_value_that_is_not_text_is_refused_with_its_place(
    tmp_path: Path, record: dict[str, Any], sentence: str
) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(TaskError, match=sentence):
        load_corpus("dataset", {"path": str(file), "language": "th"})


def test_languages_with_different_numbers_of_passages_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps({"a": "ใคร", "b": ["เขา", "เธอ"], "c": "谁", "d": "他"}), encoding="utf-8")
    columns = {"th": {"query": "a", "passage": "b"}, "zh": {"query": "c", "passage": "d"}}
    with pytest.raises(TaskError, match="line 1 has passages 2 in 'th', 1 in 'zh': give every language as many"):
        load_corpus("dataset", {"path": str(file), "columns": columns})


def test_a_folder_gives_the_files_of_one_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}-00000.jsonl").write_text(json.dumps({"query": split, "passage": "ตอบ"}), encoding="utf-8")
    assert pairs_of(tmp_path, language="th") == [Pair("train", "ตอบ")]
    assert pairs_of(tmp_path, language="th", split="test") == [Pair("test", "ตอบ")]
    with pytest.raises(TaskError, match="no data file in it belongs to split 'dev'"):
        pairs_of(tmp_path, language="th", split="dev")


def test_a_latin_1_file_is_named_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_bytes("query,passage\nwo,hier für\n".encode("latin-1"))
    with pytest.raises(TaskError, match=r"train\.csv, line 2 is not UTF-8"):
        pairs_of(file, language="de")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_columns_whose_names_differ_in_case_alone_are_two_columns(tmp_path: Path, form: str) -> None:
    rows = [{"q": "7", "Q": "ถาม", "p": "ตอบ"}]
    file = tmp_path / f"train.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        file.write_text(json.dumps(rows[0]) + "\n" if form == "jsonl" else "q,Q,p\n7,ถาม,ตอบ\n", "utf-8")
    for named, query in (("Q", "ถาม"), ("q", "7")):
        columns = {"th": {"query": named, "passage": "P"}}
        assert everything(load_corpus("dataset", {"path": str(file), "columns": columns})) == [
            {"th": Pair(query, "ตอบ")}
        ]


@pytest.mark.parametrize("cell", ['["ตอบ", "คำ"]', "['ตอบ', 'คำ']", '[{"text": "ตอบ"}]', "['ตอบ' 'คำ']"])
def test_a_list_that_was_written_as_a_text_is_refused(tmp_path: Path, cell: str) -> None:
    file = tmp_path / "train.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([["query", "pos"], ["ถาม", cell]])
    with pytest.raises(TaskError, match=r"line 2: the column 'pos' holds a list that was written as a text \(\["):
        pairs_of(file, language="th")


@pytest.mark.parametrize("text", ['["a", "b"]', "[{{}}]", "[{[1]}]"])
def test_a_text_in_json_lines_is_never_taken_for_a_list(tmp_path: Path, text: str) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps({"query": "ถาม", "passage": text}) + "\n", "utf-8")
    assert pairs_of(file, language="th") == [Pair("ถาม", text)]


def test_a_row_that_lacks_a_column_does_not_take_one_whose_name_differs_in_case(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    rows = [{"Q": "ถาม", "P": "ตอบ", "q": "问", "p": "答"}, {"q": "谁", "p": "他"}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    columns = {"th": {"query": "Q", "passage": "P"}, "zh": {"query": "q", "passage": "p"}}
    assert everything(load_corpus("dataset", {"path": str(file), "columns": columns})) == [
        {"th": Pair("ถาม", "ตอบ"), "zh": Pair("问", "答")},
        {"zh": Pair("谁", "他")},
    ]


def test_a_text_in_brackets_is_a_text(tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_text("query,passage\nถาม,[1] ตอบ [2]\nถาม,[ดู]\n", "utf-8")
    assert [pair.passage for pair in pairs_of(file, language="th")] == ["[1] ตอบ [2]", "[ดู]"]


def test_a_list_of_negatives_is_read_in_the_layout_of_sentence_transformers(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps({"anchor": "ถาม", "positive": "ตอบ", "negatives": ["ผิด", "ไม่"]}) + "\n", "utf-8")
    assert pairs_of(file, language="th") == [Pair("ถาม", "ตอบ", ("ผิด", "ไม่"))]
