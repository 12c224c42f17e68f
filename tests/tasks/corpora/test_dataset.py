"""Local datasets in every form that `datasets` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from tasks.corpora import dataset
from tasks.plugins import TaskError, load_corpus
from tasks.schema import Corpus, Pair
from tests.tasks.corpus_contract import check_contract

pytestmark = pytest.mark.usefixtures("cache")
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
        ({"path": "nowhere"}, r"nowhere cannot be opened: "),
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
    with pytest.raises(TaskError, match="cannot be opened"):
        dataset.load(path=folder, columns={"th": COLUMNS["th"]})  # type: ignore[dict-item]  # as YAML gives it
    assert not (tmp_path / "ran").exists()
