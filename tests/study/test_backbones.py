"""Backbones as a user meets them: refused before Ray starts, and assumptions in plain sight."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from study.analysis.study import read_study
from study.pages.content import read_content
from tests.study.model.layouts import LAYOUTS, REFUSED, rename_weights
from tests.study.small_study import ENVIRONMENT, LANGUAGES, write_space
from tests.study.synthetic_study import write_study
from tests.study.test_start_up import run

XLMR = "FacebookAI/xlm-roberta-base"
ASSUMED = "no sentence-transformers files: assumed mean pooling, compared by cosine"


def _prefix_every_weight(folder: Path) -> Path:
    LAYOUTS[XLMR].write(folder)
    rename_weights(folder, lambda key: f"encoder_q.model.{key}")
    return folder


def _without_tokenizer(folder: Path) -> Path:
    LAYOUTS[XLMR].write(folder)
    (folder / "tokenizer.json").unlink()
    (folder / "sentencepiece.bpe.model").unlink()
    return folder


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]], ids=["run", "dry run"])
@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (_prefix_every_weight, "the weights in"),
        (_without_tokenizer, "has no tokenizer vocabulary"),
        (REFUSED["facebook/mbart-large-50"][0].write, "has an encoder and a decoder"),
        (REFUSED["Alibaba-NLP/gte-Qwen2-1.5B-instruct"][0].write, "has an auto_map"),
        (REFUSED["google/canine-s"][0].write, "has no tokenizer vocabulary"),
    ],
)
def test_a_backbone_that_cannot_work_is_refused_in_one_sentence_before_ray_is_imported(
    tmp_path: Path, write: Callable[[Path], Path], sentence: str, arguments: list[str]
) -> None:
    space = write_space(tmp_path, {"trial": {"backbone": str(write(tmp_path / "model"))}})
    code, loaded, output = run(space, *arguments, cache=tmp_path)
    assert code == 2
    assert output.startswith("error: ")
    assert sentence in output
    assert output.count("\n") == 0
    assert "ray" not in loaded
    assert not (tmp_path / "studies").exists()


def test_a_dry_run_shows_limits_and_assumptions(tmp_path: Path) -> None:
    folder = LAYOUTS[XLMR].write(tmp_path / "my-xlmr")
    space = write_space(tmp_path, {"trial": {"backbone": str(folder), "max_passage_tokens": 2000}})
    code, _, output = run(space, "--dry-run", cache=tmp_path)
    assert code == 0, output
    assert f"backbone {folder}: pooling 'mean', query_prefix 'Query: ', passage_prefix 'Passage: '" in output
    assert "max_passage_tokens 512" in output
    assert f"backbone {folder}: {ASSUMED}" in output


def test_an_evaluation_prints_and_records_its_assumptions(tmp_path: Path) -> None:
    folder = LAYOUTS[XLMR].write(tmp_path / "my-xlmr")
    command = [sys.executable, "-m", "study.evaluate", str(folder), "--option", f"languages={LANGUAGES}"]
    ended = subprocess.run(
        [*command, "--output", str(tmp_path / "result.json")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=ENVIRONMENT,
    )
    assert ended.returncode == 0, ended.stderr
    assumed = json.loads((tmp_path / "result.json").read_text("utf-8"))["backbone"]["assumed"]
    assert assumed[0] == ASSUMED
    assert all(f"{folder}: {line}\n" in ended.stdout for line in assumed)


def test_a_report_shows_what_was_assumed(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", questions=20, alphas=(0, 1))
    for file in (tmp_path / "study" / "trials").glob("*/result.json"):
        result = json.loads(file.read_text("utf-8"))
        result["backbone"]["assumed"] = [
            ASSUMED,
            "no stated prompts",
        ]
        file.write_text(json.dumps(result), "utf-8")
    backbones = read_content(read_study(study)).origins[0]
    rows = [[cell.text for cell in row] for row in backbones.rows]
    assert [
        "assumed",
        f"{ASSUMED}; no stated prompts",
        "all",
    ] in rows
