"""The examples do what they say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from study.model.backbone import load_encoder
from study.model.sentence_transformers_folder import export
from study.retrieval.measurement import export_means
from study.space import study_config
from study.training.corpora import load_for_training
from study.training.loop import Training

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


def run(*command: str, cwd: Path = ROOT) -> str:
    ended = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, cwd=cwd)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_benchmark_is_added_by_one_file_of_under_60_lines(tmp_path: Path) -> None:
    for package in ("study", "tasks"):
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(EXAMPLES / "capitals.py", tmp_path / "tasks" / "benchmarks")
    assert len((EXAMPLES / "capitals.py").read_text("utf-8").splitlines()) < 60
    printed = run(
        "-m", "study.evaluate", "builtin/xlmr-tiny", "--benchmarks", "capitals", "--output", "result.json", cwd=tmp_path
    )
    assert "capitals: 12 queries, 12 passages" in printed
    result = json.loads((tmp_path / "result.json").read_text("utf-8"))
    assert 0 < result["metrics"]["capitals/multilingual/map"] <= 1
    assert len(result["benchmarks"]["capitals"]["by_pair"]) == 6


def test_tables_of_articles_and_questions_become_a_benchmark_a_corpus_and_a_search_space(tmp_path: Path) -> None:
    languages = ("th", "zh")
    articles = [f"a{n},{language},เรื่อง {n},本文 {n}" for n in range(10) for language in languages]
    translated = [f"q{n},{language},คำถาม {n} {language},a{n}" for n in range(10) for language in languages]
    own = [f"{language}-{n},{language},อีกคำถาม {n} {language},a{n}" for n in range(10) for language in languages]
    (tmp_path / "articles.csv").write_text("\n".join(["id,language,title,body", *articles]), "utf-8")
    table = ["id,language,question,article_id", *translated, *own]
    (tmp_path / "questions.csv").write_text("\n".join(table), "utf-8")
    run(str(EXAMPLES / "from_tables.py"), str(tmp_path))
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 2 * 8  # articles 0 and 5 are tested
    assert {len(row["pairs"]) for row in rows} == {2}
    assert rows[0]["pairs"]["zh"] == {"query": "คำถาม 1 zh", "passage": "เรื่อง 1 本文 1"}
    checked = run("-m", "study.fetch", "local", "--check", "--option", f"path={tmp_path / 'test'}")
    assert ["all", "8", "20", "8", "0", "0", "0"] in [line.split() for line in checked.splitlines()]
    assert len((tmp_path / "test" / "qrels.tsv").read_text("utf-8").splitlines()) == 1 + (2 + 4) * 2
    planned = run("-m", "study.run", str(tmp_path / "study.yaml"), "--dry-run")
    assert "7 trials, 1 of them zero-shot" in planned
    assert "14 rows to train on, 14 of them in two or more languages (th, zh)" in planned
    assert "2 more rows are held out for validation or share a text with those that are" in planned  # an article's two


def test_a_table_with_an_id_twice_is_refused_and_an_article_without_questions_is_a_passage(tmp_path: Path) -> None:
    articles = ["id,language,title,body", *(f"a{n},th,เรื่อง {n},本文 {n}" for n in range(9)), "a0,ar,عنوان,نص"]
    questions = ["id,language,question,article_id", *(f"q{n},th,คำถาม {n},a{n}" for n in range(8))]
    (tmp_path / "articles.csv").write_text("\n".join(articles), "utf-8")
    (tmp_path / "questions.csv").write_text("\n".join(questions), "utf-8")
    run(str(EXAMPLES / "from_tables.py"), str(tmp_path))
    checked = run("-m", "study.fetch", "local", "--check", "--option", f"path={tmp_path / 'test'}")
    assert ["all", "2", "10", "2", "0", "0", "0"] in [line.split() for line in checked.splitlines()]
    (tmp_path / "articles.csv").write_text("\n".join([*articles, "a0,th,อีก,อีก"]), "utf-8")
    command = [sys.executable, str(EXAMPLES / "from_tables.py"), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "article a0 is there 2 times in th: give each an id of its own\n")


def test_an_exported_model_searches_six_sentences_in_three_languages(tmp_path: Path) -> None:
    config = next(iter(study_config.load(str(EXAMPLES / "my_corpus.yaml")).examples))
    export(load_encoder(config, torch.device("cpu")), tmp_path / "model", "card")
    lines = run(str(EXAMPLES / "search_sentences.py"), str(tmp_path / "model")).splitlines()
    assert len(lines) == 12
    scores = [float(line.split()[0]) for line in lines if line.startswith("  ")]
    assert len(scores) == 9
    for best in range(0, 9, 3):
        assert 1 >= scores[best] >= scores[best + 1] >= scores[best + 2]


def test_a_corpus_of_ones_own_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert "negatives per query: 7" in run("-m", "study.run", "examples/my_corpus.yaml", "--dry-run")
    config = next(iter(study_config.load("examples/my_corpus.yaml").examples))
    corpora = [load_for_training(corpus) for corpus in config.corpora]
    assert [corpus.languages for corpus in corpora] == [("ar", "th", "zh")]
    training = Training(config, load_encoder(config, torch.device("cpu")), corpora)
    losses = []
    for report in training.run():
        losses.append(report.metrics["loss"])
        if report.due_validation:
            training.validated(0.0, {})
    assert losses[-1] < losses[0]


def test_a_search_over_centred_passages_subtracts_the_exported_means(tmp_path: Path) -> None:
    config = next(iter(study_config.load(str(EXAMPLES / "my_corpus.yaml")).examples))
    encoder = load_encoder(config, torch.device("cpu"))
    export(encoder, tmp_path / "model", "card", export_means(encoder, config))
    lines = run(str(EXAMPLES / "search_centred.py"), str(tmp_path / "model")).splitlines()
    assert len(lines) == 9
    rankings = [line.split(":")[1].split() for line in lines if line.startswith("  ")]
    assert all(sorted(ranking) == ["ar", "ar", "th", "th", "zh", "zh"] for ranking in rankings)
    assert rankings[::2] != rankings[1::2]
