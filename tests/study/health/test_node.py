"""What a node says about itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.health.node import examine, share
from study.results.provenance import project_version
from tests.hub_server import HubServer, Repository


def test_a_node_that_sees_what_another_wrote_writes_next_to_it(tmp_path: Path) -> None:
    (tmp_path / "asker").write_text("asker", "utf-8")
    assert share(str(tmp_path), "worker", "asker") == ""
    assert (tmp_path / "worker").read_text("utf-8") == "worker"


def test_a_node_with_a_folder_of_the_same_name_but_another_disk_is_found_out(tmp_path: Path) -> None:
    assert "does not see what another node wrote" in share(str(tmp_path), "worker", "asker")


def test_a_folder_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "asker").write_text("asker", "utf-8")
    (tmp_path / "worker").mkdir()  # in the way of the file of that name
    assert "cannot use" in share(str(tmp_path), "worker", "asker")


def test_the_projects_version_is_a_function_of_its_sources() -> None:
    assert project_version() == project_version()
    assert len(project_version()) == 8


def test_a_model_is_absent_that_a_trial_could_not_load_from_cache_or_hub(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = Repository({"config.json": b"{}"}, token="hf_secret")
    hub.repositories |= {"models/team/open": Repository({"config.json": b"{}"}), "models/team/private": private}
    pinned = f"team/open@{private.commit}"
    models = ("team/open", pinned, "team/private", "team/none")
    assert examine("127.0.0.1", 0, models).absent_models == ("team/private", "team/none")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert examine("127.0.0.1", 0, models).absent_models == ("team/none",)
    hub.stop()
    assert examine("127.0.0.1", 0, models).absent_models == ("team/none",)
