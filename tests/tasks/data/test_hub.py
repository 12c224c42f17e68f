"""Snapshots from a stand-in of the hub on this machine, through the real client library."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasks.data.hub import dataset_folder, model_folder
from tasks.plugins import TaskError
from tests.hub_server import HubServer, Repository

COMMIT = Repository({}).commit
THAI = "เมืองหลวงของไทยคือเมืองใด\n".encode() * 9_000
CHINESE = "泰国的首都是哪里？\n".encode()
TOKEN = "hf_secretsecretsecret"


@pytest.fixture
def data(hub: HubServer) -> Repository:
    """A data set with a large Thai file, a small Chinese one and a card."""
    files = {"th-corpus/dev.tsv": THAI, "zh-corpus/dev.tsv": CHINESE, "README.md": b"# demo"}
    hub.repositories["datasets/demo/data"] = Repository(files)
    return hub.repositories["datasets/demo/data"]


@pytest.fixture
def model(hub: HubServer) -> Repository:
    """A model with pickled weights and code beside what a backbone needs."""
    files = {"config.json": b"{}", "model.safetensors": THAI, "pytorch_model.bin": THAI, "modeling.py": b"exit()"}
    hub.repositories["models/demo/model"] = Repository(files)
    return hub.repositories["models/demo/model"]


def names(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_only_matching_files_are_downloaded_and_the_second_time_needs_no_network(
    hub: HubServer, data: Repository
) -> None:
    folder = dataset_folder("demo/data", COMMIT, ["th-corpus/*"])
    assert names(folder) == ["th-corpus/dev.tsv"]
    assert (folder / "th-corpus" / "dev.tsv").read_bytes() == THAI
    asked = len(hub.requests)
    hub.stop()
    assert dataset_folder("demo/data", COMMIT, ["th-corpus/*"]) == folder
    assert len(hub.requests) == asked
    with pytest.raises(TaskError, match=r"data set 'demo/data' at revision '0123.*' is not complete on this machine"):
        dataset_folder("demo/data", COMMIT, ["zh-corpus/*"])


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(
    hub: HubServer, data: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)
    path = f"/datasets/demo/data/resolve/{COMMIT}/th-corpus/dev.tsv"
    hub.cut_off[path] = 2
    folder = dataset_folder("demo/data", COMMIT, ["th-corpus/*"])
    assert (folder / "th-corpus" / "dev.tsv").read_bytes() == THAI
    assert [asked for sent, asked in hub.requests if sent == path and asked] != []


@pytest.mark.parametrize("path", ["th-corpus/dev.tsv", "zh-corpus/dev.tsv"], ids=["sha256", "sha1 of Git"])
def test_a_wrong_checksum_is_refused_and_the_next_attempt_downloads_again(data: Repository, path: str) -> None:
    right = data.checksum(path)
    data.checksums[path] = "0" * len(right)
    with pytest.raises(TaskError, match=rf"{path} does not have the checksum 000.* was removed: run the same command"):
        dataset_folder("demo/data", COMMIT, [path])
    data.checksums.clear()
    assert (dataset_folder("demo/data", COMMIT, [path]) / path).read_bytes() == data.files[path]


def test_a_file_that_changed_after_its_download_is_refused_once_and_then_downloaded_again(data: Repository) -> None:
    file = dataset_folder("demo/data", COMMIT, ["th-corpus/*"]) / "th-corpus" / "dev.tsv"
    file.write_bytes(THAI.replace("ไทย".encode(), "ลาว".encode()))
    with pytest.raises(TaskError, match=r"dev.tsv does not have the checksum"):
        dataset_folder("demo/data", COMMIT, ["th-corpus/*"])
    dataset_folder("demo/data", COMMIT, ["th-corpus/*"])
    assert file.read_bytes() == THAI


def test_patterns_that_match_no_file_are_refused(data: Repository) -> None:
    with pytest.raises(TaskError, match=r"data set 'demo/data' has no files fr-corpus/\* \(http"):
        dataset_folder("demo/data", COMMIT, ["fr-corpus/*"])


def test_a_model_has_neither_pickled_weights_nor_code(model: Repository) -> None:
    assert names(model_folder("demo/model")) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("revision", ["", "@main", f"@{COMMIT}"], ids=["none", "branch", "commit"])
def test_a_model_lies_in_the_library_s_cache_by_its_name_and_commit(
    model: Repository, tmp_path: Path, revision: str
) -> None:
    expected = tmp_path / "hub-home" / "hub" / "models--demo--model" / "snapshots" / COMMIT
    assert model_folder(f"demo/model{revision}") == expected


def test_a_process_keeps_to_the_commit_of_a_branch_that_moves(hub: HubServer, model: Repository) -> None:
    folder = model_folder("demo/model")
    hub.repositories["models/demo/model"] = Repository(model.files, commit="f" * 40)
    assert model_folder("demo/model") == folder
    assert model_folder("demo/model@main").name == "f" * 40


def test_offline_the_copy_of_a_branch_is_used(hub: HubServer, model: Repository) -> None:
    folder = model_folder("demo/model")
    hub.stop()
    assert model_folder("demo/model") == folder


def test_a_private_model_needs_a_token_that_may_read_it(model: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    model.token = TOKEN
    with pytest.raises(TaskError, match="no such repository or it is private: check the name, or set HF_TOKEN"):
        model_folder("demo/model")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert names(model_folder("demo/model")) == ["config.json", "model.safetensors"]


def test_a_gated_model_names_where_its_terms_are_accepted(
    hub: HubServer, model: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.token, model.gated = TOKEN, True
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(TaskError, match=f"backbone 'demo/model' is gated: accept its terms at {hub.url}/demo/model,"):
        model_folder("demo/model")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert names(model_folder("demo/model")) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("backbone", "problem"),
    [
        ("demo/gone", "backbone 'demo/gone' is not a folder on this machine, and {url} has no such repository"),
        ("demo/model@v9", "backbone 'demo/model' has no revision 'v9': {url}/demo/model/commits lists them"),
        ("demo/model@", "backbone 'demo/model@' is neither a folder on this machine nor the id of a repository"),
        ("./demo/model/x", "backbone './demo/model/x' is neither a folder on this machine nor the id of a repository"),
    ],
    ids=["repository", "revision", "empty revision", "name"],
)
def test_a_name_that_does_not_exist_is_one_sentence(
    hub: HubServer, model: Repository, backbone: str, problem: str
) -> None:
    with pytest.raises(TaskError, match=re.escape(problem.format(url=hub.url))) as refusal:
        model_folder(backbone)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("offline", [False, True], ids=["no network", "HF_HUB_OFFLINE"])
def test_without_network_and_copy_the_error_names_the_cache(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    hub.stop()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    reason = "HF_HUB_OFFLINE is set" if offline else f"{hub.url} cannot be reached"
    with pytest.raises(TaskError) as refusal:
        model_folder("demo/model@v1")
    assert f"backbone 'demo/model' at revision 'v1' is not complete on this machine and {reason}" in str(refusal.value)
    assert f"copy it into {tmp_path / 'hub-home' / 'hub'}" in str(refusal.value)
