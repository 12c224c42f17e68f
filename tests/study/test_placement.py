"""Processors that a killed attempt of a trial left behind, on real Ray."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import ray
from ray.exceptions import GetTimeoutError, RayActorError
from ray.train.v2._internal.execution.worker_group import worker_group

from study import placement


@pytest.fixture(scope="module", autouse=True)
def two_processors() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 * 2**20)
    yield
    ray.shutdown()


class Controller:
    """Reserves processors as Ray Train's controller does, and dies before it has started workers."""

    def reserve(self, trial: str, processors: int) -> None:
        placement.NamedPlacement(trial).before_worker_group_start(None)
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


def test_the_next_attempt_frees_what_the_killed_one_left_and_nothing_of_another_trial() -> None:
    killed_controller("/studies/a/trials/0001", 1)
    killed_controller("/studies/a/trials/0002", 1)
    assert not can_use(1, patience=3), "Ray frees it by itself: study/placement.py is not needed any more"
    placement.release("/studies/a/trials/0001")
    assert can_use(1, patience=60)
    assert not can_use(2, patience=3)
    placement.release("/studies/a/trials/0002")
    assert can_use(2, patience=60)


def test_there_is_nothing_to_free_for_a_trial_that_never_ran() -> None:
    placement.release("/studies/a/trials/0003")
    assert can_use(2, patience=60)
