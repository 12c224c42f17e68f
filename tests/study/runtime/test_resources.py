"""Facts about how many trials fit, node by node."""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path
from typing import Any

import pydantic
import pytest
import ray
import yaml
from ray._common.utils import get_ray_address_file

from study import run
from study.cli import program
from study.config_sections import ResourcesConfig
from study.runtime import cluster, preflight, ray_internals, resources
from study.runtime.exit_status import UNFINISHED
from study.runtime.resources import CapacityError, ClusterError, Node, Supply, trials_at_once
from study.space.study_config import SHIPPED
from tasks.errors import UserError


def need(workers: int, cpus: float = 1, gpus: float = 0) -> ResourcesConfig:
    return ResourcesConfig(workers=workers, cpus_per_worker=cpus, gpus_per_worker=gpus)


@pytest.mark.parametrize(
    ("nodes", "wanted", "fit"),
    [
        ([Node(2, 0)], need(2), 1),
        ([Node(3, 0), Node(3, 0)], need(1, 2), 2),
        ([Node(3, 0), Node(3, 0)], need(2, 2), 1),
        ([Node(0, 0), Node(8, 1), Node(8, 1)], need(2, 4, 1), 1),
        ([Node(8, 1)], need(1, 1, 0.5), 2),
        ([Node(8, 2)], need(1, 1, 0.3), 6),
        ([Node(8, 2)], need(1, 1, 0.6), 2),
        ([Node(2, 2)], need(1, 1, 0.25), 2),
        ([Node(2, 0)], need(2, 0.5), 2),
        ([Node(3, 0), Node(1, 0)], need(1, 0.3), 13),
    ],
)
def test_a_worker_lies_on_one_node_and_a_part_of_a_gpu_on_one_gpu(
    nodes: list[Node], wanted: ResourcesConfig, fit: int
) -> None:
    assert trials_at_once([wanted], Supply("the cluster", tuple(nodes))) == fit


def test_a_part_of_a_cpu_is_one_thread_and_more_than_one_is_whole() -> None:
    assert [need(1, cpus).threads for cpus in (0.25, 1, 3)] == [1, 1, 3]
    with pytest.raises(pydantic.ValidationError, match=r"1.5 is neither a part of one CPU nor a whole number of them"):
        need(1, 1.5)


@pytest.mark.parametrize("sizes", list(itertools.combinations_with_replacement(range(5), 3)))
def test_the_count_is_that_of_placing_workers_one_by_one(sizes: tuple[int, ...]) -> None:
    supply = Supply("the cluster", tuple(Node(size, 0) for size in sizes))
    for workers, cpus in itertools.product((1, 2, 3), (1, 2, 3)):
        left, placed = list(sizes), 0
        while max(left) >= cpus:
            left[left.index(max(left))] -= cpus
            placed += 1
        assert supply.trials_at_once(need(workers, cpus)) == placed // workers


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [([Node(3, 0), Node(3, 0)], need(1, 4)), ([Node(3, 0), Node(3, 0)], need(3, 2)), ([Node(64, 1)], need(2, 1, 1))],
)
def test_a_trial_that_can_never_fit_is_refused_in_a_sentence(nodes: list[Node], wanted: ResourcesConfig) -> None:
    with pytest.raises(CapacityError, match=r"is more than fits: the cluster has .*; lower resources\.workers"):
        trials_at_once([need(1), wanted], Supply("the cluster", tuple(nodes)))


def test_two_gpus_for_a_worker_are_refused_as_it_would_use_one() -> None:
    sentence = r"gpus_per_worker 2 is refused: a worker computes on one GPU; set it to 1, and resources.workers to 6"
    with pytest.raises(UserError, match=sentence):
        trials_at_once([need(3, 1, 2)], Supply("this machine", (Node(64, 8),)))


def test_a_machine_without_a_gpu_is_said_to_have_none() -> None:
    sentence = r"gpus_per_worker 1 is more than fits: this machine has no GPU; run it where there are GPUs, or set"
    with pytest.raises(CapacityError, match=sentence):
        trials_at_once([need(1, 1, 1)], Supply("this machine", (Node(64, 0),)))


def test_of_several_trials_the_largest_decides() -> None:
    assert trials_at_once([need(1), need(2, 2), need(2)], Supply("this machine", (Node(8, 0),))) == 2


def test_a_cluster_that_grows_counts_as_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = yaml.safe_load((SHIPPED.parent / "cluster.yaml").read_text("utf-8"))
    file = tmp_path / "ray_bootstrap_config.yaml"
    file.write_text(yaml.safe_dump(cluster), "utf-8")
    monkeypatch.setattr(resources, "RAY_UP", file)
    supply = Supply("the cluster", (Node(0, 0),), resources.grown_nodes())
    assert supply.trials_now(need(1, 1, 1)) == 0
    assert trials_at_once([need(1, 1, 1)], supply) == 4
    assert trials_at_once([need(2, 8, 1)], supply) == 2
    with pytest.raises(CapacityError, match="and can grow"):
        trials_at_once([need(5, 1, 1)], supply)


def test_a_machine_has_the_cores_and_gpus_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5})
    monkeypatch.setattr(Path, "glob", lambda *_: [Path(f"/dev/nvidia{number}") for number in range(4)])
    for visible, gpus in {None: 4, "0,2": 2, "": 0, "-1": 0}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible) if visible is not None else None
        assert resources.this_machine().nodes == (Node(3, gpus),)


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Ray's folder for temporary files, in which no cluster is noted yet."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    return tmp_path


