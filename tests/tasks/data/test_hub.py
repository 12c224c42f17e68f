"""Downloads from a real web server on this machine: whole, interrupted, wrong, twice at once, and not at all."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.data.hub import File, fetch, repository_files
from tasks.plugins import TaskError
from tests.file_server import FileServer

REVISION = "0123456789abcdef0123"
THAI = "ทีมรับของแพนเธอร์สยอมแพ้ที่คะแนนเท่าไร\n".encode() * 40_000
CHINESE = "黑豹队的防守丢了多少分？\n".encode() * 1000
TWO_PROCESSES = """
import sys
from tasks.data.hub import File, fetch
fetch("demo", "0123456789abcdef0123", lambda: [File(n, f"{sys.argv[1]}/{n}") for n in ("th.txt", "zh.txt")])
"""


def files_left(cache: Path) -> list[str]:
    """Return every file in the cache but locks."""
    return sorted(str(f.relative_to(cache)) for f in cache.rglob("*") if f.is_file() and f.suffix != ".lock")


@pytest.fixture
def wanted(server: FileServer) -> Callable[[], list[File]]:
    server.files = {"/th.txt": THAI, "/data/zh.txt": CHINESE}
    pinned = hashlib.sha256(THAI).hexdigest()
    return lambda: [
        File("th.txt", f"{server.url}/th.txt", pinned, len(THAI)),
        File("data/zh.txt", f"{server.url}/data/zh.txt"),
    ]


def test_a_download_is_whole_and_the_second_needs_neither_network_nor_list(
    server: FileServer, wanted: Callable[[], list[File]], cache: Path
) -> None:
    folder = fetch("demo", REVISION, wanted)
    server.stop()

    def unasked() -> list[File]:
        raise AssertionError("the list was asked for again")

    assert fetch("demo", REVISION, unasked) == folder == cache / "demo" / REVISION[:12]
    assert (folder / "th.txt").read_bytes() == THAI
    assert (folder / "data" / "zh.txt").read_bytes() == CHINESE
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["data/zh.txt"]["sha256"] == hashlib.sha256(CHINESE).hexdigest()


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(
    server: FileServer, wanted: Callable[[], list[File]]
) -> None:
    server.cut_off["/th.txt"] = 2
    folder = fetch("demo", REVISION, wanted)
    assert (folder / "th.txt").read_bytes() == THAI
    half, three_quarters = len(THAI) // 2, len(THAI) // 2 + (len(THAI) - len(THAI) // 2) // 2
    assert [asked for path, asked in server.requests if path == "/th.txt"] == [
        None,
        f"bytes={half}-",
        f"bytes={three_quarters}-",
    ]


def test_a_transfer_that_keeps_breaking_off_is_one_error_and_the_next_call_goes_on(
    server: FileServer, wanted: Callable[[], list[File]], cache: Path
) -> None:
    server.cut_off["/th.txt"] = 3
    with pytest.raises(TaskError, match=rf"th.txt was cut off after \d+ of {len(THAI)} bytes, 3 times: run the same"):
        fetch("demo", REVISION, wanted)
    assert not (cache / "demo" / REVISION[:12]).exists()
    held = (cache / "demo" / f"{REVISION[:12]}.partial" / "th.txt.part").stat().st_size
    folder = fetch("demo", REVISION, wanted)
    assert ("/th.txt", f"bytes={held}-") in server.requests
    assert (folder / "th.txt").read_bytes() == THAI
    assert files_left(folder) == ["data/zh.txt", "manifest.json", "th.txt"]


def test_a_server_without_ranges_sends_the_file_anew(server: FileServer, wanted: Callable[[], list[File]]) -> None:
    server.ranges = False
    server.cut_off["/th.txt"] = 1
    assert (fetch("demo", REVISION, wanted) / "th.txt").read_bytes() == THAI


def test_a_transfer_of_unknown_length_is_whole_only_when_it_ends_in_order(
    server: FileServer, wanted: Callable[[], list[File]]
) -> None:
    server.lengths = False
    server.cut_off["/data/zh.txt"] = 3
    with pytest.raises(TaskError, match=r"zh.txt was cut off after \d+ of unknown bytes, 3 times"):
        fetch("demo", REVISION, wanted)
    assert (fetch("demo", REVISION, wanted) / "data" / "zh.txt").read_bytes() == CHINESE


def test_a_whole_piece_left_by_a_killed_process_is_brought_anew(
    server: FileServer, wanted: Callable[[], list[File]], cache: Path
) -> None:
    partial = cache / "demo" / f"{REVISION[:12]}.partial"
    partial.mkdir(parents=True)
    (partial / "th.txt.part").write_bytes(b"?" * len(THAI))
    assert (fetch("demo", REVISION, wanted) / "th.txt").read_bytes() == THAI
    assert server.requests[:2] == [("/th.txt", f"bytes={len(THAI)}-"), ("/th.txt", None)]


@pytest.mark.parametrize(
    ("sha256", "size", "what"), [("0" * 64, None, "sha256"), (None, 7, "size")], ids=["checksum", "size"]
)
def test_wrong_content_is_one_error_and_nothing_is_left(
    server: FileServer, cache: Path, sha256: str | None, size: int | None, what: str
) -> None:
    server.files = {"/th.txt": THAI}
    with pytest.raises(TaskError, match=f"{server.url}/th.txt has {what} .* is pinned: it was discarded"):
        fetch("demo", REVISION, lambda: [File("th.txt", f"{server.url}/th.txt", sha256, size)])
    assert files_left(cache) == []
    assert not (cache / "demo" / REVISION[:12]).exists()


def test_without_network_and_copy_the_error_names_command_and_folder(
    server: FileServer, wanted: Callable[[], list[File]], cache: Path
) -> None:
    server.stop()
    with pytest.raises(TaskError) as refusal:
        fetch("demo/full/th", REVISION, wanted)
    assert "`python -m study.fetch demo`" in str(refusal.value)
    assert str(cache / "demo" / "full" / "th" / REVISION[:12]) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert files_left(cache) == []


def test_an_address_that_is_not_there_is_named_and_nothing_is_left(server: FileServer, cache: Path) -> None:
    with pytest.raises(TaskError, match=f"{server.url}/gone.txt answers 404 Not Found: run"):
        fetch("demo", REVISION, lambda: [File("data/gone.txt", f"{server.url}/gone.txt")])
    assert [path.suffix for path in (cache / "demo").iterdir()] == [".lock"]


def test_two_processes_at_once_download_once(server: FileServer, cache: Path) -> None:
    server.files = {"/th.txt": THAI, "/zh.txt": CHINESE}
    command = [sys.executable, "-c", TWO_PROCESSES, server.url]
    running = [subprocess.Popen(command, env=os.environ) for _ in range(2)]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    assert sorted(server.requests) == [("/th.txt", None), ("/zh.txt", None)]
    folder = f"demo/{REVISION[:12]}"
    assert files_left(cache) == [f"{folder}/manifest.json", f"{folder}/th.txt", f"{folder}/zh.txt"]


def test_a_file_that_changed_after_its_download_is_refused(wanted: Callable[[], list[File]]) -> None:
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


def test_the_hub_lists_a_revision_with_the_checksums_of_large_files(server: FileServer) -> None:
    large = {"oid": "ab" * 32, "size": 30_024_859, "pointerSize": 133}
    listing = [
        {"type": "directory", "oid": "1" * 40, "size": 0, "path": "th-corpus/old"},
        {
            "type": "file",
            "oid": "2" * 40,
            "size": 30_024_859,
            "lfs": large,
            "path": "th-corpus/dev-00000-of-00001.parquet",
        },
        {"type": "file", "oid": "3" * 40, "size": 12, "path": "th-corpus/README.md"},
    ]
    server.files["/api/datasets/mteb/MIRACLRetrieval/tree/9c09/th-corpus"] = json.dumps(listing).encode()
    base = f"{server.url}/datasets/mteb/MIRACLRetrieval/resolve/9c09/th-corpus"
    assert repository_files("mteb/MIRACLRetrieval", "9c09", ["th-corpus"]) == [
        File("th-corpus/dev-00000-of-00001.parquet", f"{base}/dev-00000-of-00001.parquet", "ab" * 32, size=30_024_859),
        File("th-corpus/README.md", f"{base}/README.md", None, 12),
    ]
