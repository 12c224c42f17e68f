"""Ray: attach to the cluster that is there, or start one on this machine."""

from __future__ import annotations

import logging
import os

import ray

from study.resources import Supply

OBJECT_STORE_BYTES = 256 * 2**20
"""Trials pass files, not objects: a small store is enough and leaves the memory to the workers."""
ENVIRONMENT = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",  # reports wait for this poll; the default of 2 s is felt in every trial
    "TOKENIZERS_PARALLELISM": "false",  # one thread per worker tokenizes; more would fight over the worker's cores
    "TRANSFORMERS_VERBOSITY": "error",
}


def supply() -> Supply:
    """Return what the running cluster has."""
    held = ray.cluster_resources()
    return Supply("the cluster", held.get("CPU", 0), held.get("GPU", 0))


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
