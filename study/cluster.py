"""Ray: attach to the cluster that is there, or start one on this machine; and how many trials fit on it."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import ray

from study.config import ResourcesConfig

OBJECT_STORE_BYTES = 256 * 2**20
"""Trials pass files, not objects: a small store is enough and leaves the memory to the workers."""
ENVIRONMENT = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",  # reports wait for this poll; the default of 2 s is felt in every trial
    "TOKENIZERS_PARALLELISM": "false",  # one thread per worker tokenizes; more would fight over the worker's cores
    "TRANSFORMERS_VERBOSITY": "error",
}


class ClusterError(RuntimeError):
    """The machine or cluster cannot run the study, in one sentence that says what to do."""


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


def supply() -> Supply:
    """Return what a running cluster has, else what this machine has; starts nothing."""
    if attach():
        held = ray.cluster_resources()
        return Supply("the cluster", held.get("CPU", 0), held.get("GPU", 0))
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return Supply("this machine", len(os.sched_getaffinity(0)), gpus)


def trials_at_once(demands: Iterable[ResourcesConfig], available: Supply) -> int:
    """Return how many trials may run at once whatever each of them is.

    Raises:
        ClusterError: one of them can never run.
    """
    fewest = math.inf
    for resources in demands:
        fit = available.trials_at_once(resources)
        if fit == 0:
            raise ClusterError(
                f"resources.workers {resources.workers} x ({resources.cpus_per_worker} CPU, "
                f"{resources.gpus_per_worker:g} GPU) is more than {available.where} has "
                f"({available.cpus:g} CPU, {available.gpus:g} GPU); lower resources.workers, or add nodes"
            )
        fewest = min(fewest, fit)
    assert fewest < math.inf, "no trial to run"
    return int(fewest)


def attach() -> bool:
    """Connect to a running cluster; return whether there is one."""
    if ray.is_initialized():
        return True
    try:
        ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR, runtime_env=_runtime_environment())
    except ConnectionError:
        return False
    return True


def start() -> None:
    """Connect to a running cluster, or start one on this machine that ends with this process."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not attach():
        ray.init(
            address="local",
            include_dashboard=True,  # the State API lives there; Train needs it to free what a stopped trial held
            dashboard_host="127.0.0.1",
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=_runtime_environment(),
        )


def _runtime_environment() -> dict[str, dict[str, str]]:
    passed = {name: os.environ[name] for name in ("STUDY_CACHE", "HF_HOME", "HF_HUB_OFFLINE") if name in os.environ}
    return {"env_vars": ENVIRONMENT | passed}
