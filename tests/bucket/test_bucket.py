"""A study in an S3 bucket, from its start to a second head, against a server on this machine: `make test-bucket`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from pyarrow import fs

from study.results import layout
from tests.study.small_study import run, write_space

pytestmark = pytest.mark.ray
SERVER = Path(sys.prefix) / "bucket" / "bin" / "moto_server"
STUDIES = "s3://bucket/studies"


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The environment in which `s3://bucket` is a bucket on this machine."""
    if not SERVER.is_file():
        pytest.skip("`make test-bucket` installs the server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with subprocess.Popen([SERVER, "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL) as server:
        try:
            _create_bucket(port)
            yield environment
        finally:
            server.terminate()


def _create_bucket(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as asked:
            if not asked.connect_ex(("127.0.0.1", port)):
                break
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.1)
    there = fs.S3FileSystem(allow_bucket_creation=True, endpoint_override=f"http://127.0.0.1:{port}")
    there.create_dir("bucket")


def record(url: str) -> list[tuple[Any, ...]]:
    study = optuna.load_study(study_name="first", storage=url)
    return [(t.number, t.state.name, t.params, t.values, t.intermediate_values) for t in study.trials]


def test_a_study_in_a_bucket_outlives_its_head(storage: dict[str, Any], tmp_path: Path) -> None:
    space, head, new_head = write_space(tmp_path, {}), *(f"sqlite:///{tmp_path}/{name}.db" for name in ("head", "new"))
    named = ("--name", "first", "--storage", STUDIES)
    ended = run(space, *named, **storage, STUDY_RECORD=head)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert len(layout.finished(f"{STUDIES}/first")) == 2
    compared = [sys.executable, "-m", "study.report", f"{STUDIES}/first"]
    subprocess.run(compared, check=True, env=os.environ | storage, capture_output=True)
    again = run("--resume", *named, **storage, STUDY_RECORD=new_head)
    assert again.returncode == 0, again.stderr
    assert record(new_head) == record(head)
    other = run(space, "--name", "first", "--storage", "s3://bucket/others", **storage, STUDY_RECORD=head)
    assert other.returncode == 2
    assert "they belong to another folder than s3://bucket/others/first" in other.stderr
