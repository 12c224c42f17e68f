from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist

from study import distributed
from tasks.plugins import TaskError
from tests.process_group import RunInGroup


def total(offset: int) -> torch.Tensor:
    value = torch.tensor([dist.get_rank() + offset])
    dist.all_reduce(value)
    return value


def fail_in_rank_one() -> None:
    if dist.get_rank() == 1:
        raise TaskError("ภาษาไทย")
    dist.barrier()


def die_in_rank_one() -> None:
    if dist.get_rank() == 1:
        os._exit(7)
    dist.barrier()


@pytest.mark.parametrize("world_size", [2, 3])
def test_collectives_see_every_process(run_in_group: RunInGroup, world_size: int) -> None:
    expected = sum(range(world_size)) + 10 * world_size
    assert [int(value) for value in run_in_group(world_size, total, 10)] == [expected] * world_size


def test_an_error_in_one_process_is_raised_and_the_next_call_works(run_in_group: RunInGroup) -> None:
    with pytest.raises(TaskError, match="ภาษาไทย"):
        run_in_group(2, fail_in_rank_one)
    assert [int(value) for value in run_in_group(2, total, 0)] == [1, 1]


def test_a_dead_process_ends_the_call(run_in_group: RunInGroup) -> None:
    with pytest.raises(RuntimeError, match=r"died|closed by peer"):
        run_in_group(2, die_in_rank_one)


def wait_for_a_late_rank(patient: bool) -> str:
    """A group that gives up after a second, formed beside the one of these tests."""
    late = dist.new_group(timeout=timedelta(seconds=1))
    if patient:
        distributed.wait_for_hours(late)
    if dist.get_rank():
        time.sleep(3)
    try:
        dist.all_reduce(torch.ones(1), group=late)
    except RuntimeError:
        return "gave up"
    return "waited"


def test_ranks_wait_for_hours_once_they_are_told_to(run_in_group: RunInGroup) -> None:
    assert run_in_group(2, wait_for_a_late_rank, True) == ["waited"] * 2
    assert "gave up" in run_in_group(2, wait_for_a_late_rank, False)
