"""A cluster of several nodes, simulated: trials spread over it as the dry run says, and a lost node costs none."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray._private.utils
from ray.cluster_utils import Cluster

from tests.study.faults import Kind, of_kind
from tests.study.small_study import ENVIRONMENT, checkpoint_of, run, started, told, wait_for, write_space

pytestmark = pytest.mark.ray

NODES = 2
CPUS = 2  # a node holds one trial of two workers


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head that never trains, as `cluster.yaml` has it, and two nodes."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # The cluster is named to this test's study alone: others on this machine shall not find it.
    monkeypatch.setattr(ray._private.utils, "write_ray_address", lambda *_: None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": port}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(NODES):
            made.add_node(num_cpus=CPUS)
        yield made
    finally:
        made.shutdown()


def workers(node: ray._private.node.Node) -> list[psutil.Process]:
    """Return the processes of a node that train."""
    return of_kind(node.all_processes["raylet"][0].process.pid, Kind.WORKER)


def test_trials_spread_over_nodes_as_the_dry_run_said_and_a_removed_node_costs_none(
    cluster: Cluster, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "RAY_ADDRESS", cluster.address)
    space, place = write_space(tmp_path, {}), ("--storage", str(tmp_path), "--name", "spread")
    planned = run(space, "--dry-run").stdout
    assert "a trial takes 2 x (1 CPU, 0 GPU); the cluster has 4 CPU, 0 GPU on 3 nodes: 2 at a time" in planned
    with started(space, *place) as study:
        while not all(workers(node) for node in cluster.worker_nodes):
            assert study.poll() is None, "the study ended, and a node never had a worker"
            time.sleep(0.1)
        wait_for(checkpoint_of(tmp_path / "spread", 0), study)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        output = study.communicate()[0]
    assert study.returncode == 0, output
    assert "2 trials, 2 at a time" in output
    assert told(tmp_path / "spread") == told(undisturbed)
