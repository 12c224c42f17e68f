"""What a node says about itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.health.node import examine, project_version, share

MODEL = "sentence-transformers/LaBSE"


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


def test_a_model_is_absent_without_hub_and_cache_and_present_once_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert examine("127.0.0.1", 0, (MODEL,)).absent_models == (MODEL,)
    snapshot = tmp_path / "models--sentence-transformers--LaBSE" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}", "utf-8")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc", "utf-8")
    assert examine("127.0.0.1", 0, (MODEL,)).absent_models == ()
