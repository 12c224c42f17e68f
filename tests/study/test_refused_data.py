"""`study.run` and `--dry-run` read all data of a study first, and refuse in one sentence what a trial could not use."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from study.cli import program
from study.run import main

THAI: dict[str, Any] = {"name": "factbook", "languages": ["th"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a corpus of 40 rows, each with one negative, and a benchmark in English and Thai."""
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    rows = [
        {"th": {"query": f"ถาม {row}", "passage": f"ตอบ {row}", "negatives": [f"ผิด {row}"] * (1 + row % 2)}}
        for row in range(40)
    ]
    lines = (json.dumps({"pairs": row}, ensure_ascii=False) for row in rows)
    (tmp_path / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for language, text in (("en", "Bangkok"), ("th", "กรุงเทพ")):
        (tmp_path / "own" / language).mkdir(parents=True)
        for name in ("corpus", "queries"):
            row = json.dumps({"_id": f"{name}-{language}", "text": text}, ensure_ascii=False)
            (tmp_path / "own" / language / f"{name}.jsonl").write_text(row + "\n", encoding="utf-8")
        qrels = f"query-id\tcorpus-id\tscore\nqueries-{language}\tcorpus-{language}\t1\n"
        (tmp_path / "own" / language / "qrels.tsv").write_text(qrels, encoding="utf-8")
    return tmp_path


def study(
    folder: Path, trial: dict[str, Any], *arguments: str, objective: str = "validation/monolingual/map"
) -> Result:
    trial = {
        "corpora": [{"name": "parallel_jsonl", "path": "train.jsonl"}],
        "benchmarks": [{"name": "local", "path": "own"}],
        "validation": {"benchmark": THAI | {"split": "dev"}, "metric": "monolingual/map"},
        "alpha": 1,
        "batch_size": 8,
    } | trial
    search = {"sampler": "grid", "space": {"seed": {"type": "int", "low": 0, "high": 1}}}
    space = folder / "space.yaml"
    space.write_text(yaml.safe_dump({"trial": trial, "search": search, "objective": objective}), encoding="utf-8")
    return CliRunner().invoke(program(main), [str(space), "--storage", str(folder / "studies"), *arguments])


def test_data_that_every_trial_can_use_passes(folder: Path) -> None:
    outcome = study(folder, {"hard_negatives": 1}, "--dry-run")
    assert outcome.exit_code == 0, outcome.output


def test_what_a_run_would_download_is_named_and_not_downloaded(folder: Path) -> None:
    outcome = study(folder, {"benchmarks": ["xquad_r", {"name": "local", "path": "own"}]}, "--dry-run")
    assert outcome.exit_code == 0, outcome.output
    assert "downloaded by a run, and checked then: benchmark xquad_r\n" in outcome.output


REFUSED = [
    ({"benchmarks": [{"name": "local", "path": "nowhere"}]}, "no folder .*nowhere"),
    ({"benchmarks": [{"name": "xquad_r", "path": "nowhere"}]}, "there is no folder .*nowhere"),
    ({"benchmarks": [{"name": "local", "path": "own", "languages": ["th", "zh"]}]}, "there is no 'zh'"),
    ({"benchmarks": [THAI, {"name": "xquad_r", "path": "own", "languages": ["th"]}]}, r"needs the file .*th\.json"),
    ({"validation": {"benchmark": {"name": "local", "path": "gone"}, "metric": "monolingual/map"}}, "no folder .*gone"),
    (
        {"validation": {"benchmark": THAI | {"split": "dev"}, "metric": "crosslingual/map"}},
        "'validation/crosslingual/map' does not exist, as the languages and judgements of benchmark 'factbook' do not",
    ),
    (
        {"validation": {"benchmark": THAI | {"split": "dev"}, "metric": "monolingual/map@3"}},
        "'validation/monolingual/map@3' does not exist, .*: did you mean 'monolingual/map'?",
    ),
    (
        {"hard_negatives": 2},
        "'parallel_jsonl' has rows with 1 hard negatives, fewer than hard_negatives 2 .20 of 40 rows read, such as '0'",
    ),
    ({"corpora": [THAI], "hard_negatives": 1}, "'factbook' has rows with 0 hard negatives"),
]


@pytest.mark.parametrize(("trial", "sentence"), REFUSED)
def test_data_that_some_trial_cannot_use_is_refused_by_dry_run(
    folder: Path, trial: dict[str, Any], sentence: str
) -> None:
    outcome = study(folder, trial, "--dry-run")
    assert outcome.exit_code == 2, outcome.output
    assert outcome.stderr.count("\n") == 1
    assert re.search(sentence, outcome.stderr), outcome.stderr


def test_an_objective_that_cannot_exist_is_refused(folder: Path) -> None:
    outcome = study(folder, {}, "--dry-run", objective="validation/multilingual/rank_distance")
    assert outcome.exit_code == 2
    assert "'validation/multilingual/rank_distance' does not exist" in outcome.stderr


def test_a_run_refuses_the_same_and_leaves_no_study_behind(folder: Path) -> None:
    outcome = study(folder, {"benchmarks": [{"name": "local", "path": "nowhere"}]})
    assert outcome.exit_code == 2, outcome.output
    assert "nowhere" in outcome.stderr
    assert not (folder / "studies").exists()


def test_a_dry_run_checks_a_space_for_another_machine_and_says_that_a_run_would_be_refused_here(folder: Path) -> None:
    trial = {"resources": {"gpus_per_worker": 1}}
    planned, refused = study(folder, trial, "--dry-run"), study(folder, trial)
    assert (planned.exit_code, refused.exit_code) == (0, 2)
    sentence = refused.stderr.removeprefix("error: ").rstrip("\n")
    assert sentence.startswith("resources.gpus_per_worker 1 is more than fits: this machine has no GPU; run it where")
    assert f"the search space is good, but a run would be refused here: {sentence}\n" in planned.stdout
    assert "a trial takes 1 x (1 CPU, 1 GPU); this machine has" in planned.stdout
    assert study(folder, trial | {"hard_negatives": 2}, "--dry-run").exit_code == 2
    assert not (folder / "studies").exists()
