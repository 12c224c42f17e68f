"""`study.run` against real Ray, on a small study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from study.results import files, layout
from tasks.schema import Setting
from tasks.scoring import metrics_of
from tests.study.small_study import LANGUAGES, SPACE, Ended, run, write_space

pytestmark = pytest.mark.ray


def test_a_study_ends_well_and_says_nothing_but_its_own_lines(ended_well: Ended) -> None:
    _, study = ended_well
    assert study.returncode == 0, study.stderr
    assert study.stderr == ""
    for word in ("Warning", "warning", "Traceback", "INFO", "pid="):
        assert word not in study.stdout
    assert "2 of 2 trials evaluated" in study.stdout
    assert "hybrid" in study.stdout


def test_every_trial_holds_all_settings_and_its_positions_give_the_same_metrics_again(undisturbed: Path) -> None:
    for result in layout.finished(str(undisturbed)):
        metrics = result.metrics
        for setting in Setting:
            for metric in ("map", "ndcg@10", "mrr", "recall@1", "recall@10", "recall@100"):
                assert 0 < metrics[f"factbook/{setting}/{metric}"] <= 1
        assert metrics["factbook/multilingual/rank_distance"] > 0
        file = layout.positions_file(layout.trial_folder(str(undisturbed), result.number), "factbook")
        again = metrics_of(files.read_table(file), "factbook", tuple(Setting), ("map", "mrr"))
        assert {key: metrics[key] for key in again.metrics} == again.metrics
        measured = result.benchmarks["factbook"]
        assert len(measured.by_pair) == len(LANGUAGES) * (len(LANGUAGES) - 1)
        assert measured.queries.keys() == set(LANGUAGES)


def test_optuna_reads_every_trial_as_complete_with_all_final_metrics(undisturbed: Path) -> None:
    study = optuna.load_study(study_name="one", storage=f"sqlite:///{undisturbed}/optuna.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE"]
    for trial, result in zip(study.trials, layout.finished(str(undisturbed)), strict=True):
        assert trial.value == result.metrics["validation/multilingual/map"]
        assert result.metrics.items() <= trial.user_attrs.items()
        assert set(trial.intermediate_values) == {2, 4}


def test_a_trial_that_ended_keeps_the_weights_it_was_evaluated_with_and_no_more(undisturbed: Path) -> None:
    for result in layout.finished(str(undisturbed)):
        trial = Path(layout.trial_folder(str(undisturbed), result.number))
        (kept,) = trial.glob("step-*")
        assert kept.name == f"step-{result.training.best_step:08d}"
        assert sorted(file.name for file in kept.iterdir() if not file.name.startswith(".")) == [
            "encoder.safetensors",
            "progress.json",
        ]


def test_the_folder_says_what_ran_with_which_versions(undisturbed: Path) -> None:
    study = json.loads((undisturbed / "study.json").read_text("utf-8"))
    assert study["search_space"]["search"] == SPACE["search"]
    assert study["versions"]["torch"]
    assert study["hardware"]["cores"] >= 1


def test_resuming_a_finished_study_runs_nothing_and_prints_its_answer_again(undisturbed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (undisturbed / "trials").rglob("*") if path.is_file()}
    started = json.loads((undisturbed / "study.json").read_text("utf-8"))["started"]
    again = run("--resume", "--name", "one", "--storage", str(undisturbed.parent))
    assert again.returncode == 0, again.stderr
    assert "2 of 2 trials evaluated" in again.stdout
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert json.loads((undisturbed / "study.json").read_text("utf-8"))["started"] == started


@pytest.mark.parametrize(
    ("changes", "arguments", "sentence"),
    [
        ({"trail": {}}, [], "trail"),
        ({"trial": {"alhpa": 0.5}}, [], "alpha"),
        ({"trial": {"temperature": -1}}, [], "-1 is out of range; allowed is above 0 to 10"),
        ({"trial": {"backbone": "builtin/xlmr-tny"}}, [], "did you mean 'builtin/xlmr-tiny'?"),
        ({"trial": {"backbone": "no/such-model"}}, [], "backbone 'no/such-model'"),
        ({"trial": {"corpora": ["factbok"]}}, [], "did you mean 'factbook'?"),
        ({"trial": {"benchmarks": ["xquadr"]}}, [], "did you mean 'xquad_r'?"),
        ({"trial": {"validation": {"metric": "multilingual/mapp"}}}, [], "did you mean 'map'?"),
        ({"trial": {"resources": {"workers": 1000}, "batch_size": 1000}}, [], "more than fits: this machine has"),
        ({"trial": {"batch_size": 2000}}, [], "fewer than batch_size 2000: set batch_size to "),
        ({"trial": {"batch_size": 2000}}, ["--dry-run"], "fewer than batch_size 2000: set batch_size to "),
        ({"trial": {"corpora": [{"name": "factbook", "languages": ["ja"]}]}}, ["--dry-run"], "there is no 'ja'"),
        ({}, ["--name", "one"], "a study named 'one' exists"),
        ({}, ["--resume", "--name", "oen"], "did you mean 'one'?"),
    ],
)
def test_bad_input_gets_one_sentence_before_ray_starts(
    undisturbed: Path, tmp_path: Path, changes: dict[str, Any], arguments: list[str], sentence: str
) -> None:
    ended = run(write_space(tmp_path, changes), "--storage", str(undisturbed.parent), *arguments, timeout=60)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr


def test_a_dry_run_shows_the_trial_the_processors_and_the_negatives_and_starts_nothing(tmp_path: Path) -> None:
    ended = run(write_space(tmp_path, {}), "--dry-run", "--storage", str(tmp_path / "none"), timeout=60)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "search space small: 2 trials, sampler tpe; the best by validation/multilingual/map"
    searched, takes, in_full = (
        next(number for number, line in enumerate(lines) if text in line)
        for text in (
            "alpha    0 to 1",
            "a trial takes 2 x (1 CPU, 0 GPU); this machine has",
            "a trial in full",
        )
    )
    assert searched < takes < in_full
    assert "steps: 4 in a trial, at most 8 in all" in lines
    assert "negatives per query: 7" in ended.stdout
    assert not (tmp_path / "none").exists()
