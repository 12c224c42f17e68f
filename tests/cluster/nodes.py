"""Print the nodes of the cluster this machine belongs to; for tests/cluster/laptop.sh."""

from __future__ import annotations

import ray

from study.runtime import cluster

if __name__ == "__main__":
    assert cluster.attach(), "no cluster on this machine"
    for node in ray.nodes():
        role = "head" if "node:__internal_head__" in node["Resources"] else "worker"
        print("alive" if node["Alive"] else "lost", role, node["NodeManagerAddress"])  # noqa: T201
