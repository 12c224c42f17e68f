"""Facts about the one driver a study has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.runtime import lock
from study.space.study_config import SHIPPED

HOLDER = """import sys
from study.runtime import lock
with lock.exclusive(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()"""


@pytest.fixture(params=["folder", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    return str(tmp_path / "study") if request.param == "folder" else "s3://bucket/studies/first"


def test_a_study_that_another_process_runs_is_refused_until_that_process_is_gone_however_it_went(folder: str) -> None:
    command = [sys.executable, "-c", HOLDER, folder]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=SHIPPED.parent
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(lock.StudyRunsError, match=f"is being run by process {other.pid} on "),
            lock.exclusive(folder),
        ):
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    with lock.exclusive(folder):
        pass


def test_two_studies_run_side_by_side(folder: str) -> None:
    with lock.exclusive(folder), lock.exclusive(folder + "-other"):
        pass


def test_a_study_in_a_bucket_that_another_machine_runs_is_refused_until_that_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.results.files.is_local", lambda _: False)  # a bucket, as far as the lock can tell
    sign = tmp_path / lock.OWNER
    with lock.sign_of_life(str(tmp_path)):
        wait_for(sign)
        own = json.loads(sign.read_text("utf-8"))
        assert own["process"] == os.getpid()
        with lock.sign_of_life(str(tmp_path)):  # of this machine, whose own lock decides
            pass
    assert not sign.exists()
    sign.write_text(json.dumps(own | {"host": "other", "at": time.time() - lock.GONE_AFTER_S / 2}), "utf-8")
    with pytest.raises(lock.StudyRunsError, match=r"by process \d+ on other, \d+ seconds ago"):
        lock.sign_of_life(str(tmp_path)).__enter__()
    sign.write_text(json.dumps(own | {"host": "other", "at": time.time() - lock.GONE_AFTER_S - 1}), "utf-8")
    with lock.sign_of_life(str(tmp_path)):
        pass


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} was not written"
        time.sleep(0.01)
