"""How many trials fit on a cluster or on this machine, and which cluster this machine belongs to. Without Ray."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psutil
import yaml

from study.config import TrialConfig
from study.config_sections import ResourcesConfig
from study.results import provenance
from tasks.errors import UserError

LOOPBACK = "127.0.0.1"
RAY_UP = Path("~/ray_bootstrap_config.yaml")
"""Where `ray up` writes the cluster's YAML on its head, with the resources of all node types filled in."""
TRIAL_ON_HEAD_BYTES = 800_000_000
"""Memory of a trial's driver and of Ray Train's controller beside it, which run on the head."""
_EPSILON = 1e-9
_CONNECT_S = 2


class CapacityError(UserError):
    """A trial needs more than there is."""


class ClusterError(UserError):
    """The cluster that this machine is told to use does not answer or does not let it in."""


class NotStartedError(ClusterError):
    """Ray's processes on this machine did not start, or died at once."""


class Node(NamedTuple):
    """One machine, or several of the same kind."""

    cpus: float
    gpus: float
    copies: int = 1

    def workers(self, need: ResourcesConfig) -> int:
        """Return how many workers fit; each lies on one machine, and a fraction of a GPU on one GPU."""
        fit = math.floor(self.cpus / need.cpus_per_worker + _EPSILON)
        if need.gpus_per_worker >= 1:
            fit = min(fit, math.floor(self.gpus / need.gpus_per_worker + _EPSILON))
        elif need.gpus_per_worker:
            fit = min(fit, math.floor(self.gpus) * math.floor(1 / need.gpus_per_worker + _EPSILON))
        return fit * self.copies


