"""Connects to the Ray cluster of this machine, or starts Ray on this machine alone."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
from huggingface_hub import get_token
from ray.exceptions import RayError

from study.runtime import ray_internals
from study.runtime.resources import (
    LOOPBACK,
    ClusterError,
    Node,
    NotStartedError,
    Supply,
    cluster_address,
    grown_nodes,
    this_machine,
)
from study.runtime.watch import until_ray_dies, while_ray_starts

OBJECT_STORE_BYTES = 256 * 2**20
"""Trials exchange files, not objects: a small store is enough and leaves the memory to the workers."""
ENVIRONMENT = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",  # reports wait for this poll; the default of 2 s slows every trial
    # Waiting is not a failure: preflight refuses what can never fit, and a new node may take long to join.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(30 * 24 * 3600),
    "TOKENIZERS_PARALLELISM": "true",  # on as many threads as the worker has CPUs, see `study.runtime.worker`
    "TRANSFORMERS_VERBOSITY": "error",
}
FOLDERS = ("STUDY_CACHE", "HF_HOME", "HF_HUB_CACHE", "WANDB_DIR")
PASSED = (
    *FOLDERS,
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "WANDB_MODE",
    "WANDB_BASE_URL",
    "WANDB_ENTITY",
    "NCCL_DEBUG",
    "NCCL_IB_DISABLE",
    "NCCL_SOCKET_IFNAME",
    "GLOO_SOCKET_IFNAME",
)
"""Variables of this process that workers and loggers get too, in place of their nodes' own.

Secrets such as HF_TOKEN are not among them, as Ray shows and logs these."""


def supply() -> Supply:
    """Return what the running cluster has, and what it may grow to."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = tuple(Node(resources.get("CPU", 0), resources.get("GPU", 0)) for resources in alive)
    return Supply("the cluster", nodes, grown_nodes())


def attach() -> bool:
    """Connect to the cluster this machine belongs to; return whether there is one.

    Raises:
        ClusterError: it does not answer, or refuses this machine. A study never falls back on this machine then.
    """
    if ray.is_initialized():
        return True
    cluster = cluster_address()
    if cluster is None:
        return False
    cluster.check()
    ray_internals.prepare_to_connect()
    try:
        ray.init(
            address=cluster.address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=_runtime_environment({"RAY_ADDRESS": cluster.address}),
        )
    except (ConnectionError, RuntimeError, RayError) as error:
        reason = str(error.__cause__ or error).strip().rpartition("\n")[2].partition(". ")[0]
        raise ClusterError(
            f"the Ray cluster at {cluster.address}, from {cluster.source}, refuses this machine ({reason}): "
            f"put its token into ~/.ray/auth_token if it needs one, or {cluster.alternative}"
        ) from error
    return True


def start() -> None:
    """Connect to the cluster of this machine, or start Ray on this machine alone; that ends with this process.

    Raises:
        ClusterError: the cluster does not answer, or refuses this machine.
        NotStartedError: Ray cannot be started here.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if attach():
        return
    _keep_to_this_machine()
    port, (machine,) = _free_port(), this_machine().nodes
    try:
        ray.init(
            address="local",
            num_cpus=int(machine.cpus),  # as `--dry-run` counts them
            num_gpus=int(machine.gpus),
            include_dashboard=True,  # nodes, actors and logs; `study.dashboard` links to it
            dashboard_host=LOOPBACK,
            dashboard_port=port,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
            # This machine is not preempted: that spares each trial the process that watches for it.
            runtime_env=_runtime_environment({"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}),
        )
    except Exception as error:
        # Ray raises bare exceptions where its processes do not answer in time, as on a machine short of memory.
        if type(error) is not Exception and not isinstance(error, OSError | RuntimeError | RayError):
            raise
        reason = str(error).strip().partition(". ")[0].rstrip(".")
        raise NotStartedError(
            f"Ray did not start on this machine ({reason}): end other programs if memory or processors are short, and "
            "try again"
        ) from error


def dashboard() -> str | None:
    """Return host and port of the Ray dashboard, if there is one."""
    return ray.init(ignore_reinit_error=True, logging_level=logging.ERROR).dashboard_url or None


def _keep_to_this_machine() -> None:
    """Let Ray, its child processes and the process groups of trials listen on the loopback interface only.

    This is Ray's default on macOS and Windows; on Linux it listens on every interface.
    """
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # for child processes
    ray_internals.listen_on_loopback_only()
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    os.environ.update(GLOO_SOCKET_IFNAME=loopback, NCCL_SOCKET_IFNAME=loopback)


@contextmanager
def running(say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Connect as `start` does, and disconnect at the end; a Ray started here ends with all its processes.

    Meanwhile the workers of this job may use the hub token of this process. If Ray dies, this process ends.

    Args:
        say: prints how it ended, given what died of Ray; a sentence on stderr by default.
    """
    say = say or _say
    try:
        with while_ray_starts(say):
            start()
        with ray_internals.shared_hub_token(get_token()), until_ray_dies(say):
            yield
    finally:
        ray.shutdown()


def _say(died: str) -> None:
    sys.stderr.write(f"Ray died (its {died} is gone): run the command again\n")
    sys.stderr.flush()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _runtime_environment(where: dict[str, str]) -> dict[str, dict[str, str]]:
    passed = {name: os.environ[name] for name in PASSED if name in os.environ}
    # Workers run in folders of their own, where a relative path would be another folder in every trial.
    for name in filter(passed.get, FOLDERS):
        if not passed[name].startswith(("~", "$")):  # these are of each node
            passed[name] = str(Path(passed[name]).absolute())
    return {"env_vars": ENVIRONMENT | passed | where}
