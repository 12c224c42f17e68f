"""How many trials fit: what one needs against what there is. Without Ray."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from study.config import ResourcesConfig
from tasks.errors import UserError

RAY_MARK = Path("/tmp/ray/ray_current_cluster")  # noqa: S108 - where `ray start` notes the cluster it started


class CapacityError(UserError):
    """A trial needs more than there is."""


class Supply(NamedTuple):
    """Processors, over all nodes."""

    where: str
    cpus: float
    gpus: float

    def trials_at_once(self, resources: ResourcesConfig) -> int:
        """Return how many such trials fit side by side."""
        fits = [self.cpus / (resources.workers * resources.cpus_per_worker)]
        if resources.gpus_per_worker:
            fits.append(self.gpus / (resources.workers * resources.gpus_per_worker))
        return math.floor(min(fits) + 1e-9)


def cluster_address() -> str | None:
    """Return the address of the cluster this machine belongs to: RAY_ADDRESS, else what `ray start` noted.

    Never Ray's own `auto`, which also finds the private instances that other studies on this machine started.
    """
    return os.environ.get("RAY_ADDRESS") or (RAY_MARK.read_text("utf-8").strip() if RAY_MARK.is_file() else None)


def this_machine() -> Supply:
    """Return the processors of this machine."""
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return Supply("this machine", len(os.sched_getaffinity(0)), gpus)


def trials_at_once(demands: Iterable[ResourcesConfig], available: Supply) -> int:
    """Return how many trials may run at once whatever each of them is.

    Raises:
        CapacityError: one of them can never run.
    """
    fewest = math.inf
    for resources in demands:
        fit = available.trials_at_once(resources)
        if fit == 0:
            raise CapacityError(
                f"resources.workers {resources.workers} x ({resources.cpus_per_worker} CPU, "
                f"{resources.gpus_per_worker:g} GPU) is more than {available.where} has "
                f"({available.cpus:g} CPU, {available.gpus:g} GPU); lower resources.workers, or add nodes"
            )
        fewest = min(fewest, fit)
    assert fewest < math.inf, "no trial to run"
    return int(fewest)
