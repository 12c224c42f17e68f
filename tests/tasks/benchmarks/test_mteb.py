"""Data sets of the hub in the layouts of MTEB and BEIR, from a stand-in of the hub and from local copies."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tasks.benchmarks import mteb
from tasks.plugins import TaskError, load_benchmark
from tasks.schema import Setting
from tests.hub_server import HubServer, Repository

COMMIT = Repository({}).commit
Rows = Sequence[Mapping[str, Any]]
TEXTS = {
    "th": ("เมืองหลวงของไทยคือเมืองใด", "กรุงเทพมหานคร"),
    "zh": ("泰国的首都是哪里？", "曼谷"),
    "ar": ("ما عاصمة تايلاند؟", "بانكوك"),
}


def parts(language: str, key: str = "_id") -> dict[str, Rows]:
    query, passage = TEXTS[language]
    return {
        "corpus": [{key: "p1", "title": "", "text": passage}, {key: "p2", "title": "x", "text": query}],
        "queries": [{key: "q1", "text": query}],
        "qrels": [{"query-id": "q1", "corpus-id": "p1", "score": 1}],
    }


def parquet(rows: Rows) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), out)
    return out.getvalue()


def json_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def card(*configs: tuple[str, str, str], languages: Sequence[str] = ("tha", "zho")) -> bytes:
    """A card with a configuration per (name, split, pattern)."""
    listed = [{"config_name": name, "data_files": [{"split": split, "path": path}]} for name, split, path in configs]
    return f"---\n{yaml.safe_dump({'language': list(languages), 'configs': listed})}---\n# A data set\n".encode()


def per_language(languages: Sequence[str], split: str = "validation", key: str = "id") -> dict[str, bytes]:
    """Files such as those of mteb/XQuADRetrieval."""
    files, configs = {}, []
    for language in languages:
        for part, rows in parts({"tha": "th", "ara": "ar"}.get(last := language.split("-")[-1], last), key).items():
            files[f"{language}-{part}/{split}-00000-of-00001.parquet"] = parquet(rows)
            configs.append((f"{language}-{part}", split, f"{language}-{part}/{split}-*"))
    return files | {"README.md": card(*configs)}


def copy_of(files: Mapping[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_a_data_set_is_downloaded_for_the_chosen_languages_alone_and_then_used_offline(
    hub: HubServer, tmp_path: Path
) -> None:
    files = per_language(["ar", "th", "zh"])
    hub.repositories["datasets/mteb/XQuADRetrieval"] = Repository(files)
    options = {"repository": "mteb/XQuADRetrieval", "revision": COMMIT, "languages": ["th", "zh"]}
    benchmark = load_benchmark("mteb", options)
    assert {language: table.texts() for language, table in benchmark.queries.items()} == {
        "th": [TEXTS["th"][0]],
        "zh": [TEXTS["zh"][0]],
    }
    assert [pool.passages.ids() for pool in benchmark.pools] == [["th:p1", "th:p2"], ["zh:p1", "zh:p2"]]
    assert benchmark.qrels == {"th:q1": {"th:p1": 1}, "zh:q1": {"zh:p1": 1}}
    assert benchmark.settings == (Setting.MONOLINGUAL, Setting.MULTILINGUAL)
    assert benchmark.details == {"repository": "mteb/XQuADRetrieval", "commit": COMMIT, "split": "validation"}
    assert not [path for path, _ in hub.requests if "/ar-" in path]
    hub.stop()
    assert load_benchmark("mteb", options).revision == benchmark.revision
    part = {name: content for name, content in files.items() if not name.startswith("ar-")}
    local = mteb.load(path=copy_of(part, tmp_path / "copy"), languages=("th", "zh"))
    assert local.revision == benchmark.revision


@pytest.mark.parametrize("with_card", [True, False], ids=["card", "no card"])
@pytest.mark.parametrize("layout", ["parquet", "json lines"])
def test_a_data_set_without_languages_in_its_names_is_given_one(
    tmp_path: Path, hub: HubServer, layout: str, with_card: bool
) -> None:
    rows = parts("th")
    if layout == "parquet":  # as `push_to_hub` writes corpus, queries and the default configuration
        files = {
            "corpus/corpus-00000-of-00001.parquet": parquet(rows["corpus"]),
            "queries/queries-00000-of-00001.parquet": parquet(rows["queries"]),
            "data/test-00000-of-00001.parquet": parquet(rows["qrels"]),
            "data/train-00000-of-00001.parquet": parquet([{"query-id": "q1", "corpus-id": "p2", "score": 1}]),
        }
        declared = [("corpus", "corpus", "corpus/corpus-*"), ("queries", "queries", "queries/queries-*")]
        declared += [("default", "test", "data/test-*"), ("default", "train", "data/train-*")]
    else:  # as mteb/scifact
        files = {
            "corpus.jsonl": json_lines(rows["corpus"]),
            "queries.jsonl": json_lines(rows["queries"]),
            "qrels/test.jsonl": json_lines(rows["qrels"]),
        }
        declared = [("corpus", "corpus", "corpus.jsonl"), ("queries", "queries", "queries.jsonl")]
        declared += [("default", "test", "qrels/test.jsonl")]
    files |= {".gitattributes": b"*.parquet filter=lfs\n"} | ({"README.md": card(*declared)} if with_card else {})
    hub.repositories["datasets/demo/thai"] = Repository(files)
    for source in ({"repository": "demo/thai", "revision": COMMIT}, {"path": str(copy_of(files, tmp_path / "copy"))}):
        benchmark = load_benchmark("mteb", {**source, "language": "th"})
        assert benchmark.qrels == {"q1": {"p1": 1}}
        assert benchmark.pools[0].passages.texts() == [TEXTS["th"][1], f"x {TEXTS['th'][0]}"]
        assert benchmark.details["split"] == "test"
        with pytest.raises(TaskError, match=r"lies in no folder of a language: name its language"):
            load_benchmark("mteb", source)


def test_the_only_language_of_a_card_is_that_of_the_data(tmp_path: Path, cache: Path) -> None:
    files = {f"{part}.jsonl": json_lines(rows) for part, rows in parts("th").items()}
    declared = [(part, "test", f"{part}.jsonl") for part in parts("th")]
    folder = copy_of(files | {"README.md": card(*declared, languages=["tha"])}, tmp_path / "copy")
    assert mteb.load(path=folder).languages == ("th",)
    assert mteb.load(path=folder, language="lo").languages == ("lo",)


@pytest.mark.parametrize("language", ["multilingual", "mul", "code"])
def test_a_card_s_language_that_is_none_is_not_that_of_the_data(tmp_path: Path, cache: Path, language: str) -> None:
    files = {f"{part}.jsonl": json_lines(rows) for part, rows in parts("th").items()}
    declared = card(*((part, "test", f"{part}.jsonl") for part in parts("th")), languages=[language])
    folder = copy_of(files | {"README.md": declared}, tmp_path / "copy")
    with pytest.raises(TaskError, match=r"lies in no folder of a language: name its language"):
        mteb.load(path=folder)
    assert mteb.load(path=folder, language="th").languages == ("th",)


def test_the_files_of_one_split_are_enough(hub: HubServer) -> None:
    files = per_language(["th"], "test")
    files |= {name.replace("test-", "train-"): content for name, content in files.items() if name != "README.md"}
    declared = [(f"th-{part}", split, f"th-{part}/{split}-*") for part in parts("th") for split in ("test", "train")]
    hub.repositories["datasets/mteb/MultiLongDocRetrieval"] = Repository(files | {"README.md": card(*declared)})
    benchmark = mteb.load(repository="mteb/MultiLongDocRetrieval", revision=COMMIT)
    assert len(benchmark.pools[0].passages) == 2
    assert benchmark.splits == ("test", "train")
    assert not [path for path, _ in hub.requests if "train-" in path]
    with pytest.raises(
        TaskError, match=r"benchmark 'mteb', option 'split': there are no qrels for 'dev', but for test, t"
    ):
        mteb.load(repository="mteb/MultiLongDocRetrieval", revision=COMMIT, split="dev")


def test_pairs_of_languages_need_their_order(tmp_path: Path, cache: Path) -> None:
    folder = copy_of(per_language(["ara-ara", "tha-ara", "ara-tha", "tha-tha"], "test"), tmp_path / "MLQARetrieval")
    with pytest.raises(TaskError, match=r"looks like a pair of languages: say with the option `pairs` which"):
        mteb.load(path=folder, languages=("tha-ara",))
    benchmark = mteb.load(path=folder, pairs="queries-passages")
    assert benchmark.languages == ("ar", "th")
    assert [(pool.name, pool.language) for pool in benchmark.pools] == [
        ("ara-ara", "ar"),
        ("ara-tha", "th"),
        ("tha-ara", "ar"),
        ("tha-tha", "th"),
    ]
    assert benchmark.queries["th"].ids() == ["tha-ara:q1", "tha-tha:q1"]
    assert benchmark.settings == (Setting.MONOLINGUAL, Setting.CROSSLINGUAL)
    reversed_ = mteb.load(path=folder, pairs="passages-queries", languages=("tha-ara",))
    assert (reversed_.languages, reversed_.pools[0].language) == (("ar",), "th")
    assert mteb.load(path=folder, pairs="none", languages=("tha-ara",)).languages == ("tha-ara",)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "needs the option 'repository', such as mteb/XQuADRetrieval, or the 'path' of a local copy"),
        ({"repository": "mteb/x", "revision": "main"}, "option 'revision': 'main' is not a commit: write the 40"),
        ({"repository": "mteb/x"}, "option 'revision': None is not a commit"),
        ({"path": "/nowhere"}, "option 'path': there is no folder /nowhere"),
    ],
)
def test_what_is_not_pinned_or_not_there_is_refused(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(TaskError, match=sentence):
        load_benchmark("mteb", options)


def test_instructions_and_incomplete_copies_are_refused(tmp_path: Path, cache: Path) -> None:
    declared = card(("corpus-th", "corpus", "corpus-th/*"), ("instruction-th", "instruction", "instruction-th/*"))
    with pytest.raises(TaskError, match=r"has instructions for its queries \(configuration 'instruction-th'\)"):
        mteb.load(path=copy_of({"README.md": declared}, tmp_path / "mFollowIR"))
    files = per_language(["th"])
    del files["th-qrels/validation-00000-of-00001.parquet"]
    with pytest.raises(TaskError, match=r"has no file th-qrels/validation-\*, which its README.md names: bring it"):
        mteb.load(path=copy_of(files, tmp_path / "incomplete"))


def test_a_data_set_without_qrels_is_named(hub: HubServer) -> None:
    files = {name: content for name, content in per_language(["th"]).items() if "README" not in name}
    hub.repositories["datasets/BeIR/thai"] = Repository(
        {name: content for name, content in files.items() if "qrels" not in name} | {".gitattributes": b""}
    )
    with pytest.raises(TaskError, match=r"'mteb': there is no qrels in the data set BeIR/thai, such as qrels.jsonl"):
        mteb.load(repository="BeIR/thai", revision=COMMIT)


def test_titles_and_texts_in_one_struct_are_refused(tmp_path: Path, cache: Path) -> None:
    files = per_language(["th"])
    row = {"_id": "p1", "text": {"text": "ไทย", "title": "กรุงเทพ"}}
    files["th-corpus/validation-00000-of-00001.parquet"] = parquet([row])
    with pytest.raises(TaskError, match=r"column text has the type struct<.*: a column of texts is needed"):
        mteb.load(path=copy_of(files, tmp_path / "copy"))
