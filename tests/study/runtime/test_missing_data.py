"""Data that is missing when a trained trial is evaluated: a resumed study evaluates it from its best checkpoint.

Ray Train and Tune are replaced by what they do for one worker: keep checkpoints in the trial's folder, collect reports.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import ray.train
import torch

from study import seen_questions
from study.config import TrialConfig
from study.results import layout
from study.results.trial_result import TrialResult
from study.runtime import trial, worker
from study.runtime.messages import Assignment
from tasks.plugins import TaskError

CORPUS = {"name": "factbook", "languages": ["th", "zh"], "held_out": 9}
CONFIG = TrialConfig.model_validate(
    {
        "corpora": [CORPUS],
        "benchmarks": [{"name": "factbook", "languages": ["th", "zh"], "label": label} for label in ("own", "twin")],
        "validation": {"benchmark": {"name": "held_out", "corpus": CORPUS | {"held_out": 5}}, "every": 1},
        "steps": 3,
        "batch_size": 4,
        "max_query_tokens": 16,
        "max_passage_tokens": 16,
    }
)


class OneWorker:
    """In place of a TorchTrainer: runs the worker in this process."""

    def __init__(self, assignment: Assignment, study_folder: str) -> None:
        self._assignment, self._folder = assignment, layout.trial_folder(study_folder, assignment.number)

    def fit(self) -> None:
        Path(self._folder).mkdir(parents=True, exist_ok=True)
        worker.train_worker(self._assignment, self._folder)


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the trial reports to Tune; Ray is replaced."""
    folder = Path(layout.trial_folder(str(tmp_path), 0))
    told: list[dict[str, Any]] = []

    def report(_: dict[str, Any], checkpoint: Any = None, checkpoint_dir_name: str = "") -> None:
        if checkpoint:
            shutil.copytree(checkpoint.path, folder / checkpoint_dir_name)

    monkeypatch.setattr(ray.train, "report", report)
    monkeypatch.setattr("ray.train.torch.get_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(trial, "_trainer", OneWorker)
    monkeypatch.setattr("study.runtime.ray_internals.release", lambda _: None)
    monkeypatch.setattr("study.runtime.ray_internals.tell", lambda *_: None)
    monkeypatch.setattr("ray.tune.report", told.append)
    return told


def test_a_trial_whose_corpus_was_changed_between_its_steps_waits_for_what_it_has_read(
    tmp_path: Path, reports: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, take = tmp_path / "pairs.jsonl", ray.train.report

    def write(word: str) -> None:
        rows = ({"th": {"query": f"คำถามที่ {n}", "passage": f"{word} {n}"}} for n in range(9))
        lines = (json.dumps({"id": str(n), "pairs": row}, ensure_ascii=False) for n, row in enumerate(rows))
        corpus.write_text("\n".join(lines), "utf-8")

    def dies(*taken: Any, **named: Any) -> None:
        take(*taken, **named)
        raise OSError("the network is gone")

    raw = CONFIG.model_dump(mode="json") | {"corpora": [{"name": "parallel_jsonl", "path": str(corpus)}], "alpha": 1}
    assignment = Assignment(0, TrialConfig.model_validate(raw)).to_dict()
    write("คำตอบ")
    monkeypatch.setattr(ray.train, "report", dies)
    with pytest.raises(OSError, match="the network is gone"):
        trial.run_trial(assignment, study_folder=str(tmp_path))
    monkeypatch.setattr(ray.train, "report", take)
    write("คำตอบใหม่")
    trial.run_trial(assignment, study_folder=str(tmp_path))
    assert reports[-1]["resumable"]
    assert (
        f"corpus 'parallel_jsonl' ({corpus}) is not what this trial has read up to step 1 (revision"
        in reports[-1]["failed"]
    )
    write("คำตอบ")
    trial.run_trial(assignment, study_folder=str(tmp_path))
    assert reports[-1]["final"]
    assert reports[-1]["step"] == CONFIG.steps


def test_a_trained_trial_whose_benchmark_failed_is_evaluated_later_without_further_training(
    tmp_path: Path, reports: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise TaskError("passages.tsv has no line with the id 7: bring a complete copy")

    assignment = Assignment(0, CONFIG).to_dict()
    with monkeypatch.context() as missing:
        missing.setattr(worker, "measure", fails)
        trial.run_trial(assignment, study_folder=str(tmp_path))
    reason = "passages.tsv has no line with the id 7: bring a complete copy"
    assert reports == [{"failed": reason, "resumable": True}]
    folder = layout.trial_folder(str(tmp_path), 0)
    trained = layout.checkpoints(folder)
    assert len(trained) == CONFIG.steps

    def trains(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("study.training.batch.BatchMaker.make", trains)
    trial.run_trial(assignment, study_folder=str(tmp_path))
    assert reports[-1]["final"]
    assert reports[-1]["own/multilingual/map"] == reports[-1]["twin/multilingual/map"] > 0
    assert {file.name for file in (Path(folder) / "positions").iterdir()} == {"own.parquet", "twin.parquet"}
    assert set(layout.checkpoints(folder)) < set(trained)


def test_a_folder_of_other_settings_is_neither_continued_nor_reported_under_a_trials_number(
    tmp_path: Path, reports: list[dict[str, Any]]
) -> None:
    """The record may be another one than that of the folder: its storage was lost, or is shared."""
    trial.run_trial(Assignment(0, CONFIG).to_dict(), study_folder=str(tmp_path))
    assert reports[-1]["final"]
    other = TrialConfig.model_validate(CONFIG.model_dump(mode="json") | {"temperature": 0.3})
    said = f"0000 is of a trial with temperature {CONFIG.temperature!r}, and the record has 0.3"
    for name in (layout.SETTINGS, layout.RESULT):  # by its result, as in a study of earlier versions; by its settings
        kept = Path(layout.trial_folder(str(tmp_path), 0)) / name
        moved = kept.rename(tmp_path / name)
        trial.run_trial(Assignment(0, other).to_dict(), study_folder=str(tmp_path))
        assert reports[-1]["resumable"]
        assert said in reports[-1]["failed"]
        moved.rename(kept)
    kept = Path(layout.trial_folder(str(tmp_path), 0)) / layout.SETTINGS
    kept.write_text("{", "utf-8")
    trial.run_trial(Assignment(0, CONFIG).to_dict(), study_folder=str(tmp_path))
    assert reports[-1]["failed"].startswith(f"{kept} cannot be read (it is not whole JSON): restore it, or move")


def test_a_trial_is_not_selected_by_the_questions_that_it_reports_where_only_workers_have_the_data(
    tmp_path: Path, reports: list[dict[str, Any]]
) -> None:
    twin = {"name": "held_out", "corpus": CORPUS, "label": "twin"}
    config = TrialConfig.model_validate(CONFIG.model_dump(mode="json") | {"benchmarks": [twin]})
    trial.run_trial(Assignment(0, config).to_dict(), study_folder=str(tmp_path))
    assert "are questions of benchmark 'twin'" in reports[-1]["failed"]
    assert not layout.checkpoints(layout.trial_folder(str(tmp_path), 0))


@pytest.mark.parametrize(
    ("metric", "scores"),
    [
        ("loss", [3.0, 1.0, 2.0]),
        ("multilingual/rank_distance", [30.0, 10.0, 20.0]),
        ("multilingual/map", [0.1, 0.3, 0.2]),
    ],
)
def test_the_best_checkpoint_has_the_lowest_loss_or_rank_distance_and_the_highest_map(
    metric: str,
    scores: list[float],
    tmp_path: Path,
    reports: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    validation = CONFIG.validation.model_dump(mode="json") | {"metric": metric}
    config = TrialConfig.model_validate(CONFIG.model_dump(mode="json") | {"validation": validation})
    validated = ({f"validation/{metric}": score} for score in scores)
    monkeypatch.setattr(worker.Validation, "__call__", lambda _: next(validated))
    trial.run_trial(Assignment(0, config).to_dict(), study_folder=str(tmp_path))
    folder = layout.trial_folder(str(tmp_path), 0)
    result = layout.read_result(folder)
    assert isinstance(result, TrialResult)
    assert result.training.best_step == 2
    assert result.metrics[f"validation/{metric}"] == scores[1]
    assert layout.checkpoints(folder) == layout.checkpoints(folder, 2)


@pytest.mark.parametrize(
    ("most", "seen", "large"),
    [
        (seen_questions.MOST_QUESTIONS, {"held_out": 9 * 2, "factbook": 0}, {}),
        (1, {}, {"held_out": ("factbook",), "factbook": ("factbook",)}),
    ],
)
def test_a_result_counts_the_questions_of_each_benchmark_that_were_trained_on_and_names_corpora_not_searched(
    most: int,
    seen: dict[str, int],
    large: dict[str, tuple[str, ...]],
    tmp_path: Path,
    reports: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seen_questions, "MOST_QUESTIONS", most)
    corpus = {"name": "factbook", "languages": ["th", "zh"]}
    trained_on = {"name": "held_out", "corpus": corpus | {"held_out": 9}}  # training leaves none of these rows out
    settings = {
        "corpora": [corpus],
        "benchmarks": [trained_on, corpus],
        "validation": {"benchmark": corpus | {"split": "dev"}, "every": 1},
        "steps": 1,
    }
    config = TrialConfig.model_validate(CONFIG.model_dump(mode="json") | settings)
    trial.run_trial(Assignment(0, config).to_dict(), study_folder=str(tmp_path))
    result = layout.read_result(layout.trial_folder(str(tmp_path), 0))
    assert isinstance(result, TrialResult)
    assert (result.seen_questions, result.not_searched) == (seen, large)
