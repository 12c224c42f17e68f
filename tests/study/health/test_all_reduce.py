"""What doctor asks of a cluster that grows; `make test-cluster` asks it of Ray's own autoscaler."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import ray

from study.config_sections import ResourcesConfig
from study.health import all_reduce
from study.health.all_reduce import place_for_a_trial
from study.runtime import cluster
from study.runtime.resources import Node, Supply

NEED = ResourcesConfig(workers=2, cpus_per_worker=1, gpus_per_worker=1.0)
HEAD, WORKER = Node(0, 0), Node(8, 1)
GROWN = (HEAD, Node(8, 1, copies=4))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of the autoscaler, in order."""
    asked: list[Any] = []

    def ask(*, bundles: list[dict[str, float]]) -> None:
        asked.append(bundles)

    monkeypatch.setattr(all_reduce, "request_resources", ask)
    monkeypatch.setattr(all_reduce, "_POLL_S", 0)
    return asked


def holding(monkeypatch: pytest.MonkeyPatch, *supplies: Supply) -> None:
    """Let the cluster hold each of these in turn, and the last from then on."""
    coming = [*supplies]
    monkeypatch.setattr(cluster, "supply", lambda: coming.pop(0) if len(coming) > 1 else coming[0])


def test_a_cluster_without_a_place_is_asked_for_one_trials_nodes_until_they_are_there_and_then_for_none(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty, half, whole = (
        Supply("the cluster", nodes, GROWN) for nodes in ((HEAD,), (HEAD, WORKER), (HEAD, WORKER, WORKER))
    )
    holding(monkeypatch, empty, empty, half, whole)
    told: list[str] = []
    with place_for_a_trial(NEED, told.append):
        assert cluster.supply() == whole
        assert asked == [[{"CPU": 1, "GPU": 1.0}] * 2]
    assert asked[1:] == [[]]
    assert told == ["the cluster has 0 CPU, 0 GPU and can grow: asking for the nodes of one trial, which takes minutes"]


@pytest.mark.parametrize(
    "supply",
    [Supply("the cluster", (HEAD, WORKER, WORKER), GROWN), Supply("this machine", (WORKER,))],
    ids=["there is a place", "it cannot grow"],
)
def test_nothing_is_asked_for_where_there_is_a_place_or_none_can_come(
    supply: Supply, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    holding(monkeypatch, supply)
    with place_for_a_trial(NEED, pytest.fail):
        pass
    assert asked == []


def test_checks_go_on_with_what_came_when_patience_ends(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    holding(monkeypatch, Supply("the cluster", (HEAD,), GROWN))
    monkeypatch.setattr(all_reduce, "_PATIENCE_S", 0)
    with place_for_a_trial(NEED, lambda _: None):
        assert len(asked) == 1
    assert asked[1:] == [[]]


def test_trials_that_share_a_gpu_are_checked_with_a_gpu_for_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """NCCL refuses two ranks on one GPU."""
    asked: list[tuple[int, float]] = []

    class Trainer:
        def fit(self) -> Any:
            return SimpleNamespace(return_value=all_reduce.Total(nodes=1, wrong=0))

    def trainer(workers: int, resources: ResourcesConfig, *_: Any) -> Trainer:
        asked.append((workers, resources.gpus_per_worker))
        return Trainer()

    holding(monkeypatch, Supply("this machine", (Node(16, 2),)))
    monkeypatch.setattr(all_reduce, "_trainer", trainer)
    monkeypatch.setattr(all_reduce, "torch_config", lambda _: SimpleNamespace(backend="nccl"))
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 16, "GPU": 2})
    found = all_reduce.all_reduce(ResourcesConfig(workers=1, gpus_per_worker=0.25), "storage")
    assert found.good
    assert asked == [(2, 1.0)]
