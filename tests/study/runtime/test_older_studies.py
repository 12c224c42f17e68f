"""A study that the version of November 2026 wrote and that was interrupted in its second trial resumes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from study.config_values import Schedule
from study.results import layout
from study.runtime.messages import Assignment
from study.runtime.open_record import open_record
from study.runtime.record import Record
from study.runtime.searcher import StudySearcher
from study.space import study_config
from study.space.strict_yaml import SpaceError

WRITTEN = json.loads((Path(__file__).parent / "study_of_2026_11.json").read_text("utf-8"))
"""Its study.json and the trials of its optuna.db."""


@pytest.fixture
def record_url(folder: Path) -> str:
    url = f"sqlite:///{folder}/optuna.db"
    study = optuna.create_study(storage=url, study_name="old", direction="maximize")
    study.set_user_attr("search_space", WRITTEN["study"]["search_space"])
    for trial in WRITTEN["trials"]:
        study.add_trial(
            optuna.trial.create_trial(
                state=TrialState[trial["state"]],
                params=trial["params"],
                distributions={"alpha": CategoricalDistribution(WRITTEN["choices"])},
                values=trial["values"],
                intermediate_values={int(step): score for step, score in trial["intermediate_values"].items()},
                user_attrs=trial["user_attrs"],
            )
        )
    return url


def test_its_search_space_parses_and_its_record_is_accepted(record_url: str) -> None:
    config = study_config.parse(WRITTEN["study"]["search_space"], WRITTEN["study"]["name"])
    assert config.search.trials == 3
    assert [trial.state.name for trial in Record(config, record_url, "old").trials()] == ["COMPLETE", "RUNNING"]


def test_its_interrupted_trial_comes_first_with_its_schedule_and_its_last_recorded_step(record_url: str) -> None:
    config = study_config.parse(WRITTEN["study"]["search_space"], WRITTEN["study"]["name"])
    searcher = StudySearcher(config, Record(config, record_url, "old"))
    assert searcher.remaining == 2
    suggested: Any = searcher.suggest("a")
    assignment = Assignment.from_dict(json.loads(json.dumps(suggested)))
    assert (assignment.number, assignment.recorded_step) == (1, 2)
    assert assignment.trial.alpha == Schedule(start=1, end=0)
    assert searcher.assignment("a") == assignment
    following: Any = searcher.suggest("b")
    assert (following["number"], following["trial"]["alpha"]) == (2, 0)
    assert searcher.suggest("c") == searcher.FINISHED


def test_a_folder_that_was_renamed_or_copied_keeps_its_trials(record_url: str, folder: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "เปลี่ยนชื่อ?"
    shutil.copytree(folder, renamed)
    config = study_config.parse(WRITTEN["study"]["search_space"], WRITTEN["study"]["name"])
    record = open_record(config, layout.record_url(str(renamed), None), str(renamed))
    assert [trial.state.name for trial in record.trials()] == ["COMPLETE", "RUNNING"]


def test_settings_without_effect_are_refused_in_a_new_file_and_accepted_where_a_study_has_them(tmp_path: Path) -> None:
    source = {
        "trial": {"steps": 100, "validation": {"every": 500}},
        "search": {"sampler": "grid", "space": {"alpha": {"type": "categorical", "choices": [0, 1]}}},
    }
    (tmp_path / "late.yaml").write_text(json.dumps(source), "utf-8")
    with pytest.raises(SpaceError, match=r"^late\.yaml: trial\.validation\.every: 500 is above"):
        study_config.load(str(tmp_path / "late.yaml"))
    assert study_config.parse(source, "late").examples[0].validation.every == 500


@pytest.mark.parametrize(
    ("key", "choices", "sentence"),
    [
        (
            "validation.benchmark",
            [
                {"name": "factbook", "split": "dev"},
                {"name": "held_out", "corpus": {"name": "factbook", "held_out": 60}},
            ],
            "trial.validation.benchmark: it differs between trials, and scores on one benchmark cannot be compared",
        ),
        (
            "benchmarks",
            [[{"name": "factbook", "languages": ["th", "zh"]}], [{"name": "factbook", "languages": ["th", "ar"]}]],
            "trial.benchmarks: 'factbook' is not the same data in all trials: give each its own label",
        ),
    ],
)
def test_trials_that_are_measured_on_different_data_are_not_ranked_together(
    key: str, choices: list[Any], sentence: str, tmp_path: Path
) -> None:
    source: dict[str, Any] = {
        "search": {"sampler": "grid", "space": {key: {"type": "categorical", "choices": choices}}}
    }
    if key == "benchmarks":
        source["trial"] = {"validation": {"benchmark": {"name": "factbook", "split": "dev"}}}
    (tmp_path / "unlike.yaml").write_text(json.dumps(source), "utf-8")
    with pytest.raises(SpaceError, match=f"^unlike.yaml: {re.escape(sentence)}"):
        study_config.load(str(tmp_path / "unlike.yaml"))
