"""Nodes that an autoscaling cluster starts only when asked: brought up, so that they are looked at too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ray.autoscaler.sdk import request_resources

from study.config import ResourcesConfig
from study.runtime import cluster

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
    a_worker = {"CPU": need.cpus_per_worker} | ({"GPU": need.gpus_per_worker} if need.gpus_per_worker else {})
    request_resources(bundles=[a_worker] * need.workers)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not cluster.supply().trials_now(need) and time.monotonic() < deadline:
            time.sleep(_ASKS_EVERY_S)  # nothing tells of a node that came
        yield
    finally:
        request_resources(bundles=[])
