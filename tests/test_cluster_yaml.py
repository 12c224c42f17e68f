from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

CLUSTER = Path(__file__).resolve().parents[1] / "cluster.yaml"


def read() -> dict[str, Any]:
    held: dict[str, Any] = yaml.safe_load(CLUSTER.read_text("utf-8"))
    return held


def test_rays_own_schema_accepts_the_cluster() -> None:
    validate_config(prepare_config(copy.deepcopy(read())))


def test_rays_own_schema_refuses_a_key_it_does_not_know() -> None:
    with pytest.raises(jsonschema.ValidationError, match="ssh_port"):
        validate_config(prepare_config(copy.deepcopy(read() | {"auth": {"ssh_user": "ubuntu", "ssh_port": 22}})))


def test_the_head_never_trains() -> None:
    cluster = read()
    assert cluster["available_node_types"][cluster["head_node_type"]]["resources"]["CPU"] == 0
