"""Facts about a study's files, on this machine and on shared storage."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from pyarrow import fs

from study.pages.live import open_study
from study.results import files, layout
from study.results.study_record import without_password
from study.runtime.record import Record
from tasks.errors import UserError
from tests.study.toy_study import study_of


@pytest.fixture(params=["folder", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder, and a bucket that lies in one."""
    if request.param == "folder":
        return str(tmp_path)
    bucket(tmp_path, monkeypatch)
    return "s3://bucket/studies"


def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every s3:// address lie in a folder."""

    def from_uri(uri: str) -> tuple[fs.FileSystem, str]:
        scheme, _, path = uri.partition("://")
        assert scheme == "s3"
        return fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()), path

    of_uri = SimpleNamespace(from_uri=from_uri)
    monkeypatch.setattr(files, "fs", SimpleNamespace(**vars(fs) | {"FileSystem": of_uri}))


def test_files_are_read_back_as_they_were_written_and_listed(root: str) -> None:
    place = files.join(root, "first study", "trials", "0003")
    table = pa.table({"query": ["คำถาม"], "position": [7]})
    files.write_json(files.join(place, "result.json"), {"ภาษา": "th"})
    files.write_table(files.join(place, "positions", "x.parquet"), table)
    assert files.read_json(files.join(place, "result.json")) == {"ภาษา": "th"}
    assert files.read_table(files.join(place, "positions", "x.parquet")) == table
    assert files.folders(files.join(root, "first study", "trials")) == ["0003"]
    assert files.folders(files.join(root, "none")) == []
    assert files.modified(files.join(place, "result.json")) > 0
    there, missing = files.written([files.join(place, name) for name in ("result.json", "none.json")])
    assert (bool(there), missing, files.written([])) == (True, None, [])
    files.remove(files.join(place, "result.json"))
    assert not files.exists(files.join(place, "result.json"))


def test_a_file_is_replaced_whole_or_not_at_all(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = files.join(root, "study", "study.json")
    files.write_json(file, {"version": 1})

    def cut_short(filesystem: fs.FileSystem, inner: str, content: bytes) -> None:
        with filesystem.open_output_stream(inner) as stream:
            stream.write(content[:5])
        raise OSError("No space left on device")

    monkeypatch.setattr(files, "_write_bytes", cut_short)
    with pytest.raises(OSError, match="No space left"):
        files.write_json(file, {"version": 2})
    assert files.read_json(file) == {"version": 1}


def test_a_file_is_on_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, set[str], int]] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        synced.append((name, {path.name for path in (tmp_path / "study").iterdir()}, os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", watched)
    files.write_text(str(tmp_path / "study" / "result.json"), "ผลลัพธ์")
    assert synced[0] == ("result.json.partial", {"result.json.partial"}, len("ผลลัพธ์".encode()))
    assert synced[1][:2] == ("study", {"result.json"})


def test_a_file_uri_is_the_path_it_names_and_other_uris_stay(tmp_path: Path) -> None:
    assert files.absolute(f"file://{tmp_path}/studies") == f"{tmp_path}/studies"
    assert files.absolute("s3://bucket/studies/") == "s3://bucket/studies"
    assert files.absolute("~/studies") == str(Path.home() / "studies")


def test_the_record_lies_in_the_studys_folder_or_where_the_search_space_says(tmp_path: Path) -> None:
    url = layout.record_url(str(tmp_path), None)
    Record(study_of("random"), url, "toy")
    assert (tmp_path / layout.RECORD).exists()
    assert layout.record_url("s3://bucket/first", "postgresql://me@host/studies") == "postgresql://me@host/studies"


def test_a_record_that_sqlite_would_have_to_keep_in_a_bucket_is_refused_with_what_to_write() -> None:
    with pytest.raises(
        layout.RecordError, match=r"s3://bucket/first cannot hold the record .* STUDY_RECORD.*postgresql"
    ):
        layout.record_url("s3://bucket/first", None)


def test_the_dashboard_opens_the_record_that_a_study_in_a_bucket_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STUDY_RECORD", raising=False)
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    Record(study_of("random"), url, "first")
    bucket(tmp_path, monkeypatch)
    files.write_json("s3://bucket/first/study.json", {"name": "toy", "search_space": {"storage": url}})
    assert open_study("s3://bucket/first")[0].study_name == "first"


def test_a_record_that_cannot_lie_in_a_bucket_goes_where_the_machine_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_RECORD", "sqlite:////home/me/studies.db")
    assert layout.record_url("s3://bucket/first", None) == "sqlite:////home/me/studies.db"
    assert layout.record_url(str(tmp_path), None) == f"sqlite:///{tmp_path}/optuna.db"
    assert layout.record_url("s3://bucket/first", "postgresql://me@host/studies") == "postgresql://me@host/studies"


@pytest.mark.parametrize(
    "uri", ["s3://b/studies?region=eu-west-1", "s3://b/a#2", "gs://b/my studies", "s3://b/ไทย", "s3://b/50%"]
)
def test_a_uri_that_would_be_read_as_another_place_is_refused(uri: str) -> None:
    with pytest.raises(UserError, match=r"is refused: .* ends a path in a URI or is written otherwise"):
        files.absolute(uri)


def test_a_link_is_not_followed_as_other_nodes_may_not_have_it(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "shared").symlink_to(tmp_path / "export")
    assert files.absolute(f"{tmp_path}/shared/x/../studies") == f"{tmp_path}/shared/studies"


def test_a_password_is_not_stored_and_the_environment_may_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, stored = "postgresql://me:geheim@host/studies", "postgresql://me@host/studies"
    assert without_password(whole) == without_password(stored) == stored
    assert without_password("mysql://me:a/b:c@host/db?password=geheim&x=1") == "mysql://me@host/db?password=&x=1"
    monkeypatch.setenv("STUDY_RECORD", whole)
    assert layout.record_url("/studies/first", stored) == whole
    assert layout.record_url("/studies/first", "postgresql://me@other/studies") == "postgresql://me@other/studies"
