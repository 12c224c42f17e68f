"""Facts about the messages between driver, trials and workers."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import pytest

from study.config import TrialConfig
from study.config_values import Schedule
from study.runtime import messages
from study.runtime.messages import Assignment, Failure, FinalReport, TrainingReport, read_report

TRIAL = TrialConfig(alpha=Schedule(start=1, end=0, shape="cosine"), query_prefix="คำถาม: ", seed=7)
TUNE = {"training_iteration": 5, "time_total_s": 3.5, "pid": 7, "done": False, "config/number": 3, "date": "2026-11-26"}


def test_an_assignment_survives_json_and_pickle_with_its_schedule() -> None:
    assignment = Assignment(3, TRIAL, recorded_step=40)
    assert Assignment.from_dict(json.loads(json.dumps(assignment.to_dict()))) == assignment
    assert pickle.loads(pickle.dumps(assignment)) == assignment  # noqa: S301 - as Ray Train sends it to workers
    assert messages.trial_number(assignment.to_dict()) == 3


@pytest.mark.parametrize(
    "message",
    [
        TrainingReport(20, {"loss": 0.5, "learning_rate": 3e-5}),
        TrainingReport(40, {"loss": 0.5, "validation/multilingual/map": 0.25}, training_ended=True, improved=True),
        TrainingReport(40, {"validation/multilingual/map": math.inf}, improved=False),
        FinalReport(40, {"xquad_r/multilingual/ndcg@10": 0.5, "step_seconds": 2}),
        Failure("查询语言缺失: corpus 'ไทย' has no row"),
    ],
    ids=str,
)
def test_a_report_is_read_back_without_what_tune_adds(message: Any) -> None:
    assert read_report({**TUNE, **message.to_dict()}) == message


def test_train_ranks_a_checkpoint_by_its_step_if_it_is_the_best_so_far() -> None:
    ranks = [
        TrainingReport(40, {}, improved=improved).to_dict()[messages.IMPROVED_AT_STEP] for improved in (True, False)
    ]
    assert ranks == [40, 0]
    assert messages.IMPROVED_AT_STEP not in TrainingReport(40, {}).to_dict()


def test_values_that_json_lacks_are_left_out() -> None:
    assert messages.finite({"a": 1.5, "b": math.nan, "c": -math.inf, "d": 0}) == {"a": 1.5, "d": 0}


def test_only_validations_after_the_recorded_step_are_reported_again() -> None:
    history = [
        {"step": 10, "loss": 3.0, "validation/loss": 2.0},
        {"step": 15, "loss": 2.5},
        {"step": 20, "loss": 2.0, "validation/loss": 1.5},
        {"step": 30, "loss": 1.0, "validation/loss": 1.25},
    ]
    assert messages.unrecorded(history, 10, training_ended=True) == [
        TrainingReport(20, {"loss": 2.0, "validation/loss": 1.5}),
        TrainingReport(30, {"loss": 1.0, "validation/loss": 1.25}, training_ended=True),
    ]
    assert not any(report.training_ended for report in messages.unrecorded(history, 0, training_ended=False))
    assert messages.unrecorded(history, 30, training_ended=True) == []
