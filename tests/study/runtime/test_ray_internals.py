"""Processors that a killed attempt of a trial left behind, drivers killed for memory, and the hub token of a job."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
import ray
import ray.train
from ray.air.execution._internal import RayActorManager
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayActorError
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.execution.worker_group import worker_group
from ray.tune.execution import tune_controller

from study.runtime import cluster, ray_internals

pytestmark = pytest.mark.ray


class Controller:
    """Reserves processors as Ray Train's controller does, and dies before it has started workers."""

    def reserve(self, trial: str, processors: int) -> None:
        ray_internals.NamedPlacement(trial).before_worker_group_start(None)
        ray.get(worker_group.placement_group([{"CPU": 1}] * processors).ready(), timeout=60)

    def die(self) -> None:
        ray.actor.exit_actor()


def killed_controller(trial: str, processors: int) -> None:
    controller: Any = ray.remote(Controller).options(num_cpus=0).remote()
    ray.get(controller.reserve.remote(trial, processors), timeout=60)
    with pytest.raises(RayActorError):
        ray.get(controller.die.remote(), timeout=60)


def can_use(processors: int, patience: float) -> bool:
    task = ray.remote(lambda: True).options(num_cpus=processors).remote()
    try:
        return bool(ray.get(task, timeout=patience))
    except GetTimeoutError:
        ray.cancel(task)
        return False


def frees_what_was_left() -> None:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 * 2**20)
    ray_internals.release("/studies/a/trials/0003")  # which never ran
    killed_controller("/studies/a/trials/0001", 1)
    killed_controller("/studies/a/trials/0002", 1)
    assert not can_use(1, patience=3), "Ray frees it by itself: study/runtime/ray_internals.py is not needed any more"
    ray_internals.release("/studies/a/trials/0001")
    assert can_use(1, patience=60)
    assert not can_use(2, patience=3)
    ray_internals.release("/studies/a/trials/0002")
    assert can_use(2, patience=60)
    ray.shutdown()


def alone(function: Any, *arguments: Any) -> None:
    """Run in a process of its own: Tune works once per process, and other tests of this one need it."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_the_next_attempt_frees_what_the_killed_one_left_and_nothing_of_another_trial() -> None:
    alone(frees_what_was_left)


TOKEN = "hf_" + "ThaiChineseArabic" * 2


def received_token() -> str | None:
    ray_internals.receive_hub_token()
    return os.environ.get("HF_TOKEN")


def shares_a_token(folder: Path) -> None:
    os.environ.pop("HF_TOKEN", None)
    os.environ["HF_HOME"] = str(folder / "home")  # where there is no token either
    worker = ray.remote(received_token)
    cluster.start()  # workers of this Ray inherit the environment of now
    connected: Any = ray.init(ignore_reinit_error=True)
    session = Path(connected.address_info["session_dir"])
    assert ray.get(worker.remote(), timeout=120) is None
    os.environ["HF_TOKEN"] = TOKEN
    with cluster.running():
        alone = ray.train.ScalingConfig(num_workers=1)
        storage = ray.train.RunConfig(storage_path=str(folder))
        assert TorchTrainer(received_token, scaling_config=alone, run_config=storage).fit().return_value == TOKEN
        assert ray.get(worker.options(runtime_env={"env_vars": {"HF_TOKEN": "own"}}).remote(), timeout=120) == "own"
    logs = [file for place in (session, folder) for file in place.rglob("*") if file.is_file()]
    assert any("runtime_env" in file.name for file in logs)  # where Ray writes what workers are started with
    assert not [file for file in logs if TOKEN.encode() in file.read_bytes()]


def test_workers_receive_the_driver_s_hub_token_and_ray_logs_it_nowhere(tmp_path: Path) -> None:
    alone(shares_a_token, tmp_path)


def test_a_driver_that_ray_kills_for_memory_counts_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tune's table of drivers raises, and ends the study, for all but task and actor errors."""
    handled: list[Exception] = []
    monkeypatch.setattr(RayActorManager, "_actor_task_failed", lambda _self, _task, error: handled.append(error))
    used_by_tune: Any = tune_controller
    monkeypatch.setattr(used_by_tune, "RayActorManager", RayActorManager)
    ray_internals.survive_memory_monitor()
    table = object.__new__(used_by_tune.RayActorManager)
    other = ValueError("any other")
    table._actor_task_failed(None, OutOfMemoryError("Task was killed due to low memory.\nTop 10:"))
    table._actor_task_failed(None, other)
    assert isinstance(handled[0], RayActorError)
    assert str(handled[0]) == "low on memory: Task was killed due to low memory."
    assert handled[1] is other
