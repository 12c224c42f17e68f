"""Processors that a killed attempt of a trial left behind, on real Ray."""

from __future__ import annotations

import multiprocessing
from typing import Any

import pytest
import ray
from ray.exceptions import GetTimeoutError, RayActorError
from ray.train.v2._internal.execution.worker_group import worker_group

from study.runtime import ray_internals


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


def test_the_next_attempt_frees_what_the_killed_one_left_and_nothing_of_another_trial() -> None:
    # In a process of its own: Tune works once a process, and other tests of this one need it.
    alone = multiprocessing.get_context("spawn").Process(target=frees_what_was_left)
    alone.start()
    alone.join()
    assert alone.exitcode == 0
