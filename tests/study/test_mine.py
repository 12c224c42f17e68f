"""`study.mine`: a model and a corpus in, a corpus with hard negatives out."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from study import distributed, torchrun
from study.cli import program
from study.config import TrialConfig
from study.config_sections import CorpusConfig
from study.corpora import check_negatives, training_corpora
from study.mine import _mine, main
from study.retrieval.mining import Rule
from tasks.plugins import TaskError, load_benchmark, load_corpus
from tests.process_group import RunInGroup

APP = program(main)
MODEL = "builtin/xlmr-tiny"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def corpus(folder: Path) -> str:
    file = folder / "train.jsonl"
    lines = [
        {
            la: {"query": f"{word} {row}?", "passage": f"{word} {row * 7}."}
            for la, word in (("th", "ภูเขา"), ("zh", "山"))
        }
        for row in range(20)
    ]
    file.write_text("".join(json.dumps({"pairs": pairs}) + "\n" for pairs in lines), encoding="utf-8")
    return str(file)


def mine(*arguments: str) -> Result:
    return CliRunner().invoke(APP, list(arguments))


def test_every_row_comes_out_in_every_language_with_its_negatives(corpus: str, folder: Path) -> None:
    outcome = mine(MODEL, corpus, "--negatives", "3")
    assert outcome.exit_code == 0, outcome.output
    assert "20 rows with 120 negatives" in outcome.output
    lines = (folder / "train-negatives.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line)["pairs"] for line in lines]
    assert len(rows) == 20
    for pairs in rows:
        assert pairs.keys() == {"th", "zh"}
        for language, version in pairs.items():
            assert len(set(version["negatives"]) - {version["passage"]}) == 3
            assert all(text.startswith("ภูเขา" if language == "th" else "山") for text in version["negatives"])
    assert sorted(path.name for path in folder.iterdir()) == [
        "train-negatives.jsonl",
        "train-negatives.jsonl.json",
        "train.jsonl",
    ]


def test_ids_are_kept_and_rows_that_are_left_out_are_named(folder: Path) -> None:
    rows = [
        {"id": f"q{row}", "pairs": {"th": {"query": f"ภูเขา {row % 8}?", "passage": f"ภูเขา {row % 8 * 7}."}}}
        for row in range(10)
    ]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    outcome = mine(MODEL, "train.jsonl", "--negatives", "2")
    assert outcome.exit_code == 0, outcome.output
    assert "2 rows are copies of earlier ones and left out: q8, q9" in outcome.output
    lines = (folder / "train-negatives.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"q{row}" for row in range(8)]


def test_what_a_file_was_made_with_stands_beside_it(corpus: str, folder: Path) -> None:
    outcome = mine(
        MODEL, f"{{name: parallel_jsonl, path: {corpus}, held_out: 2}}", "--share", "0.9", "--output", "a.jsonl"
    )
    assert outcome.exit_code == 0, outcome.output
    assert "written: " in outcome.output
    record = json.loads((folder / "a.jsonl.json").read_text("utf-8"))
    assert record["backbone"]["name"] == MODEL
    assert (record["backbone"]["max_passage_tokens"], record["backbone"]["precision"]) == (256, "fp32")
    assert len(record["corpus"].pop("revision")) == 12
    of_corpus = {"name": "parallel_jsonl", "options": {"path": corpus}, "weight": None, "held_out": 2, "rows": 18}
    assert record["corpus"] == of_corpus
    assert record["rule"] == {"negatives": 4, "depth": 100, "share": 0.9, "multilingual": False}
    assert record["summary"]["negatives"] == 18 * 2 * 4
    assert record["versions"].keys() >= {"project", "torch"}


def test_negatives_that_the_corpus_has_are_replaced_and_counted(folder: Path) -> None:
    version = {"query": "ถาม", "passage": "ตอบ", "negatives": ["เก่า 1", "เก่า 2"]}
    rows = [{"th": version | {"query": f"ถาม {row}", "passage": f"ตอบ {row}"}} for row in range(6)]
    (folder / "train.jsonl").write_text("\n".join(json.dumps({"pairs": row}) for row in rows), encoding="utf-8")
    outcome = mine(MODEL, "train.jsonl", "--negatives", "2")
    assert "they replace 12 negatives that the corpus has, which are not in the file" in outcome.output
    assert "เก่า" not in (folder / "train-negatives.jsonl").read_text("utf-8")


def mine_own_file(folder: Path) -> None:
    """Mine another file on each rank, as where a copy on some node is an old one."""
    corpus = load_corpus("parallel_jsonl", {"path": folder / f"{distributed.rank()}.jsonl"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torchrun, "process_group", lambda: nullcontext(torch.device("cpu")))
        source = CorpusConfig(name="parallel_jsonl")
        _mine(TrialConfig(backbone=MODEL), source, corpus, Rule(negatives=1), folder / "mined.jsonl")


def test_ranks_that_read_other_corpora_are_refused_before_anything_is_encoded(
    run_in_group: RunInGroup, folder: Path
) -> None:
    for number in range(2):
        rows = [{"th": {"query": f"ถาม {row} {number}", "passage": f"ตอบ {row}"}} for row in range(5)]
        (folder / f"{number}.jsonl").write_text("\n".join(json.dumps({"pairs": row}) for row in rows))
    with pytest.raises(TaskError, match="corpus 'parallel_jsonl' is not the same on all nodes"):
        run_in_group(2, mine_own_file, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["0.jsonl", "1.jsonl"]


def test_the_multilingual_pool_gives_negatives_in_other_languages_too_and_names_these(
    corpus: str, folder: Path
) -> None:
    outcome = mine(MODEL, corpus, "--pool", "multilingual", "--output", "deep/mined.jsonl")
    assert outcome.exit_code == 0, outcome.output
    rows = [json.loads(line)["pairs"] for line in (folder / "deep/mined.jsonl").read_text("utf-8").splitlines()]
    negatives = [negative for pairs in rows for negative in pairs["th"]["negatives"]]
    others = [negative for negative in negatives if isinstance(negative, dict)]
    assert others
    assert all(negative["language"] == "zh" and negative["text"].startswith("山") for negative in others)
    assert all(negative.startswith("ภูเขา") for negative in negatives if isinstance(negative, str))
    trained = load_corpus("parallel_jsonl", {"path": "deep/mined.jsonl", "languages": ["th"]})
    of_rows = [pair.negatives for pair in trained.pairs(np.arange(20), ["th"] * 20, ["th"] * 20)]
    assert all(text.startswith("ภูเขา") for texts in of_rows for text in texts)
    assert trained.fewest_negatives == min(map(len, of_rows)) < 4


def test_held_out_rows_are_neither_mined_nor_negatives(folder: Path) -> None:
    corpus = {"name": "factbook", "languages": ["th", "zh"], "held_out": 40}
    outcome = mine(MODEL, json.dumps(corpus), "--negatives", "9", "--share", "1", "--output", "mined.jsonl")
    assert outcome.exit_code == 0, outcome.output
    assert re.search(r"\d+ rows are held out", outcome.output)
    held_out = load_benchmark("held_out", {"corpus": corpus})
    held = {text for pool in held_out.pools for text in pool.passages.texts()}
    rows = [json.loads(line)["pairs"].values() for line in (folder / "mined.jsonl").read_text("utf-8").splitlines()]
    written = {text for pairs in rows for pair in pairs for text in (pair["passage"], *pair["negatives"])}
    assert len(held) >= 40
    assert written
    assert not written & held


def test_what_is_mined_with_held_out_rows_trains_beside_their_validation(folder: Path) -> None:
    # Every question has a copy in capitals, which only texts tell from others.
    rows = [{"en": {"query": f"question {n}", "passage": f"passage {n}"}} for n in range(30)]
    rows += [{"en": {"query": f"QUESTION {n}", "passage": f"PASSAGE {n}"}} for n in range(30)]
    (folder / "train.jsonl").write_text("\n".join(json.dumps({"pairs": row}) for row in rows))
    source = {"name": "parallel_jsonl", "path": "train.jsonl", "held_out": 10}
    outcome = mine(MODEL, json.dumps(source), "--negatives", "3", "--output", "mined.jsonl")
    assert outcome.exit_code == 0, outcome.output
    corpora = [{"name": "parallel_jsonl", "path": "mined.jsonl"}]
    validation = {"benchmark": {"name": "held_out", "corpus": source}}
    (corpus,) = training_corpora(TrialConfig.model_validate({"corpora": corpora, "validation": validation}))
    check_negatives([corpus], 3)


def test_a_corpus_is_named_as_in_a_search_space(folder: Path) -> None:
    outcome = mine(MODEL, "{name: factbook, languages: [th]}", "--negatives", "1", "--share", "1")
    assert outcome.exit_code == 0, outcome.output
    first = json.loads((folder / "factbook-negatives.jsonl").read_text("utf-8").splitlines()[0])
    assert first["pairs"].keys() == {"th"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([MODEL, "nowhere.jsonl"], r"corpus 'parallel_jsonl', option 'path': there is no file nowhere\.jsonl"),
        ([MODEL, "mmarc"], "unknown corpus 'mmarc': did you mean 'mmarco'"),
        ([MODEL, "{name: factbook, language: th}"], "corpus 'factbook' has no option 'language': did you mean"),
        (["builtin/xlmr-tinx", "factbook"], "there is no built-in backbone 'builtin/xlmr-tinx': did you mean"),
        ([MODEL, "factbook", "--share", "inf"], "--share inf is refused: write a fraction, such as 0.95"),
        (
            [MODEL, "factbook", "--negatives", "9" * 30],
            "corpus 'factbook' has too few passages in 'ar' for 9+ negatives",
        ),
        ([MODEL, "factbook", "--output", "/proc/nothing/x"], "--output /proc/nothing/x cannot be written"),
        (
            [MODEL, "factbook", "--output", "s3://bucket/x.jsonl"],
            "'s3://bucket/x.jsonl' is refused, as it is a URI: name a path on this machine",
        ),
        ([MODEL, "s3://bucket/train.jsonl"], "'s3://bucket/train.jsonl' is refused, as it is a URI"),
        ([MODEL, "factbook", "--output", "there"], "there exists: choose another --output"),
        ([MODEL, "factbook", "--pool", "crosslingual"], "--pool crosslingual is refused: allowed are monolingual and"),
    ],
)
def test_what_cannot_be_mined_is_said_in_one_sentence(folder: Path, arguments: list[str], message: str) -> None:
    (folder / "there").touch()
    outcome = mine(*arguments)
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: ")
    assert re.search(message, outcome.stderr)