class Supply(NamedTuple):
    """The machines that are there, and those of an autoscaling cluster at its limits."""

    where: str
    nodes: tuple[Node, ...]
    grown: tuple[Node, ...] = ()

    def trials_now(self, need: ResourcesConfig) -> int:
        """Return how many such trials fit side by side on the machines that are there."""
        return sum(node.workers(need) for node in self.nodes) // need.workers

    def trials_at_once(self, need: ResourcesConfig) -> int:
        """Return how many such trials fit side by side, on a cluster that can grow once it has grown."""
        return max(self.trials_now(need), sum(node.workers(need) for node in self.grown) // need.workers)

    def __str__(self) -> str:
        cpus, gpus = sum(node.cpus for node in self.nodes), sum(node.gpus for node in self.nodes)
        nodes = f" on {len(self.nodes)} nodes" if len(self.nodes) > 1 else ""
        grows = " and can grow" if self.grown else ""
        return f"{self.where} has {cpus:g} CPU, {gpus:g} GPU{nodes}{grows}"


class ClusterAddress(NamedTuple):
    """The cluster that this machine belongs to."""

    address: str
    source: str
    """Name in messages."""
    alternative: str
    """How to use this machine alone instead."""

    def check(self) -> None:
        """Connect to the cluster's port: Ray itself would try for many minutes.

        Raises:
            ClusterError: the address is malformed, or nothing answers within two seconds.
        """
        if self.address.startswith("ray://"):
            raise ClusterError(
                f"the cluster address '{self.address}', from {self.source}, is refused: a study runs on a machine of "
                "the cluster, so start it on the head, with `ray attach` or `ray job submit`, and RAY_ADDRESS=auto"
            )
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ClusterError(
                f"the cluster address '{self.address}', from {self.source}, is refused: write host:port, such as "
                f"10.0.0.1:6379, or {self.alternative}"
            )
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
        except OSError as error:
            reason = error.strerror or error
            raise ClusterError(
                f"no Ray cluster answers at {self.address}, from {self.source} ({reason}): "
                f"start it, or {self.alternative}"
            ) from None


def ray_folder() -> Path:
    """Return where Ray keeps its sessions, and where `ray start` notes the cluster it started."""
    return Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp") / "ray"  # noqa: S108 - Ray's default


def cluster_address() -> ClusterAddress | None:
    """Return the cluster that RAY_ADDRESS names, else the one that `ray start` noted; None without either.

    Ray's own `auto` would also find the private instances that other studies on this machine have started, so it means
    here only what `ray start` noted. `local` means this machine.
    """
    named = os.environ.get("RAY_ADDRESS", "")
    if named == "local":
        return None
    if named not in {"", "auto"}:
        return ClusterAddress(named, "RAY_ADDRESS", "unset RAY_ADDRESS to use this machine alone")
    note = ray_folder() / "ray_current_cluster"
    if not note.is_file():
        return None
    return ClusterAddress(note.read_text("utf-8").strip(), str(note), "run `ray stop` to use this machine alone")


def this_machine() -> Supply:
    """Return the processors of this machine that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if visible is not None:
        gpus = min(gpus, sum(not name.startswith("-") for name in visible.split(",") if name.strip()))
    return Supply("this machine", (Node(len(os.sched_getaffinity(0)), gpus),))


def emulated_bf16(trial: TrialConfig) -> str:
    """Return a sentence for a trial that this machine's processors would compute in emulated bfloat16; else nothing."""
    if trial.precision != "bf16" or trial.resources.gpus_per_worker or not provenance.emulates_bf16():
        return ""
    return (
        "precision bf16: this machine's processors have no bfloat16 instructions and emulate them, which takes about "
        "8 times as long as fp32; set precision: fp32, unless other machines or a GPU do the work"
    )


def short_head(trials: int) -> str:
    """Return a sentence where the processes that trials keep on the head may not fit in its memory, this machine's."""
    need, total = trials * TRIAL_ON_HEAD_BYTES, psutil.virtual_memory().total
    if need <= total:
        return ""
    return (
        f"{trials} trials at a time keep about {need / 1e9:.0f} GB of processes on the head of the cluster, and this "
        f"machine has {total / 1e9:.0f} GB: set concurrent lower, or take a larger head"
    )


def grown_nodes() -> tuple[Node, ...]:
    """Return the nodes of this cluster at the limits of its autoscaler; none if `ray up` did not start it.

    Ray has no API for what an autoscaler may add, but its head has the file that the autoscaler reads.
    """
    file = RAY_UP.expanduser()
    if not file.is_file():
        return ()
    cluster = yaml.safe_load(file.read_text("utf-8"))
    head, limit = cluster["head_node_type"], int(cluster.get("max_workers", 0))
    types = cluster["available_node_types"]
    nodes = [_node(types[head], 1)]
    for name, node_type in types.items():
        if name != head:
            nodes.append(_node(node_type, min(int(node_type.get("max_workers", 0)), limit)))
    return tuple(nodes)


def _node(node_type: dict[str, dict[str, float]], copies: int) -> Node:
    resources = node_type.get("resources", {})
    return Node(resources.get("CPU", 0), resources.get("GPU", 0), copies)


def trials_at_once(needs: Iterable[ResourcesConfig], available: Supply) -> int:
    """Return how many trials fit at once in the worst case.

    Raises:
        CapacityError: one of them can never run here.
        UserError: one of them would keep GPUs that it does not use.
    """
    fewest = math.inf
    for need in needs:
        if need.gpus_per_worker > 1:
            raise UserError(
                f"resources.gpus_per_worker {need.gpus_per_worker:g} is refused: a worker computes on one GPU; set it "
                f"to 1, and resources.workers to {need.workers * need.gpus_per_worker:g}"
            )
        fit = available.trials_at_once(need)
        if fit == 0:
            raise CapacityError(_shortage(need, available))
        fewest = min(fewest, fit)
    assert fewest < math.inf, "no trial to run"
    return int(fewest)


def _shortage(need: ResourcesConfig, available: Supply) -> str:
    """Return why a trial can never run here, and what to do."""
    if need.gpus_per_worker and not any(node.gpus for node in (*available.nodes, *available.grown)):
        return (
            f"resources.gpus_per_worker {need.gpus_per_worker:g} is more than fits: {available.where} has no GPU; run "
            "it where there are GPUs, or set resources.gpus_per_worker to 0"
        )
    return (
        f"resources.workers {need.workers} x ({need.cpus_per_worker:g} CPU, {need.gpus_per_worker:g} GPU) is "
        f"more than fits: {available}, and a worker cannot span nodes; "
        "lower resources.workers or what a worker takes, or add nodes"
    )
