"""Uploads to a stand-in of the hub on this machine, through the real client library."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.model.hub_upload import UploadError, create_repository, upload
from tests.hub_server import HubServer

TOKEN = "hf_secretsecretsecret"


@pytest.fixture
def writer(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A hub where the token of this process may write in the name of `team`."""
    hub.writers[TOKEN] = "team"
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small file and a large one, and a file in a folder."""
    files = {"config.json": b"{}", "model.safetensors": b"w" * 5000, "1_Pooling/config.json": "ค่าเฉลี่ย".encode()}
    for name, content in files.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(content)
    return tmp_path / "model"


def test_every_file_arrives_in_a_private_repository(writer: HubServer, folder: Path) -> None:
    create_repository("team/retriever")
    address = upload(folder, "team/retriever")
    repository = writer.repositories["models/team/retriever"]
    assert address == f"{writer.url}/team/retriever/tree/{repository.commit}"
    assert repository.token == TOKEN  # readable with it alone
    expected = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert repository.files == {".gitattributes": b""} | expected


def test_an_empty_repository_is_filled_and_one_with_files_is_refused(writer: HubServer, folder: Path) -> None:
    create_repository("team/retriever")
    create_repository("team/retriever")
    upload(folder, "team/retriever")
    with pytest.raises(
        UploadError, match=r"--push team/retriever: the repository has files already \(1_Pooling/config"
    ):
        create_repository("team/retriever")


def test_a_card_that_the_hub_refuses_is_one_sentence(writer: HubServer, folder: Path) -> None:
    create_repository("team/retriever")
    (folder / "README.md").write_text("---\nlanguage: [th, zh_Hant]\n---\n", "utf-8")
    with pytest.raises(
        UploadError, match=r"--push team/retriever: Invalid metadata.* not zh_Hant: correct README.md in"
    ):
        upload(folder, "team/retriever")


def test_an_empty_repository_that_is_public_is_refused(writer: HubServer) -> None:
    create_repository("team/retriever")
    writer.repositories["models/team/retriever"].token = None
    with pytest.raises(UploadError, match="--push team/retriever: the repository exists and is public"):
        create_repository("team/retriever")


@pytest.mark.parametrize(
    ("name", "token", "sentence"),
    [
        ("others/retriever", TOKEN, "answers 403 Forbidden: set HF_TOKEN to a token that may write there"),
        ("team/retriever", "", "answers 401 Unauthorized: set HF_TOKEN"),
        ("team/my/retriever", TOKEN, "--push team/my/retriever is refused: write owner/name"),
        ("retriever", TOKEN, "--push retriever is refused: write owner/name"),
        ("team/my retriever", TOKEN, "--push team/my retriever is refused: write owner/name"),
    ],
    ids=["another owner", "no token", "two slashes", "no owner", "white space"],
)
def test_a_repository_that_cannot_be_written_is_one_sentence(
    writer: HubServer, monkeypatch: pytest.MonkeyPatch, name: str, token: str, sentence: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UploadError, match=sentence) as refusal:
        create_repository(name)
    assert "\n" not in str(refusal.value)
    assert TOKEN not in str(refusal.value)


def test_without_network_it_is_one_sentence(writer: HubServer) -> None:
    writer.stop()
    with pytest.raises(UploadError, match=f"--push team/retriever: {writer.url} cannot be reached"):
        create_repository("team/retriever")