@pytest.mark.parametrize("variable", ["RAY_TMPDIR", "TMPDIR"])
def test_the_cluster_is_the_one_that_ray_start_noted_where_the_environment_puts_ray_s_files(
    variable: str, no_cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_TMPDIR")
    monkeypatch.setenv(variable, str(no_cluster))
    assert get_ray_address_file(None) == str(no_cluster / "ray" / "ray_current_cluster")  # as Ray itself does
    assert resources.cluster_address() is None
    Path(get_ray_address_file(None)).write_text("10.0.0.7:6379\n", "utf-8")
    found = resources.cluster_address()
    assert found is not None
    assert found.address == "10.0.0.7:6379"


@pytest.mark.parametrize(("named", "address"), [("local", None), ("auto", None), ("10.1.2.3:1", "10.1.2.3:1")])
def test_ray_address_names_a_cluster_and_never_another_study_s_private_one(
    named: str, address: str | None, no_cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", named)
    found = resources.cluster_address()
    assert (found and found.address) == address


def test_a_cluster_that_answers_passes_and_one_that_is_gone_is_refused_with_what_named_it(
    no_cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        (no_cluster / "ray" / "ray_current_cluster").write_text(address, "utf-8")
        found = resources.cluster_address()
        assert found is not None
        found.check()
    with pytest.raises(
        ClusterError, match=rf"no Ray cluster answers at {address}, from .*ray_current_cluster .*ray stop"
    ):
        preflight.supply()
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(
        ClusterError, match=rf"no Ray cluster answers at {address}, from RAY_ADDRESS .*unset RAY_ADDRESS"
    ):
        preflight.supply()


@pytest.mark.parametrize("named", ["cluster", "10.0.0.1:", "10.0.0.1:ไทย", "10.0.0.1:99999", ":6379"])
def test_a_malformed_address_is_refused(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", named)
    with pytest.raises(ClusterError, match="is refused: write host:port"):
        preflight.supply()


def test_a_client_of_a_cluster_is_told_to_run_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(
        ClusterError, match=r"'ray://head:10001', from RAY_ADDRESS, is refused: .* start it on the head"
    ):
        preflight.supply()


def test_a_cluster_that_refuses_the_token_is_refused_in_one_sentence_and_never_replaced_by_this_machine(
    no_cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Ray 2.60 raises for a cluster that was started with a token.
    said = (
        "Failed to connect to GCS. Last connection error: Traceback (most recent call last):\n"
        "ray.exceptions.AuthenticationError: RPC error: Authentication token is missing or incorrect. Ensure that ..."
    )
    started: list[dict[str, Any]] = []

    def refuse(**options: Any) -> None:
        started.append(options)
        raise ConnectionError("Failed to connect to Ray cluster") from RuntimeError(said)

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setattr(ray_internals, "prepare_to_connect", lambda: None)  # it changes Ray for this whole process
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{server.getsockname()[1]}")
        for connect in (cluster.attach, cluster.start):
            with pytest.raises(
                ClusterError, match=r"refuses this machine \(.*missing or incorrect\): put its token into"
            ):
                connect()
    assert [options["address"] for options in started] == [os.environ["RAY_ADDRESS"]] * 2


INTERFACES = {"NCCL_SOCKET_IFNAME": "ens5", "GLOO_SOCKET_IFNAME": "ens5"}


def test_workers_of_a_cluster_get_what_the_user_set_for_their_network(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = INTERFACES | {"NCCL_DEBUG": "INFO", "NCCL_IB_DISABLE": "1"}
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    assert cluster._runtime_environment({})["env_vars"].items() >= chosen.items()


def test_workers_get_folders_with_their_whole_paths_as_they_run_in_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"STUDY_CACHE": "แคช", "HF_HOME": "~/hub", "HF_HUB_CACHE": "$HOME/模型", "WANDB_DIR": ""}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    passed = cluster._runtime_environment({})["env_vars"]
    assert [passed[name] for name in given] == [str(tmp_path / "แคช"), "~/hub", "$HOME/模型", ""]


def test_workers_of_this_machine_alone_keep_to_it_whatever_network_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in INTERFACES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setattr(ray_internals, "listen_on_loopback_only", lambda: None)
    cluster._keep_to_this_machine()
    passed = cluster._runtime_environment({})["env_vars"]
    assert all(passed[name].startswith("lo") for name in INTERFACES)


def test_a_ray_that_does_not_start_is_one_sentence_and_the_study_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def silent(**_: Any) -> None:
        raise Exception("The current node timed out during startup. This could happen because some of the raylet ...")  # noqa: TRY002 - as Ray does

    monkeypatch.setattr(ray, "init", silent)
    monkeypatch.setattr(cluster, "attach", lambda: False)
    monkeypatch.setattr(cluster, "_keep_to_this_machine", lambda: None)  # it changes Ray for this whole process
    with pytest.raises(SystemExit) as ended:
        program(run.main)(["quickstart", "--name", "late", "--storage", str(tmp_path)])
    assert ended.value.code == UNFINISHED
    told = " ".join(capsys.readouterr().out.split())
    assert "stopped: Ray did not start on this machine (The current node timed out during startup): end other" in told
    assert f"; resume with: python -m study.run --resume --name late --storage {tmp_path}" in told
