"""Ray: attach to the cluster that is there, or start one on this machine."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from study.runtime.resources import LOOPBACK, Node, Supply, cluster_address, grown_nodes, this_machine

OBJECT_STORE_BYTES = 256 * 2**20
"""Trials pass files, not objects: a small store is enough and leaves the memory to the workers."""
ENVIRONMENT = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",  # reports wait for this poll; the default of 2 s is felt in every trial
    # Waiting is no failure: what can never fit is refused before, and a node that left or is to come takes its time.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(30 * 24 * 3600),
    "TOKENIZERS_PARALLELISM": "true",  # on as many threads as the worker has CPUs, see `study.runtime.worker`
    "TRANSFORMERS_VERBOSITY": "error",
}


def supply() -> Supply:
    """Return what the running cluster has, and what it may grow to."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = tuple(Node(held.get("CPU", 0), held.get("GPU", 0)) for held in alive)
    return Supply("the cluster", nodes, grown_nodes())


def attach() -> bool:
    """Connect to the cluster this machine belongs to; return whether there is one."""
    if ray.is_initialized():
        return True
    found = cluster_address()
    if found is None:
        return False
    try:
        ray.init(
            address=found,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=_runtime_environment({"RAY_ADDRESS": found}),
        )
    except ConnectionError:
        return False
    return True


def start() -> None:
    """Connect to a running cluster, or start one on this machine that ends with this process."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if attach():
        return
    _keep_to_this_machine()
    port = _free_port()
    ray.init(
        address="local",
        num_cpus=int(this_machine().nodes[0].cpus),  # as `--dry-run` counts them
        include_dashboard=True,  # the State API lives there; Train needs it to free what a stopped trial held
        dashboard_host=LOOPBACK,
        dashboard_port=port,
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
        logging_level=logging.ERROR,
        # Train asks the State API without saying where: with a second Ray on the machine it would give up.
        runtime_env=_runtime_environment({"RAY_API_SERVER_ADDRESS": f"http://{LOOPBACK}:{port}"}),
    )


def dashboard() -> str | None:
    """Return host and port of the dashboard of the Ray we are connected to, if it has one."""
    return ray.init(ignore_reinit_error=True, logging_level=logging.ERROR).dashboard_url or None


def _keep_to_this_machine() -> None:
    """Let Ray, its child processes and the process groups of trials listen on the loopback interface only.

    This is Ray's default on macOS and Windows; on Linux it listens on every interface.
    """
    from study.runtime import ray_internals  # noqa: PLC0415 - imports torch: not needed to ask a cluster for its size

    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # for child processes
    ray_internals.listen_on_loopback_only()
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    os.environ.update(GLOO_SOCKET_IFNAME=loopback, NCCL_SOCKET_IFNAME=loopback)


@contextmanager
def running() -> Iterator[None]:
    """Be connected as by `start`, then leave; a cluster started here ends with all its processes."""
    try:
        start()
        yield
    finally:
        ray.shutdown()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _runtime_environment(where: dict[str, str]) -> dict[str, dict[str, str]]:
    passed = {name: os.environ[name] for name in ("STUDY_CACHE", "HF_HOME", "HF_HUB_OFFLINE") if name in os.environ}
    return {"env_vars": ENVIRONMENT | passed | where}
