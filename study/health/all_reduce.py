"""Checks that workers on all nodes can add up numbers; an autoscaling cluster is asked for nodes first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import ray
import ray.train
import ray.train.torch
import torch
import torch.distributed as dist
from ray.autoscaler.sdk import request_resources
from ray.train.torch import TorchTrainer

from study.config_sections import ResourcesConfig
from study.health.findings import Finding
from study.runtime import cluster
from study.runtime.ray_internals import torch_config
from study.runtime.resources import Node
from study.runtime.trial import scaling

VALUES = 2**20
"""Numbers that each worker contributes: 4 MiB."""


class Total(NamedTuple):
    """The outcome of an all-reduce; it crosses Ray."""

    nodes: int
    """Nodes that took part."""
    wrong: int
    """Workers that got a wrong sum."""


def all_reduce(resources: ResourcesConfig, folder: str) -> Finding:
    """Add up numbers over workers that take what a trial's workers take.

    With GPUs there are as many workers as fit; on CPUs one per node, and at least as many as a trial has.

    Args:
        resources: what a trial of the study takes.
        folder: a folder of the studies' storage, for Ray Train's own files.
    """
    if 0 < resources.gpus_per_worker < 1:  # trials share a GPU, but NCCL gives each worker its own
        resources = resources.model_copy(update={"gpus_per_worker": 1.0})
    slots = [node.workers(resources) for node in cluster.supply().nodes]
    wanted = sum(slots) if resources.gpus_per_worker else max(resources.workers, sum(slot > 0 for slot in slots))
    workers = min(wanted, sum(slots), _free(resources))
    size = f"{resources.cpus_per_worker:g} CPU, {resources.gpus_per_worker:g} GPU"
    if workers < resources.workers:
        says = f"only {workers} of a trial's {resources.workers} x ({size}) fit now"
        return Finding("all-reduce", False, says, "wait for what runs now, or add nodes")
    config = torch_config(resources)
    try:
        total: Total = _trainer(workers, resources, config, folder).fit().return_value
    except ray.train.TrainingFailedError as error:
        first = str(error).strip().splitlines()[-1]
        fix = (
            "nodes must reach each other on every port; with GPUs, set NCCL_DEBUG=INFO, run this again and see the "
            "worker's log"
        )
        return Finding("all-reduce", False, f"{workers} x ({size}) with {config.backend} failed: {first}", fix)
    where = f"{workers} x ({size}) on {total.nodes} of {len(slots)} nodes with {config.backend}"
    if total.wrong:
        return Finding("all-reduce", False, f"{where} got a wrong sum", "update the driver and NCCL of the nodes")
    return Finding("all-reduce", True, f"{where}: the sum is right on every worker")


def _free(resources: ResourcesConfig) -> int:
    """Return how many workers fit at most beside what runs now."""
    free = ray.available_resources()
    return Node(free.get("CPU", 0), free.get("GPU", 0)).workers(resources)


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


def _add_up() -> Total:
    """Add up numbers over all workers; runs in each of them."""
    world = dist.get_world_size()
    total = torch.full((VALUES,), float(dist.get_rank() + 1), device=ray.train.torch.get_device())
    dist.all_reduce(total)
    wrong = bool((total != world * (world + 1) / 2).any())
    workers: list[Any] = [None] * world
    dist.all_gather_object(workers, (ray.get_runtime_context().get_node_id(), wrong))
    return Total(nodes=len({node for node, _ in workers}), wrong=sum(is_wrong for _, is_wrong in workers))


_PATIENCE_S = 900
"""A cloud machine starts in two minutes and installs torch in ten."""
_POLL_S = 1


@contextmanager
def place_for_a_trial(need: ResourcesConfig, log: Callable[[str], None]) -> Iterator[None]:
    """Keep the nodes of one trial running within the context, if the cluster has none yet and can grow.

    Args:
        need: what the trial takes.
        log: called with a line that says what is waited for.
    """
    present = cluster.supply()
    if present.trials_now(need) or not present.trials_at_once(need):
        yield
        return
    log(f"{present}: asking for the nodes of one trial, which takes minutes")
    request_resources(bundles=[need.per_worker] * need.workers)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not cluster.supply().trials_now(need) and time.monotonic() < deadline:
            time.sleep(_POLL_S)  # Ray does not notify of new nodes
        yield
    finally:
        request_resources(bundles=[])
