"""Who hears of a study's trials: what TensorBoard reads back, what MLflow is told, and what is refused."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.air.integrations.wandb import WandbLoggerCallback
from ray.tune.logger import TBXLoggerCallback
from ray.tune.utils.callback import _create_default_callbacks
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from study.config import TrialConfig
from study.config_values import Schedule
from study.runtime import preflight
from study.runtime.loggers import LoggerError, MLflow, TensorBoard, callbacks
from study.runtime.messages import Assignment
from study.runtime.wandb_logger import WeightsAndBiases
from study.space import study_config
from study.space.study_config import StudyConfig
from tasks.errors import UserError
from tests.study.disks import fill


def study(*loggers: str) -> StudyConfig:
    space = {"alpha": {"type": "float", "low": 0, "high": 1}, "warmup": {"type": "float", "low": 0, "high": 1}}
    source = {"search": {"sampler": "random", "trials": 2, "space": space}, "loggers": list(loggers)}
    return study_config.parse(source, "small")


def unknown(trial_id: str) -> Assignment:
    raise KeyError(trial_id)


def write(folder: Path, assignment: Assignment, reports: list[dict[str, Any]]) -> None:
    trial: Any = SimpleNamespace(trial_id="0000000a")
    logger = TensorBoard(study(), str(folder), {trial.trial_id: assignment}.__getitem__)
    logger.on_trial_start(0, [], trial)
    for report in reports:
        logger.on_trial_result(0, [], trial, report)
    logger.on_trial_complete(0, [], trial)


def test_tensorboard_reads_scalars_over_the_trial_s_own_steps_and_settings_by_flat_name(tmp_path: Path) -> None:
    reports = [
        {"step": 20, "loss": 3.5, "training_iteration": 1, "pid": 7},
        {
            "step": 40,
            "loss": 2.5,
            "validation/multilingual/map": 0.25,
            "training_iteration": 2,
            "training_ended": False,
        },
        {"step": 40, "final": True, "factbook/multilingual/ndcg@10": 0.5, "training_iteration": 3},
    ]
    write(tmp_path, Assignment(3, TrialConfig(alpha=0.25, warmup=0.2)), reports)
    read = EventAccumulator(str(tmp_path / "tensorboard" / "0003")).Reload()
    scalars = {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    assert scalars == {
        "loss": [(20, 3.5), (40, 2.5)],
        "validation/multilingual/map": [(40, 0.25)],
        "factbook/multilingual/ndcg_at_10": [(40, 0.5)],
    }
    content = read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    held = HParamsPluginData.FromString(content).session_start_info.hparams
    assert {"backbone", "alpha", "temperature", "learning_rate", "batch_size", "steps", "seed", "warmup"} == set(held)
    assert (held["alpha"].number_value, held["warmup"].number_value) == (0.25, 0.2)
    assert held["backbone"].string_value == "builtin/xlmr-tiny"


def test_the_best_validation_that_a_final_report_repeats_is_no_figure_of_the_last_step(tmp_path: Path) -> None:
    reports = [
        {"step": step, "validation/multilingual/map": value, "training_ended": step == 40}
        for step, value in ((20, 0.5), (40, 0.25))
    ]
    final = {"step": 40, "final": True, "validation/multilingual/map": 0.5, "factbook/multilingual/map": 0.75}
    write(tmp_path, Assignment(3, TrialConfig(steps=40)), [*reports, final])
    (folder,) = tmp_path.glob("*/0003")
    read = EventAccumulator(str(folder)).Reload()
    scalars = {tag: [(one.step, one.value) for one in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    assert scalars["validation/multilingual/map"] == [(20, 0.5), (40, 0.25)]
    assert scalars["best/validation/multilingual/map"] == [(40, 0.5)]
    assert scalars["factbook/multilingual/map"] == [(40, 0.75)]


def test_a_scheduled_setting_is_written_as_text(tmp_path: Path) -> None:
    write(tmp_path, Assignment(0, TrialConfig(alpha=Schedule(start=1, end=0))), [])
    read = EventAccumulator(str(tmp_path / "tensorboard" / "0000")).Reload()
    content = read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert "'start': 1" in HParamsPluginData.FromString(content).session_start_info.hparams["alpha"].string_value


def test_a_report_that_does_not_fit_on_the_disk_is_an_error_and_no_wait(disk: Path) -> None:
    trial: Any = SimpleNamespace(trial_id="0000000a")
    logger = TensorBoard(study(), str(disk), {trial.trial_id: Assignment(3, TrialConfig())}.__getitem__)
    logger.on_trial_start(0, [], trial)
    fill(disk)
    metrics = {f"factbook/multilingual/recall@{k}": 0.5 for k in range(1, 100)}
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        logger.on_trial_result(0, [], trial, {"step": 20, **metrics})


def test_tune_adds_no_second_tensorboard_logger_of_its_own(tmp_path: Path) -> None:
    ours = TensorBoard(study(), str(tmp_path), unknown)
    loggers = _create_default_callbacks([ours])
    assert [logger for logger in loggers if isinstance(logger, TBXLoggerCallback)] == [ours]


def test_mlflow_is_told_names_it_takes_at_the_steps_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, Any] = {}
    monkeypatch.setattr(MLflowLoggerCallback, "log_trial_result", lambda *told: heard.update(told[-1]))
    logger = MLflow.__new__(MLflow)  # the real one would import mlflow
    trial: Any = SimpleNamespace()
    logger.log_trial_result(1, trial, {"loss": 0.5, "step": 3, "training_iteration": 1, "pid": 7})
    assert heard == {"loss": 0.5, "training_iteration": 3}
    heard.clear()
    final = {"factbook/multilingual/ndcg@10": 0.5, "validation/multilingual/map": 0.4, "step": 40, "final": True}
    logger.log_trial_result(2, trial, final)
    assert heard == {
        "factbook/multilingual/ndcg_at_10": 0.5,
        "best/validation/multilingual/map": 0.4,
        "training_iteration": 40,
    }


def test_an_mlflow_that_cannot_be_used_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise RuntimeError("The filesystem is in maintenance mode. Please migrate\nto a database")

    monkeypatch.setattr(MLflowLoggerCallback, "setup", refuses)
    with pytest.raises(
        LoggerError, match=r"^loggers: MLflow cannot be used \(The filesystem is in maintenance mode\): "
    ):
        MLflow.__new__(MLflow).setup()


def test_a_failure_of_a_trial_that_never_started_is_no_error_of_any_logger(tmp_path: Path) -> None:
    trial: Any = type("Trial", (), {"trial_id": "0000000a"})()
    tensorboard = TensorBoard(study(), str(tmp_path), {trial.trial_id: Assignment(3, TrialConfig())}.__getitem__)
    mlflow, wandb = MLflow.__new__(MLflow), WeightsAndBiases.__new__(WeightsAndBiases)  # the packages are not installed
    mlflow._trial_runs, wandb._trial_queues = {}, {}
    for logger in (tensorboard, mlflow, wandb):
        logger.on_trial_error(0, [], trial)
    assert list(tmp_path.iterdir()) == []


def test_a_study_on_shared_storage_leaves_tensorboard_to_tune() -> None:
    assert callbacks(study(), "s3://bucket/study", unknown) == []


def test_a_logger_that_is_not_installed_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserError, match=r"^loggers: 'wandb' is not installed: pip install wandb, or remove it"):
        preflight.check_loggers(study("wandb"))
    preflight.check_loggers(study())


def test_wandb_has_one_run_for_a_trial_however_often_it_is_started_over_the_steps_of_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[dict[str, Any]] = []
    heard: list[dict[str, Any]] = []
    monkeypatch.setattr(WandbLoggerCallback, "_start_logging_actor", lambda *_, **told: started.append(told))
    monkeypatch.setattr(WandbLoggerCallback, "log_trial_result", lambda *told: heard.append(told[-1]))
    for trial_id in ("0000000a", "0000000b"):  # a resumed study has other ids
        logger = WeightsAndBiases.__new__(WeightsAndBiases)  # the real one would look for wandb
        logger._identity, logger._assignment_of = (
            "0123456789abcdef" * 2,
            lambda _: Assignment(3, TrialConfig(alpha=0.25)),
        )
        trial: Any = SimpleNamespace(trial_id=trial_id)
        logger._start_logging_actor(trial, [], id=trial_id, name=trial_id, resume=False, group="first", config={})
        logger.log_trial_result(2, trial, {"loss": 0.5, "step": 3, "training_iteration": 1, "pid": 7})
        logger.log_trial_result(3, trial, {"validation/multilingual/map": 0.4, "step": 4, "final": True})
    assert started[0] == started[1]
    assert (started[0]["id"], started[0]["name"], started[0]["resume"]) == ("0123456789abcdef-0003", "0003", "allow")
    assert started[0]["config"]["alpha"] == 0.25
    assert heard[:2] == [
        {"loss": 0.5, "training_iteration": 3},
        {"best/validation/multilingual/map": 0.4, "training_iteration": 4},
    ]


def test_wandb_without_a_key_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise ValueError("No WandB API key found. Either set the WANDB_API_KEY environment variable")

    monkeypatch.setattr(WandbLoggerCallback, "setup", refuses)
    with pytest.raises(
        LoggerError, match=r"^loggers: W&B cannot be used \(No WandB API key found\): set WANDB_API_KEY"
    ):
        WeightsAndBiases.__new__(WeightsAndBiases).setup()
