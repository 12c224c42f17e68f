"""Examines the nodes of the running cluster, each by an actor on it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.results import files, provenance
from study.runtime import ray_internals
from study.runtime.resources import ray_folder
from tasks.data import hub
from tasks.data.cache import cache_folder
from tasks.plugins import TaskError


@dataclass(frozen=True)
class Node:
    """The state of one node."""

    name: str
    """Host name and address."""
    versions: dict[str, str]
    """Versions of Python, of packages, and of this project: a hash of its sources, as nodes have no git history."""
    ray_gpus: float
    """GPUs that Ray hands out on this node."""
    driver_gpus: int
    """GPUs that the NVIDIA driver shows."""
    free_bytes: int
    """Free space where models and data are cached."""
    full: float
    """Used fraction of the disk with Ray's own files, 0 to 1."""
    absent_models: tuple[str, ...] = ()
    """Models that are neither on the hub nor in this node's cache."""
    clock_off_s: float = 0.0
    """Seconds by which its clock is ahead of the clock of the node that asks, beyond the time of the call."""
    storage_error: str = ""
    """Why it cannot share files through the studies' storage; empty if it can."""


def examine(address: str, ray_gpus: float, models: tuple[str, ...]) -> Node:
    """Examine the node that this process runs on.

    Args:
        address: the node's address in the cluster.
        ray_gpus: GPUs that Ray counts on it.
        models: hub models that a study needs.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(ray_folder().parent)
    return Node(
        name=f"{platform.node()} ({address})",
        versions=provenance.versions(),
        ray_gpus=ray_gpus,
        driver_gpus=_driver_gpus(),
        free_bytes=shutil.disk_usage(cache).free,
        full=disk.used / disk.total,
        absent_models=tuple(model for model in models if not _can_load(model)),
    )


def share(folder: str, mine: str, others: str) -> str:
    """Read another node's file in `folder` of the storage and write one; return what went wrong, or an empty text."""
    try:
        if not files.exists(files.join(folder, others)):
            return f"does not see what another node wrote to {folder}"
        files.write_text(files.join(folder, mine), mine)
    except OSError as error:  # pyarrow's and the file system's alike
        return f"cannot use {folder}: {error}"
    return ""


def _driver_gpus() -> int:
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)  # noqa: S603 - no input of others
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def _can_load(model: str) -> bool:
    try:
        hub.model_folder(model, ["config.json"])
    except TaskError:
        return False
    return True


ASKER = "asker"


class _Examiner:
    """Runs on one node."""

    def examine(self, address: str, gpus: float, models: tuple[str, ...]) -> Node:
        ray_internals.receive_hub_token()
        return examine(address, gpus, models)

    def share(self, folder: str, mine: str) -> str:
        return share(folder, mine, ASKER)

    def now(self) -> float:
        return time.time()


def look(models: tuple[str, ...], folder: str) -> list[Node]:
    """Examine every live node.

    Args:
        models: hub models that a study needs.
        folder: a new folder in the studies' storage, into which every node writes.
    """
    failure = ""
    try:
        files.write_text(files.join(folder, ASKER), ASKER)
    except OSError as error:
        failure = f"cannot use {folder}: {error}"
    alive = [node for node in ray.nodes() if node["Alive"]]
    examiners = [_examiner(node["NodeID"]) for node in alive]
    answers = [
        examiner.examine.remote(node["NodeManagerAddress"], node["Resources"].get("GPU", 0), models)
        for examiner, node in zip(examiners, alive, strict=True)
    ]
    nodes = ray.get(answers)
    failures = ray.get(
        [examiner.share.remote(folder, node["NodeID"]) for examiner, node in zip(examiners, alive, strict=True)]
    )
    clocks = [_clock_off(examiner) for examiner in examiners]
    return [
        replace(node, storage_error=failure or own_failure, clock_off_s=off)
        for node, own_failure, off in zip(nodes, failures, clocks, strict=True)
    ]


def _examiner(node_id: str) -> Any:
    strategy = NodeAffinitySchedulingStrategy(node_id, soft=False)
    return ray.remote(_Examiner).options(num_cpus=0, scheduling_strategy=strategy).remote()


def _clock_off(examiner: Any) -> float:
    """Return by how many seconds a node's clock is outside the time span of the call that reads it."""
    before = time.time()
    there: float = ray.get(examiner.now.remote())
    after = time.time()
    return min(0.0, there - before) + max(0.0, there - after)
