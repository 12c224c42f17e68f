"""Results and study records: what is written is read back, by this version and of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from study.config import TrialConfig
from study.config_values import Schedule
from study.results import files, layout
from study.results.study_record import StudyRecord, parse_study
from study.results.trial_result import FailedTrial, TrialResult, parse_config, parse_result
from study.space.selection import Objective
from tests.study.trial_results import trial_result

EARLIER = Path(__file__).resolve().parents[3] / "experiments/2026-11-24-xquad-r-split/xquad-r-split"
"""A study written before its files had types."""
RESULTS = sorted(EARLIER.glob("trials/*/result.json"))
MAP = "validation/multilingual/map"
BIAS = "validation/multilingual/rank_distance"


def parsed(stored: dict[str, Any]) -> TrialResult:
    result = parse_result(json.dumps(stored))
    assert isinstance(result, TrialResult)
    return result


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.parent.name)
def test_a_result_of_the_version_before_is_read_with_every_value(file: Path) -> None:
    stored = json.loads(file.read_text("utf-8"))
    again = parsed(stored).model_dump(mode="json")
    assert stored.pop("clock").items() <= again["clock"].items()  # a trial without training has no start of it
    assert stored.pop("backbone").items() <= again["backbone"].items()
    assert stored.pop("training").items() <= again["training"].items()
    config = stored.pop("config")
    assert {key: again["config"][key] for key in config if key not in {"corpora", "validation", "benchmarks"}} == {
        key: value for key, value in config.items() if key not in {"corpora", "validation", "benchmarks"}
    }
    assert {key: again[key] for key in stored} == stored


def test_keys_of_a_later_version_are_ignored_wherever_they_stand() -> None:
    stored = json.loads(RESULTS[1].read_text("utf-8"))
    expected = parsed(stored)
    for place in (
        *(stored, stored["config"], stored["config"]["validation"], stored["config"]["resources"], stored["training"]),
        *(stored["backbone"], stored["corpora"][0], stored["clock"], stored["benchmarks"]["xquad_r"]),
    ):
        place["ใหม่"] = {"later": [1, None]}
    stored["format_version"] = 99
    assert parsed(stored) == expected.model_copy(update={"format_version": 99})


def test_a_schedule_comes_back_as_a_schedule() -> None:
    config: dict[str, Any] = {
        "alpha": {"start": 1, "end": 0, "shape": "cosine"},
        "temperature": {"start": 0.1, "end": 0.02},
    }
    result = trial_result(3, {MAP: 0.5}, **config)
    again = parsed(result.model_dump(mode="json"))
    assert again == result
    assert again.config.alpha == Schedule(start=1, end=0, shape="cosine")
    assert isinstance(again.config.temperature, Schedule)


@pytest.mark.parametrize(
    "changed",
    [
        {"pooling": "of a later version"},
        {"backbone": "builtin/of-a-later-version"},
        {"precision": "fp8"},
        {"batch_size": 7, "resources": {"workers": 2, "cpus_per_worker": 1, "gpus_per_worker": 0.0}},
        {"benchmarks": [{"name": "xquad_r", "options": {}}, {"name": "xquad_r", "options": {}}]},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_configuration_that_this_version_would_not_run_is_read_as_it_was(changed: dict[str, Any]) -> None:
    stored = TrialConfig(alpha=Schedule(start=1, end=0)).model_dump(mode="json") | changed
    with pytest.raises(ValidationError):
        TrialConfig.model_validate(stored)
    config = parse_config(stored)
    assert config.alpha == Schedule(start=1, end=0)
    assert {key: config.model_dump(mode="json")[key] for key in changed if key != "benchmarks"} == {
        key: value for key, value in changed.items() if key != "benchmarks"
    }
    assert len(config.benchmarks) == len(stored["benchmarks"])


def test_a_user_who_writes_a_key_that_is_unknown_is_still_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        TrialConfig.model_validate({"alhpa": 0.5})


def test_a_failed_trial_is_read_back_and_is_no_finished_one(tmp_path: Path) -> None:
    failed = FailedTrial(number=1, config=TrialConfig(), failed="the loss is not a number", resumable=True)
    layout.write_result(layout.trial_folder(str(tmp_path), 1), failed)
    layout.write_result(layout.trial_folder(str(tmp_path), 0), trial_result(0, {MAP: 0.5}))
    assert layout.read_result(layout.trial_folder(str(tmp_path), 1)) == failed
    assert layout.finished(str(tmp_path)) == [trial_result(0, {MAP: 0.5})]


def test_a_result_that_lacks_what_every_result_has_is_no_result() -> None:
    stored = json.loads(RESULTS[0].read_text("utf-8"))
    del stored["metrics"]
    with pytest.raises(ValidationError):
        parse_result(json.dumps(stored))


def study(objective: Any = None, **keys: Any) -> StudyRecord:
    space = {} if objective is None else {"objective": objective}
    return parse_study(json.dumps({"name": "hybrid", "search_space": space, **keys}))


@pytest.mark.parametrize(
    ("written", "objectives"),
    [
        (None, [(MAP, "maximize")]),
        ("validation/loss", [("validation/loss", "minimize")]),
        ({"metric": MAP, "direction": "minimize"}, [(MAP, "minimize")]),
        ([MAP, BIAS], [(MAP, "maximize"), (BIAS, "minimize")]),
        ("validation/multilingual/of_a_later_version", [("validation/multilingual/of_a_later_version", "maximize")]),
    ],
)
def test_a_study_without_recorded_objectives_has_those_of_its_search_space(
    written: Any, objectives: list[tuple[str, str]]
) -> None:
    assert [(goal.metric, goal.direction) for goal in study(written).objectives] == objectives


def test_recorded_objectives_win_over_the_search_space_and_later_keys_are_ignored() -> None:
    lowest = {"metric": MAP, "direction": "minimize", "weight": 2}
    record = study(MAP, objectives=[lowest], later={"x": 1})
    assert record.objectives == (Objective(metric=MAP, direction="minimize"),)


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    record = StudyRecord(
        name="ไทย",
        search_space={"trial": {"benchmarks": ["gone"]}, "storage": None},
        objectives=(Objective(metric=MAP, direction="maximize"),),
        started="2026-11-23T09:30:00+0100",
        ray_dashboard="127.0.0.1:8265",
    )
    layout.write_study(str(tmp_path), record)
    assert layout.read_study(str(tmp_path)) == record
    assert files.read_json(str(tmp_path / layout.STUDY))["objectives"] == [{"metric": MAP, "direction": "maximize"}]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not whole JSON"),
        (b'{"number": 0, "con', "it is not whole JSON"),
        ("ไทย".encode("utf-16"), "it is not whole JSON"),
        (b"[]", "input should be an object"),
        (b'{"number": 0, "config": "alpha 0.5"}', "config: input should be an object"),
    ],
)
def test_a_damaged_result_is_named_with_the_reason_and_left_out(
    content: bytes, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = Path(layout.trial_folder(str(tmp_path), 0), layout.RESULT)
    layout.write_result(str(file.parent), trial_result(0, {MAP: 0.5}))
    file.write_bytes(content)
    assert layout.finished(str(tmp_path)) == []
    assert caplog.messages == [f"warning: {file} is left out: {reason}"]
