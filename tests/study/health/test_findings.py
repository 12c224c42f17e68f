"""What doctor finds in a study's own settings, before any node is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.health import findings
from study.health.node import Node
from study.space import study_config
from study.space.study_config import StudyConfig


def study(backbone: str, **keys: Any) -> StudyConfig:
    search = {"sampler": "random", "trials": 1, "space": {"alpha": {"type": "float", "low": 0, "high": 1}}}
    return study_config.parse({"trial": {"backbone": backbone}, "search": search} | keys, "small")


def test_a_backbone_that_a_run_would_refuse_is_no_good_finding(tmp_path: Path) -> None:
    good = findings.backbones(study("builtin/xlmr-tiny"))
    assert good == findings.Finding("backbones", True, "none is a folder")
    (tmp_path / "model").mkdir()
    bad = findings.backbones(study(str(tmp_path / "model")))
    assert not bad.good
    assert str(tmp_path / "model") in bad.says


def test_a_logger_that_is_not_installed_is_no_good_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings.loggers(study("builtin/xlmr-tiny")).says == "TensorBoard alone"
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    bad = findings.loggers(study("builtin/xlmr-tiny", loggers=["mlflow"]))
    assert not bad.good
    assert "pip install mlflow" in bad.says


def node(ray_gpus: float, driver_gpus: int) -> Node:
    return Node("gpu-1 (10.0.0.2)", {}, ray_gpus, driver_gpus, 0, 0.0)


@pytest.mark.parametrize(
    ("nodes", "good", "says"),
    [
        ([node(4, 4), node(0, 0)], True, "4 seen by Ray and by the driver"),
        ([node(1, 4)], True, "Ray hands out 1 of the 4 that drivers show, as CUDA_VISIBLE_DEVICES may say"),
        ([node(4, 2), node(0, 0)], False, "gpu-1 (10.0.0.2): the driver shows 2, Ray 4"),
        ([node(0, 4)], False, "gpu-1 (10.0.0.2) has GPUs that Ray does not hand out"),
        ([node(0, 0)], True, "none: studies run on CPUs"),
    ],
)
def test_fewer_gpus_than_the_driver_shows_may_be_meant_and_more_cannot_be(
    nodes: list[Node], good: bool, says: str
) -> None:
    found = findings.gpus(nodes)
    assert (found.good, found.says) == (good, says)
