"""Downloads from a real web server on this machine: whole, interrupted, wrong, twice at once, and not at all."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.data.pinned_files import File, fetch
from tasks.plugins import TaskError
from tests.file_server import FileServer

REVISION = "0123456789abcdef0123"
THAI = "ทีมรับของแพนเธอร์สยอมแพ้ที่คะแนนเท่าไร\n".encode() * 40_000
CHINESE = "黑豹队的防守丢了多少分？\n".encode() * 1000
TWO_PROCESSES = """
import sys
from tasks.data.pinned_files import File, fetch
fetch("demo", "0123456789abcdef0123", [File(n, f"{sys.argv[1]}/{n}") for n in ("th.txt", "zh.txt")])
"""


def files_left(cache: Path) -> list[str]:
    """Return every file in the cache but locks."""
    return sorted(str(f.relative_to(cache)) for f in cache.rglob("*") if f.is_file() and f.suffix != ".lock")


@pytest.fixture
def wanted(server: FileServer) -> list[File]:
    """A Thai file with a pinned checksum and a Chinese one without."""
    server.files = {"/th.txt": THAI, "/zh.txt": CHINESE}
    return [
        File("th.txt", f"{server.url}/th.txt", hashlib.sha256(THAI).hexdigest()),
        File("data/zh.txt", f"{server.url}/zh.txt"),
    ]


def test_a_download_is_whole_and_the_second_needs_no_network(
    server: FileServer, wanted: list[File], cache: Path
) -> None:
    folder = fetch("demo", REVISION, wanted)
    server.stop()
    assert fetch("demo", REVISION, wanted) == folder == cache / "demo" / REVISION[:12]
    assert (folder / "th.txt").read_bytes() == THAI
    assert (folder / "data" / "zh.txt").read_bytes() == CHINESE
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["data/zh.txt"]["sha256"] == hashlib.sha256(CHINESE).hexdigest()


@pytest.mark.parametrize("lengths", [True, False], ids=["length known", "in chunks"])
def test_a_transfer_that_breaks_off_twice_is_downloaded_again(
    server: FileServer, wanted: list[File], lengths: bool
) -> None:
    server.lengths = lengths
    server.cut_off = {"/th.txt": 2, "/zh.txt": 2}
    folder = fetch("demo", REVISION, wanted)
    assert (folder / "th.txt").read_bytes() == THAI
    assert (folder / "data" / "zh.txt").read_bytes() == CHINESE


def test_a_transfer_that_keeps_breaking_off_is_one_error_and_whole_files_are_kept(
    server: FileServer, wanted: list[File], cache: Path
) -> None:
    server.cut_off["/zh.txt"] = 3
    with pytest.raises(TaskError, match=r"zh.txt was cut off 3 times: run `python -m study.fetch demo`"):
        fetch("demo", REVISION, wanted)
    assert not (cache / "demo" / REVISION[:12]).exists()
    folder = fetch("demo", REVISION, wanted)
    assert [path for path, _ in server.requests] == ["/th.txt"] + ["/zh.txt"] * 4
    assert files_left(folder) == ["data/zh.txt", "manifest.json", "th.txt"]
    assert (folder / "data" / "zh.txt").read_bytes() == CHINESE


def test_wrong_content_is_one_error_and_nothing_is_left(server: FileServer, cache: Path) -> None:
    server.files = {"/th.txt": THAI}
    with pytest.raises(TaskError, match=f"{server.url}/th.txt does not have the sha256 000.* that is pinned"):
        fetch("demo", REVISION, [File("th.txt", f"{server.url}/th.txt", "0" * 64)])
    assert files_left(cache) == []
    assert not (cache / "demo" / REVISION[:12]).exists()


def test_without_network_and_copy_the_error_names_command_and_folder(
    server: FileServer, wanted: list[File], cache: Path
) -> None:
    server.stop()
    with pytest.raises(TaskError) as refusal:
        fetch("demo", REVISION, wanted)
    assert f"{server.url}/th.txt cannot be reached" in str(refusal.value)
    assert "`python -m study.fetch demo`" in str(refusal.value)
    assert str(cache / "demo" / REVISION[:12]) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert files_left(cache) == []


def test_an_address_that_does_not_exist_is_named_and_nothing_is_left(server: FileServer, cache: Path) -> None:
    with pytest.raises(TaskError, match=f"{server.url}/gone.txt answers 404 Not Found: run"):
        fetch("demo", REVISION, [File("data/gone.txt", f"{server.url}/gone.txt")])
    assert [path.suffix for path in (cache / "demo").iterdir()] == [".lock"]


def test_two_processes_at_once_download_once(server: FileServer, cache: Path) -> None:
    server.files = {"/th.txt": THAI, "/zh.txt": CHINESE}
    command = [sys.executable, "-c", TWO_PROCESSES, server.url]
    running = [subprocess.Popen(command, env=os.environ) for _ in range(2)]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    assert sorted(server.requests) == [("/th.txt", None), ("/zh.txt", None)]
    folder = f"demo/{REVISION[:12]}"
    assert files_left(cache) == [f"{folder}/manifest.json", f"{folder}/th.txt", f"{folder}/zh.txt"]


def test_a_file_that_changed_after_its_download_is_refused(wanted: list[File]) -> None:
    folder = fetch("demo", REVISION, wanted)
    file = folder / "data" / "zh.txt"
    os.utime(file, ns=(1, 1))
    fetch("demo", REVISION, wanted)  # another time, the same content
    file.write_bytes(CHINESE.replace("黑".encode(), "白".encode()))
    with pytest.raises(TaskError, match=r"zh.txt has changed since it was downloaded: delete .* and run `python -m"):
        fetch("demo", REVISION, wanted)
    file.unlink()
    with pytest.raises(TaskError, match=r"zh.txt is missing: delete"):
        fetch("demo", REVISION, wanted)
