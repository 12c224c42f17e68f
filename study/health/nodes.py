"""Asks every node of the running cluster, each by an actor of its own."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.health.node import Node, examine, share
from study.results import files

ASKER = "asker"


class _Examiner:
    """Runs on one node."""

    def examine(self, address: str, gpus: float, models: tuple[str, ...]) -> Node:
        return examine(address, gpus, models)

    def share(self, folder: str, mine: str) -> str:
        return share(folder, mine, ASKER)

    def now(self) -> float:
        return time.time()


def look(models: tuple[str, ...], folder: str) -> list[Node]:
    """Return what each live node says.

    Args:
        models: hub models that a study needs.
        folder: a new folder of the studies' storage, which every node is to write to.
    """
    failure = ""
    try:
        files.write_text(files.join(folder, ASKER), ASKER)
    except OSError as error:
        failure = f"cannot use {folder}: {error}"
    alive = [node for node in ray.nodes() if node["Alive"]]
    examiners = [_examiner(node["NodeID"]) for node in alive]
    looking = [
        examiner.examine.remote(node["NodeManagerAddress"], node["Resources"].get("GPU", 0), models)
        for examiner, node in zip(examiners, alive, strict=True)
    ]
    found = ray.get(looking)
    failures = ray.get([one.share.remote(folder, node["NodeID"]) for one, node in zip(examiners, alive, strict=True)])
    clocks = [_clock_off(examiner) for examiner in examiners]
    return [
        replace(node, storage_error=failure or trouble, clock_off_s=off)
        for node, trouble, off in zip(found, failures, clocks, strict=True)
    ]


def _examiner(node_id: str) -> Any:
    strategy = NodeAffinitySchedulingStrategy(node_id, soft=False)
    return ray.remote(_Examiner).options(num_cpus=0, scheduling_strategy=strategy).remote()


def _clock_off(examiner: Any) -> float:
    """Return by how many seconds a node's clock lies outside of the time in which it was asked."""
    before = time.time()
    there: float = ray.get(examiner.now.remote())
    after = time.time()
    return min(0.0, there - before) + max(0.0, there - after)
