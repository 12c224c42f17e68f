"""How a trial's workers part, when some of them are no longer there."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.exceptions import OutOfMemoryError
from ray.train.torch.config import _TorchBackend

from study.config_sections import ResourcesConfig
from study.runtime import ray_internals
from study.runtime.resources import LOOPBACK


@pytest.mark.parametrize("address", [LOOPBACK, "10.0.0.7"], ids=["one machine", "a cluster"])
def test_workers_that_ray_killed_for_memory_do_not_keep_their_processors_from_the_next_attempt(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def killed(*_: Any) -> None:
        raise OutOfMemoryError("4 worker(s) were killed\nMemory on the node ...")

    monkeypatch.setattr(_TorchBackend, "on_shutdown", killed)
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: address)
    config = ray_internals.torch_config(ResourcesConfig(workers=2))
    backend = config.backend_cls()
    backend._folder = str(tmp_path / "rendezvous")
    (tmp_path / "rendezvous").mkdir()
    with caplog.at_level(logging.WARNING):
        backend.on_shutdown(None, config)  # what it raised, Ray Train would not go on after
    assert "4 worker(s) were killed" in caplog.text
    assert (tmp_path / "rendezvous").exists() == (address != LOOPBACK)
