"""Rank, world size and gathers: right inside a process group and right without one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")
PATIENCE = timedelta(hours=6)
"""How long ranks wait for one another."""


def rank() -> int:
    """Return this process's rank; 0 without a process group."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes; 1 without a process group."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait_for_hours(group: dist.ProcessGroup | None = None) -> None:
    """Let the workers of a trial wait `PATIENCE` for one another, and not the half hour that Ray gives them to meet.

    Between two exchanges a rank may read a whole benchmark or download a model, or begin a part anew on another node.
    That a process has died, Ray notices by itself.

    Args:
        group: all ranks unless given.
    """
    if dist.is_initialized():
        dist.distributed_c10d._set_pg_timeout(PATIENCE, group or dist.group.WORLD)  # noqa: SLF001 - has no public name


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Sum `tensor` over all ranks in place, and return it."""
    if world_size() > 1:
        dist.all_reduce(tensor)
    return tensor


def gather_rows(rows: Tensor) -> Tensor:
    """Return every rank's rows, rank 0's first; ranks may hold different numbers of rows. No gradient."""
    (gathered,) = gather_alike(rows)
    return gathered


def gather_alike(*tensors: Tensor) -> list[Tensor]:
    """Return, for tensors with equally many rows in a process, every rank's rows as `gather_rows` does."""
    if world_size() == 1:
        return list(tensors)
    device = tensors[0].device
    counts = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(world_size())]
    dist.all_gather(counts, torch.tensor([len(tensors[0])], device=device))
    sizes = [int(count) for count in counts]
    return [_gather_padded(rows, sizes) for rows in tensors]


def _gather_padded(rows: Tensor, sizes: list[int]) -> Tensor:
    padded = rows.new_zeros((max(sizes), *rows.shape[1:]))
    padded[: len(rows)] = rows
    gathered = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(gathered, padded)
    return torch.cat([part[:size] for part, size in zip(gathered, sizes, strict=True)])


def gather_objects(value: Any) -> list[Any]:
    """Return the value of every rank, in rank order."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def from_first_rank(value: T) -> T:
    """Return rank 0's value."""
    first: T = gather_objects(value)[0]
    return first


class _GatherWithGradient(torch.autograd.Function):
    """All-gather whose backward sums, over ranks, the gradient of each rank's rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:  # noqa: ARG004
        gathered = [torch.empty_like(rows) for _ in range(world_size())]
        dist.all_gather(gathered, rows.contiguous())
        return torch.cat(gathered)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        (gradient,) = gradients
        summed = sum_over_ranks(gradient.contiguous())
        return summed.chunk(world_size())[rank()]


_gather: Callable[[Tensor], Tensor] = _GatherWithGradient.apply


def gather_with_gradient(rows: Tensor) -> Tensor:
    """Return every rank's rows, rank 0's first, keeping the gradient path to all of them.

    Every rank must hold the same number of rows. Together with DDP's averaging and a loss that is a mean over local
    queries, the gradient is exactly that of one process on the joined batch: no factor for the world size.
    """
    if world_size() == 1:
        return rows
    return _gather(rows)
