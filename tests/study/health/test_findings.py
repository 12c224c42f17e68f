"""What the doctor concludes from what nodes say: the odd node is named, with the mend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from study.health import findings
from study.health.findings import Finding
from study.health.node import Node
from study.space import study_config

HEAD = Node(
    name="head (10.0.0.1)",
    versions={"project": "1a2b3c4d", "python": "3.11.7", "ray": "2.60.0", "torch": "2.13.0", "transformers": "5.23.0"},
    ray_gpus=0,
    driver_gpus=0,
    free_bytes=10**11,
    full=0.2,
)
WORKERS = [replace(HEAD, name=f"worker (10.0.0.{n})", ray_gpus=1, driver_gpus=1) for n in (2, 3)]
CLUSTER = [HEAD, *WORKERS]
MODELS = ["intfloat/multilingual-e5-base"]


def every(nodes: list[Node]) -> list[Finding]:
    return [
        findings.versions(nodes),
        findings.gpus(nodes),
        findings.storage(nodes, "s3://bucket/studies"),
        findings.hub(nodes, MODELS),
        findings.clock(nodes),
        findings.disk(nodes),
    ]


def test_data_that_a_run_would_refuse_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    languages = {"name": "factbook", "languages": ["th"]}
    trial = {
        "corpora": [languages],
        "benchmarks": [{"name": "local", "path": str(tmp_path / "nowhere")}],
        "validation": {"benchmark": languages | {"split": "dev"}, "metric": "monolingual/map"},
        "alpha": 1,
    }
    source = {"search": {"sampler": "grid", "space": {"seed": {"type": "int", "low": 0, "high": 1}}}}
    found = findings.data(study_config.parse(source | {"trial": trial}, "space"))
    assert (found.check, found.good) == ("data", False)
    assert "there is no folder" in found.says
    sound = findings.data(study_config.parse(source | {"trial": trial | {"benchmarks": [languages]}}, "space"))
    assert sound == Finding("data", True, "all data on this machine can be used; corpora: factbook")


def test_a_sound_cluster_is_good_throughout_and_nothing_is_to_mend() -> None:
    assert [(finding.check, finding.good, finding.fix) for finding in every(CLUSTER)] == [
        (check, True, "") for check in ("versions", "gpus", "storage", "hub", "clock", "disk")
    ]


def test_a_node_with_another_torch_is_named_with_its_version_and_the_mend() -> None:
    odd = replace(WORKERS[1], versions=HEAD.versions | {"torch": "2.12.1"})
    found = findings.versions([HEAD, WORKERS[0], odd])
    assert not found.good
    assert found.says == "worker (10.0.0.3) has torch 2.12.1, others 2.13.0"
    assert "make node" in found.fix


def test_of_two_nodes_that_differ_both_are_right_until_told_so_the_first_is_the_measure() -> None:
    odd = replace(WORKERS[0], versions=HEAD.versions | {"project": "ffffffff"})
    assert findings.versions([HEAD, odd]).says == "worker (10.0.0.2) has project ffffffff, others 1a2b3c4d"


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        ({"driver_gpus": 0}, "gpus", "worker (10.0.0.3): the driver shows 0, Ray 1"),
        ({"storage_error": "does not see it"}, "storage", "worker (10.0.0.3) does not see it"),
        ({"absent_models": tuple(MODELS)}, "hub", "worker (10.0.0.3) has no intfloat/multilingual-e5-base"),
        ({"clock_off_s": -61.0}, "clock", "worker (10.0.0.3) is -61 s off"),
        ({"free_bytes": 2 * 10**9}, "disk", "worker (10.0.0.3) has 2 GB free"),
        ({"full": 0.97}, "disk", "worker (10.0.0.3): the disk of Ray's files is 97% full"),
    ],
)
def test_one_unsound_node_fails_its_own_check_alone_by_name_and_with_a_mend(
    change: dict[str, object], check: str, says: str
) -> None:
    found = every([HEAD, WORKERS[0], replace(WORKERS[1], **change)])  # type: ignore[arg-type]
    (failed,) = [finding for finding in found if not finding.good]
    assert failed.check == check
    assert failed.says.startswith(says)
    assert failed.fix


def test_a_machine_whose_gpus_ray_does_not_hand_out_is_not_good() -> None:
    assert not findings.gpus([replace(HEAD, driver_gpus=2)]).good
