"""cluster.yaml and its variants: accepted by Ray's own schema, alike where they should be, and open to nobody."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from study.runtime.resources import RAY_UP, Node, grown_nodes

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "cluster.yaml"
DOCS = ROOT / "docs" / "cluster"
CLOUDS = [CLUSTER, DOCS / "gcp.yaml"]
LAUNCHED = [*CLOUDS, DOCS / "on_premises.yaml"]
COMMANDS = ("setup_commands", "head_start_ray_commands", "worker_start_ray_commands")


def read(file: Path) -> dict[str, Any]:
    held: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return held


def kubernetes() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration of nodes and the job."""
    nodes, job = yaml.safe_load_all((DOCS / "kuberay.yaml").read_text("utf-8"))
    return nodes, job


@pytest.fixture(params=LAUNCHED, ids=lambda file: file.stem)
def cluster(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read(request.param)


def test_rays_own_schema_accepts_the_cluster(cluster: dict[str, Any]) -> None:
    validate_config(prepare_config(copy.deepcopy(cluster)))


def test_rays_own_schema_refuses_a_key_it_does_not_know() -> None:
    with pytest.raises(jsonschema.ValidationError, match="ssh_port"):
        validate_config(prepare_config(read(CLUSTER) | {"auth": {"ssh_user": "ubuntu", "ssh_port": 22}}))


def test_every_site_runs_the_same_commands_but_for_where_studies_are_kept(cluster: dict[str, Any]) -> None:
    def commands(held: dict[str, Any]) -> list[str]:
        return [re.sub(r"STORAGE=\S+( RECORD=\S+)?", "STORAGE=...", one) for key in COMMANDS for one in held[key]]

    assert commands(cluster) == commands(read(CLUSTER))
    for held in (cluster, read(CLUSTER)):
        (place,) = re.findall(r"STORAGE=(\S+)", " ".join(held["setup_commands"]))
        in_a_bucket = "://" in place
        assert place.endswith("/studies")
        assert in_a_bucket == any("RECORD=sqlite" in command for command in held["setup_commands"])


def test_the_environment_of_a_node_is_the_one_of_make_run(cluster: dict[str, Any]) -> None:
    targets = {
        target: needs.split()
        for target, needs in re.findall(r"^([\w ./-]+):[ ]*(.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    }
    assert targets["node"] == targets["run"] == targets["aws gcp"]
    assert any("make node" in command for command in cluster["setup_commands"])
    assert all("pip install" not in command for key in (*COMMANDS, "head_setup_commands") for command in cluster[key])


def test_the_environment_of_a_node_holds_a_url_with_signs_of_the_shell_and_is_readable_by_its_user_alone(
    tmp_path: Path,
) -> None:
    record = "postgresql+psycopg://u:p`$w@h/studies?sslmode=verify-full&sslrootcert=/x"
    doubled = record.replace("$", "$$")  # as make asks
    settings = ["STORAGE=s3://ไทย/studies", f"RECORD={doubled}", f"HOME={tmp_path}"]
    command = ["make", "-o", ".venv/run.stamp", "node", *settings]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"HOME": str(tmp_path)}, stdout=subprocess.DEVNULL)
    file = tmp_path / ".study_environment"
    assert file.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["sh", "-c", f". {file}; env"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert {"STUDY_STORAGE=s3://ไทย/studies", f"STUDY_RECORD={record}", "RAY_AUTH_MODE=token"} <= set(shown)


def test_the_head_never_trains(cluster: dict[str, Any]) -> None:
    (start,) = [command for command in cluster["head_start_ray_commands"] if "ray start" in command]
    assert "--num-cpus=0 --num-gpus=0" in start
    if "available_node_types" in cluster:
        assert cluster["available_node_types"][cluster["head_node_type"]]["resources"] == {"CPU": 0}


def test_the_dashboard_is_on_the_heads_loopback_and_every_node_has_the_token(cluster: dict[str, Any]) -> None:
    assert any("--dashboard-host=127.0.0.1" in command for command in cluster["head_start_ray_commands"])
    assert "~/.ray/auth_token" in cluster["file_mounts"]
    assert "RAY_AUTH_MODE=token" in (ROOT / "Makefile").read_text("utf-8")


def test_neither_history_nor_environment_nor_data_nor_results_travel(cluster: dict[str, Any]) -> None:
    assert {".git", ".venv", "/data", "/experiments"} <= set(cluster["rsync_exclude"])
    assert {".git", ".venv", "/data", "/experiments"} <= set((ROOT / ".rayignore").read_text("utf-8").splitlines())


@pytest.mark.parametrize("file", CLOUDS, ids=lambda file: file.stem)
def test_clouds_start_workers_from_zero_on_one_image_and_end_idle_ones(file: Path) -> None:
    cloud = read(file)
    head, worker = (cloud["available_node_types"][name] for name in ("head", "gpu_worker"))
    assert worker["min_workers"] == 0 < worker["max_workers"] == cloud["max_workers"]
    assert worker["resources"]["GPU"] == 1
    assert 0 < cloud["idle_timeout_minutes"] <= 15
    images = [
        re.findall(r'"(?:ImageId|sourceImage)": "([^"]+)"', json.dumps(held["node_config"])) for held in (head, worker)
    ]
    assert len(images[0]) == 1
    assert images[0] == images[1]
    assert "spot" in json.dumps(worker["node_config"]).lower()
    assert "spot" not in json.dumps(head["node_config"]).lower()


@pytest.mark.parametrize("name", ["head_role.json", "worker_role.json"])
def test_a_role_may_touch_its_own_region_image_role_and_bucket_and_nothing_else(name: str) -> None:
    cloud = read(CLUSTER)
    region, cluster_name = cloud["provider"]["region"], cloud["cluster_name"]
    for statement in json.loads((DOCS / name).read_text("utf-8"))["Statement"]:
        actions, resources = (
            [held] if isinstance(held, str) else held for held in (statement["Action"], statement["Resource"])
        )
        assert not any("*" in action for action in actions)
        for resource in resources:
            if resource == "*":  # EC2 knows no narrower resource for these
                assert all(action.startswith("ec2:Describe") for action in actions)
            else:
                assert f":{region}:" in resource or "YOUR-BUCKET" in resource or ":role/study-" in resource
        if "ec2:TerminateInstances" in actions:
            assert statement["Condition"]["StringEquals"]["ec2:ResourceTag/ray-cluster-name"] == cluster_name


def test_the_ray_job_has_a_head_that_does_not_train_and_workers_from_zero() -> None:
    _, job = kubernetes()
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]["rayClusterSpec"]
    assert f"ray=={spec['rayVersion']}" in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    (workers,) = spec["workerGroupSpecs"]
    assert (workers["minReplicas"], workers["replicas"]) == (0, 0)
    containers = [held["template"]["spec"]["containers"][0] for held in (spec["headGroupSpec"], workers)]
    assert containers[0]["image"] == containers[1]["image"]
    assert containers[1]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    for held in containers:
        assert {"STUDY_STORAGE", "STUDY_RECORD"} <= {variable["name"] for variable in held["env"]}


def test_the_head_of_the_ray_job_finds_what_its_workers_may_grow_to_where_ray_up_would_have_left_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes, job = kubernetes()
    spec = job["spec"]["rayClusterSpec"]
    pod = spec["headGroupSpec"]["template"]["spec"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    (volume,) = pod["volumes"]
    assert volume == {"name": mount["name"], "configMap": {"name": nodes["metadata"]["name"]}}
    assert mount["mountPath"] == str(RAY_UP).replace("~", "/root")  # the image's user
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / RAY_UP.name).write_text(nodes["data"][mount["subPath"]], "utf-8")
    (workers,) = spec["workerGroupSpecs"]
    takes = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    grown = Node(float(takes["cpu"]), float(takes["nvidia.com/gpu"]), workers["maxReplicas"])
    assert grown_nodes() == (Node(0, 0), grown)


def test_the_ray_jobs_command_is_one_of_ours() -> None:
    words = kubernetes()[1]["spec"]["entrypoint"].split()
    assert words[:3] == ["python", "-m", "study.run"]
    assert (ROOT / "search_spaces" / f"{words[3]}.yaml").is_file()
