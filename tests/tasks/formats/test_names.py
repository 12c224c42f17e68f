"""Names of folders and files of evaluation data: languages, pairs of languages, splits, or none of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.benchmarks import local
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Setting

TEXTS = {
    "th": ("เมืองหลวงของไทยคือเมืองใด", "กรุงเทพมหานคร"),
    "zh": ("泰国的首都是哪里？", "曼谷"),
    "ar": ("ما عاصمة تايلاند؟", "بانكوك"),
}
HEADER = "query-id\tcorpus-id\tscore\n"


def rows(language: str = "th", **more: Any) -> dict[str, list[dict[str, Any]]]:
    query, passage = TEXTS[language]
    return {"corpus": [{"_id": "p1", "text": passage, **more}], "queries": [{"_id": "q1", "text": query, **more}]}


def write(file: Path, content: str | Sequence[Mapping[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, str):
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
    file.write_text(content, encoding="utf-8")


def own(folder: Path, language: str = "th", qrels: str | None = "qrels.tsv", **more: Any) -> Path:
    """Write one question and the passage that answers it."""
    for part, content in rows(language, **more).items():
        write(folder / f"{part}.jsonl", content)
    if qrels:
        write(folder / qrels, HEADER + "q1\tp1\t1\n")
    return folder


def languages_of(benchmark: Benchmark) -> tuple[list[str], list[str]]:
    return sorted(benchmark.queries), sorted(pool.language for pool in benchmark.pools)


# Languages.


@pytest.mark.parametrize("nested", [False, True], ids=["files", "folders"])
def test_folders_of_splits_are_not_measured_as_languages(tmp_path: Path, nested: bool) -> None:
    for split, language in (("train", "zh"), ("dev", "ar"), ("test", "th")):
        folder = own(tmp_path / "data" / split, language)
        if nested:
            for file in list(folder.iterdir()):
                (folder / file.stem).mkdir()
                file.rename(folder / file.stem / f"part-0{file.suffix}")
    sentence = r"'local': 'dev' in .*/data/dev/\S+ is the name of a split, .*: let `path` be the folder of the split to"
    with pytest.raises(TaskError, match=sentence):
        local.load(path=tmp_path / "data")
    assert languages_of(local.load(path=tmp_path / "data" / "test", language="th")) == (["th"], ["th"])


def test_languages_that_are_written_out_have_their_codes(tmp_path: Path) -> None:
    for name, language in (("thai", "th"), ("中文", "zh"), ("Arabic", "ar")):
        own(tmp_path / name, language)
    benchmark = local.load(path=tmp_path)
    assert languages_of(benchmark) == (["ar", "th", "zh"], ["ar", "th", "zh"])
    assert benchmark.qrels["中文:q1"] == {"中文:p1": 1}
    assert local.load(path=tmp_path, languages=("tha",)).languages == ("th",)
    own(tmp_path / "zh", "zh")
    with pytest.raises(TaskError, match="the names zh and 中文 are of one language: rename or remove one of the two"):
        local.load(path=tmp_path)


@pytest.mark.parametrize("name", ["biology", "multilingual", "mul", "jp"])
def test_a_folder_that_is_no_language_is_refused_unless_others_are_chosen(tmp_path: Path, name: str) -> None:
    own(tmp_path / "th")
    own(tmp_path / name, "zh")
    sentence = rf"benchmark 'local': '{name}' is not a language code .*, and .*/{name}/.* is read as in that language: "
    with pytest.raises(TaskError, match=sentence):
        local.load(path=tmp_path)
    assert local.load(path=tmp_path, languages=("th",)).languages == ("th",)


@pytest.mark.parametrize("spelling", ["th", "tha", "TH", "Thai", "ไทย"])
def test_the_language_of_all_queries_is_that_of_their_folder_in_any_spelling(tmp_path: Path, spelling: str) -> None:
    benchmark = local.load(path=own(tmp_path / "th").parent, query_language=spelling)
    assert benchmark.languages == ("th",)
    assert benchmark.settings == (Setting.MONOLINGUAL,)


def test_a_language_in_an_option_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="option 'query_language': 'klingon' is not a language code such as th"):
        local.load(path=own(tmp_path / "th").parent, query_language="klingon")
    with pytest.raises(TaskError, match="option 'language': 'klingon' is not a language code such as th"):
        local.load(path=tmp_path / "th", language="klingon")


@pytest.mark.parametrize("language", [None, "th", "en"])
def test_files_that_are_named_by_their_languages_are_refused_with_the_place_to_move_them_to(
    tmp_path: Path, language: str | None
) -> None:
    names = {"th": "th.jsonl", "zh": "Chinese.jsonl"}
    for code, name in names.items():
        query, passage = TEXTS[code]
        write(tmp_path / "corpus" / name, [{"_id": f"p-{code}", "text": passage}])
        write(tmp_path / "queries" / name, [{"_id": f"q-{code}", "text": query}])
    write(tmp_path / "qrels.tsv", HEADER + "q-th\tp-th\t1\nq-zh\tp-zh\t1\n")
    sentence = rf"corpus/Chinese.jsonl is named by its language, .*: move it to {tmp_path}/Chinese/corpus.jsonl, and"
    with pytest.raises(TaskError, match=sentence):
        local.load(path=tmp_path, language=language)
    for part in ("corpus", "queries"):
        for name in names.values():
            folder, dot, suffixes = name.partition(".")
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / part / name).rename(tmp_path / folder / f"{part}{dot}{suffixes}")
    assert languages_of(local.load(path=tmp_path)) == (["th", "zh"], ["th", "zh"])


@pytest.mark.parametrize("names", [["th"], ["aa", "ab", "ac"], ["xaa", "xab"], ["zh", "zh-CN"], ["old", "new"]])
def test_parts_of_a_corpus_are_not_taken_for_languages(tmp_path: Path, names: list[str]) -> None:
    own(tmp_path)
    (tmp_path / "corpus.jsonl").unlink()
    for number, name in enumerate(names, 1):
        write(tmp_path / "corpus" / f"{name}.jsonl", [{"_id": f"p{number}", "text": f"ข้อความ {number}"}])
    (pool,) = local.load(path=tmp_path, language="th").pools
    assert len(pool.passages) == len(names)


# Pairs of languages.


@pytest.mark.parametrize("names", [["ara-tha", "zho-tha"], ["de-it"], ["en-de"], ["arabic-thai"], ["tha-tha"]])
def test_a_pair_of_languages_needs_its_order(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        own(tmp_path / name)
    with pytest.raises(TaskError, match=f"'{names[0]}' looks like a pair of languages: say with the option `pairs`"):
        local.load(path=tmp_path)


def test_the_order_of_a_pair_says_what_its_queries_are_in(tmp_path: Path) -> None:
    own(tmp_path / "ara-tha")
    own(tmp_path / "zho-tha")
    assert languages_of(local.load(path=tmp_path, pairs="queries-passages")) == (["ar", "zh"], ["th", "th"])
    assert languages_of(local.load(path=tmp_path, pairs="passages-queries")) == (["th"], ["ar", "zh"])


def test_a_language_of_a_country_is_one_language(tmp_path: Path) -> None:
    for name in ("pt-br", "zh-TW", "ar-AE", "sr-Latn", "th-TH", "ta-IN"):
        own(tmp_path / name)
    assert languages_of(local.load(path=tmp_path))[0] == ["ar", "pt", "sr_Latn", "ta", "th", "zh_Hant"]


def test_names_that_are_written_out_are_part_of_the_revision_and_codes_are_not(tmp_path: Path) -> None:
    """Results of earlier versions have `中文` for a language, and the same data."""
    revisions = [local.load(path=own(tmp_path / name / name, "zh").parent).revision for name in ("zh", "中文", "zho")]
    assert revisions[0] == revisions[2] != revisions[1]


# Splits.


def with_qrels(folder: Path, names: Sequence[str]) -> Path:
    own(folder, qrels=None)
    write(folder / "corpus.jsonl", [*rows()["corpus"], {"_id": "p2", "text": "เชียงใหม่"}])
    for number, name in enumerate(names):
        write(folder / "qrels" / name, HEADER + f"q1\tp{2 - number}\t1\n")
    return folder


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["train.tsv", "eval.tsv"], "choose one of those that there are qrels for: eval, train"),
        (["training.tsv", "testing.tsv"], "choose one of those that there are qrels for: testing, training"),
        (["train.tsv", "dl19.tsv"], r"there are qrels for train, and \S+dl19.tsv, whose name is of no known split: w"),
        (["dev.tsv", "ทดสอบ.tsv"], r"there are qrels for dev, and \S+ทดสอบ.tsv, whose name is of no known split: w"),
        (["train.tsv"], "there are qrels for train alone: write split=train if they are meant, or name others by"),
        (["dl19.txt", "dl20.txt"], r"\S+qrels has the qrels dl19 and dl20, which would be merged, as their names"),
        (["dl-2019.tsv", "dl-2020.tsv"], r"\S+qrels has the qrels dl-2019 and dl-2020, which would be merged"),
        (["th.tsv", "zh.tsv"], r"\S+qrels has the qrels th and zh, which would be merged"),  # of one Thai corpus
    ],
)
def test_qrels_whose_split_is_unclear_are_refused(tmp_path: Path, names: list[str], sentence: str) -> None:
    with pytest.raises(TaskError, match=f"benchmark 'local', option 'split': {sentence}"):
        local.load(path=with_qrels(tmp_path, names), language="th")


@pytest.mark.parametrize(
    ("names", "split", "passages"),
    [
        (["Train.tsv", "Test.tsv"], None, {"p1"}),
        (["TRAIN.TSV", "TEST.TSV"], "train", {"p2"}),
        (["training.tsv", "testing.tsv"], "testing", {"p1"}),
        (["train.tsv", "dl19.tsv"], "train", {"p2"}),
        (["dl19.tsv"], None, {"p2"}),
        (["dl19.tsv", "test.tsv"], None, {"p1"}),
        (["part-0.tsv", "part-1.tsv"], None, {"p1", "p2"}),
        (["0001.tsv", "0002.tsv"], None, {"p1", "p2"}),
    ],
)
def test_qrels_whose_split_is_clear_are_those_of_one_split(
    tmp_path: Path, names: list[str], split: str | None, passages: set[str]
) -> None:
    benchmark = local.load(path=with_qrels(tmp_path, names), language="th", split=split)
    assert benchmark.qrels["q1"].keys() == passages


@pytest.mark.parametrize("part", ["corpus", "queries"])
def test_a_language_whose_files_name_no_split_is_read_beside_one_whose_files_do(tmp_path: Path, part: str) -> None:
    for language in ("th", "zh"):
        query, passage = TEXTS[language]
        write(tmp_path / language / "corpus.jsonl", [{"_id": f"p-{language}", "text": passage}])
        write(tmp_path / language / "queries.jsonl", [{"_id": "q1", "text": query}])
    (tmp_path / "th" / part).mkdir()
    (tmp_path / "th" / f"{part}.jsonl").rename(tmp_path / "th" / part / "test.jsonl")
    write(tmp_path / "th" / part / "train.jsonl", [{"_id": "q0", "text": "ข้อความของการฝึก"}])
    write(tmp_path / "qrels" / "test.tsv", HEADER + "q1\tp-th\t1\nq1\tp-zh\t1\n")
    benchmark = local.load(path=tmp_path)
    assert languages_of(benchmark) == (["th", "zh"], ["th", "zh"])
    assert benchmark.questions == sum(map(len, benchmark.queries.values())) == 2
    assert [len(pool.passages) for pool in benchmark.pools] == [1, 1]


def test_a_language_that_has_a_part_for_other_splits_alone_is_not_read(tmp_path: Path) -> None:
    for language, split in (("th", "test"), ("zh", "dev")):
        own(tmp_path / language, language, f"qrels/{split}.tsv")
        (tmp_path / language / "queries.jsonl").rename(tmp_path / language / f"queries.{split}.jsonl")
    assert local.load(path=tmp_path).languages == ("th",)
    assert local.load(path=tmp_path, split="dev").languages == ("zh",)


def test_qrels_of_several_languages_in_one_folder_are_read_together(tmp_path: Path) -> None:
    for language in ("th", "zh"):
        query, passage = TEXTS[language]
        write(tmp_path / language / "corpus.jsonl", [{"_id": f"p-{language}", "text": passage}])
        write(tmp_path / language / "queries.jsonl", [{"_id": f"q-{language}", "text": query}])
        write(tmp_path / "qrels" / f"{language}.tsv", HEADER + f"q-{language}\tp-{language}\t1\n")
    assert local.load(path=tmp_path).qrels == {"q-th": {"p-th": 1}, "q-zh": {"p-zh": 1}}


def test_suffixes_may_be_in_upper_case(tmp_path: Path) -> None:
    query, passage = TEXTS["th"]
    write(tmp_path / "th" / "corpus.TSV", f"_id\ttext\np1\t{passage}\n")
    write(tmp_path / "th" / "queries.JSONL", rows()["queries"])
    write(tmp_path / "th" / "qrels.CSV", "query-id,corpus-id,score\nq1,p1,1\n")
    benchmark = local.load(path=tmp_path)
    assert (benchmark.queries["th"].texts(), benchmark.pools[0].passages.texts()) == ([query], [passage])
    assert benchmark.qrels == {"th:q1": {"th:p1": 1}}


# What rows say of themselves.


@pytest.mark.parametrize("column", ["lang", "Language", "locale"])
def test_rows_in_another_language_than_they_are_read_as_are_refused(tmp_path: Path, column: str) -> None:
    folder = own(tmp_path / "own", **{column: "zh-CN"})
    with pytest.raises(TaskError, match=r"jsonl, line 1 says that it is in 'zh-CN' and is read as in 'th': keep only"):
        local.load(path=folder, language="th")
    own(folder, **{column: "tha"})
    assert local.load(path=folder, language="th").languages == ("th",)
    own(folder, **{column: "ไม่ทราบ"})  # says nothing
    assert local.load(path=folder, language="th").languages == ("th",)


@pytest.mark.parametrize(
    ("folder", "said"),
    [("zh-TW", "zh"), ("zh-hant", "zh_TW"), ("sr-latn", "sr"), ("no", "nb"), ("nob", "no"), ("th", "sql")],
)
def test_rows_that_say_less_of_their_language_than_their_folder_are_read(
    tmp_path: Path, folder: str, said: str
) -> None:
    own(tmp_path / folder, lang=said)
    assert len(local.load(path=tmp_path).languages) == 1


@pytest.mark.parametrize("part", ["corpus", "queries"])
def test_rows_of_a_parquet_file_in_another_language_are_refused(tmp_path: Path, part: str) -> None:
    folder = own(tmp_path / "th")
    (folder / f"{part}.jsonl").unlink()
    (row,) = rows()[part]
    both = [row | {"language": "th"}, {"_id": "2", "text": "曼谷", "language": "zh"}]
    pq.write_table(pa.Table.from_pylist(both), folder / f"{part}.parquet")
    with pytest.raises(TaskError, match=rf"{part}\.parquet.* says that it is in 'zh' and is read as in 'th'"):
        local.load(path=tmp_path)
