"""A trial's workers on every node, formed and placed as a study's are, that add up numbers between them.

Nodes that an autoscaling cluster starts only when asked: brought up, so that they are looked at too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
import torch.distributed as dist
from ray.autoscaler.sdk import request_resources
from ray.train.torch import TorchTrainer

from study.config import ResourcesConfig
from study.health.findings import Finding
from study.runtime import cluster
from study.runtime.ray_internals import torch_config
from study.runtime.resources import Node
from study.runtime.trial import scaling

VALUES = 2**20
"""Numbers a worker contributes: 4 MiB."""


def all_reduce(resources: ResourcesConfig, folder: str) -> Finding:
    """Let workers that each hold what a worker of `resources` holds add up numbers.

    On GPUs there are as many as fit; on CPUs one a node, and at least as many as a trial has.

    Args:
        resources: what the trials of the study occupy.
        folder: a folder of the studies' storage, for Ray Train's own files.
    """
    slots = [node.workers(resources) for node in cluster.supply().nodes]
    wanted = sum(slots) if resources.gpus_per_worker else max(resources.workers, sum(slot > 0 for slot in slots))
    workers = min(wanted, sum(slots), _free(resources))
    a_worker = f"{resources.cpus_per_worker} CPU, {resources.gpus_per_worker:g} GPU"
    if workers < resources.workers:
        mend = "wait for what runs now, or add nodes"
        return Finding(
            "all-reduce", False, f"{workers} of a trial's {resources.workers} x ({a_worker}) have a place", mend
        )
    config = torch_config(resources)
    try:
        measured = _trainer(workers, resources, config, folder).fit().return_value
    except ray.train.TrainingFailedError as error:
        first = str(error).strip().splitlines()[-1]
        mend = "nodes must reach each other on every port; for GPUs see the worker's log with NCCL_DEBUG=INFO"
        return Finding("all-reduce", False, f"{workers} x ({a_worker}) by {config.backend} failed: {first}", mend)
    where = f"{workers} x ({a_worker}) on {measured['nodes']} of {len(slots)} nodes by {config.backend}"
    if measured["wrong"]:
        return Finding("all-reduce", False, f"{where} got a wrong sum", "update the driver and NCCL of the nodes")
    return Finding("all-reduce", True, f"{where}: the sum is right on every worker")


def _free(resources: ResourcesConfig) -> int:
    """Return for how many workers there is room at most beside what runs now."""
    held = ray.available_resources()
    return Node(held.get("CPU", 0), held.get("GPU", 0)).workers(resources)


def _trainer(workers: int, resources: ResourcesConfig, config: Any, folder: str) -> TorchTrainer:
    return TorchTrainer(
        _add_up,
        torch_config=config,
        scaling_config=scaling(resources, workers, placement_strategy="SPREAD"),
        run_config=ray.train.RunConfig(
            name="all-reduce",
            storage_path=folder,
            failure_config=ray.train.FailureConfig(max_failures=0, controller_failure_limit=1),
            logging_config=ray.train.LoggingConfig(log_level="ERROR"),
        ),
    )


def _add_up() -> dict[str, int]:
    """Return how many workers got a wrong sum, and how many nodes took part."""
    world = dist.get_world_size()
    total = torch.full((VALUES,), float(dist.get_rank() + 1), device=ray.train.torch.get_device())
    dist.all_reduce(total)
    wrong = bool((total != world * (world + 1) / 2).any())
    seen: list[Any] = [None] * world
    dist.all_gather_object(seen, (ray.get_runtime_context().get_node_id(), wrong))
    return {"nodes": len({node for node, _ in seen}), "wrong": sum(failed for _, failed in seen)}


_PATIENCE_S = 900
"""A cloud machine is up in two minutes, and has installed torch in ten."""
_ASKS_EVERY_S = 1


@contextmanager
def place_for_a_trial(need: ResourcesConfig, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the nodes of one trial while the block runs, where the cluster has none yet and may grow.

    Args:
        need: what the trial takes.
        tell: called with what is waited for.
    """
    there = cluster.supply()
    if there.trials_now(need) or not there.trials_at_once(need):
        yield
        return
    tell(f"{there}: asking for the nodes of one trial, which takes minutes")
    request_resources(bundles=[need.per_worker] * need.workers)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not cluster.supply().trials_now(need) and time.monotonic() < deadline:
            time.sleep(_ASKS_EVERY_S)  # nothing tells of a node that came
        yield
    finally:
        request_resources(bundles=[])
