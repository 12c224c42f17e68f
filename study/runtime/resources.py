"""How many trials fit: what one needs against what there is, node by node. Without Ray."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import yaml

from study.config import ResourcesConfig
from tasks.errors import UserError

LOOPBACK = "127.0.0.1"
RAY_MARK = Path("/tmp/ray/ray_current_cluster")  # noqa: S108 - where `ray start` notes the cluster it started
RAY_UP = Path("~/ray_bootstrap_config.yaml")
"""Where `ray up` leaves the cluster's YAML on its head, with every node type's resources filled in."""
_EPSILON = 1e-9


class CapacityError(UserError):
    """A trial needs more than there is."""


class Node(NamedTuple):
    """One machine, or several alike."""

    cpus: float
    gpus: float
    copies: int = 1

    def workers(self, need: ResourcesConfig) -> int:
        """Return how many workers fit; each lies on one machine, and a part of a GPU on one GPU."""
        fit = math.floor(self.cpus / need.cpus_per_worker + _EPSILON)
        if need.gpus_per_worker >= 1:
            fit = min(fit, math.floor(self.gpus / need.gpus_per_worker + _EPSILON))
        elif need.gpus_per_worker:
            fit = min(fit, math.floor(self.gpus) * math.floor(1 / need.gpus_per_worker + _EPSILON))
        return fit * self.copies


class Supply(NamedTuple):
    """The machines at hand, and those that an autoscaling cluster has once it has grown to its limits."""

    where: str
    nodes: tuple[Node, ...]
    grown: tuple[Node, ...] = ()

    def trials_now(self, need: ResourcesConfig) -> int:
        """Return how many such trials fit side by side on what is there."""
        return sum(node.workers(need) for node in self.nodes) // need.workers

    def trials_at_once(self, need: ResourcesConfig) -> int:
        """Return how many such trials fit side by side, where a cluster may grow once it has grown."""
        return max(self.trials_now(need), sum(node.workers(need) for node in self.grown) // need.workers)

    def __str__(self) -> str:
        cpus, gpus = sum(node.cpus for node in self.nodes), sum(node.gpus for node in self.nodes)
        nodes = f" on {len(self.nodes)} nodes" if len(self.nodes) > 1 else ""
        grows = " and can grow" if self.grown else ""
        return f"{self.where} has {cpus:g} CPU, {gpus:g} GPU{nodes}{grows}"


def cluster_address() -> str | None:
    """Return the address of the cluster this machine belongs to: RAY_ADDRESS, else what `ray start` noted.

    Never Ray's own `auto`, which also finds the private instances that other studies on this machine started.
    """
    return os.environ.get("RAY_ADDRESS") or (RAY_MARK.read_text("utf-8").strip() if RAY_MARK.is_file() else None)


def this_machine() -> Supply:
    """Return the processors of this machine that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if visible is not None:
        gpus = min(gpus, sum(not name.startswith("-") for name in visible.split(",") if name.strip()))
    return Supply("this machine", (Node(len(os.sched_getaffinity(0)), gpus),))


def grown_nodes() -> tuple[Node, ...]:
    """Return the nodes that `ray up` may bring this cluster to; none where it did not start it.

    No API of Ray's tells what an autoscaler may add; its head holds the file that its autoscaler reads.
    """
    file = RAY_UP.expanduser()
    if not file.is_file():
        return ()
    held = yaml.safe_load(file.read_text("utf-8"))
    head, limit = held["head_node_type"], int(held.get("max_workers", 0))
    kinds = held["available_node_types"]
    nodes = [_node(kinds[head], 1)]
    for name, kind in kinds.items():
        if name != head:
            nodes.append(_node(kind, min(int(kind.get("max_workers", 0)), limit)))
    return tuple(nodes)


def _node(kind: dict[str, dict[str, float]], copies: int) -> Node:
    resources = kind.get("resources", {})
    return Node(resources.get("CPU", 0), resources.get("GPU", 0), copies)


def trials_at_once(demands: Iterable[ResourcesConfig], available: Supply) -> int:
    """Return how many trials may run at once whatever each of them is.

    Raises:
        CapacityError: one of them can never run.
    """
    fewest = math.inf
    for need in demands:
        fit = available.trials_at_once(need)
        if fit == 0:
            raise CapacityError(
                f"resources.workers {need.workers} x ({need.cpus_per_worker} CPU, {need.gpus_per_worker:g} GPU) is "
                f"more than fits: {available}, and each worker lies on one node; "
                "lower resources.workers or what a worker takes, or add nodes"
            )
        fewest = min(fewest, fit)
    assert fewest < math.inf, "no trial to run"
    return int(fewest)
