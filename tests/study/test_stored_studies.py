"""Study folders of other versions, and damaged ones, in the commands that read them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from study.analysis.study import Study, read_study
from study.results import layout
from study.results.layout import StudyError
from tests.study.live_study import copy_of, record
from tests.study.synthetic_study import SPACE

EARLIER = Path(__file__).resolve().parents[2] / "experiments/2026-11-24-xquad-r-split/xquad-r-split"
"""A study written before its files had types; its data and its backbone are not on this machine."""


def command(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = [sys.executable, "-m", f"study.{name}", *arguments]
    return subprocess.run(process, capture_output=True, text=True, check=False, timeout=300)


@contextmanager
def dashboard(folder: Path) -> Iterator[tuple[Callable[[str], str], Path]]:
    """Run the dashboard; yield what fetches one of its pages, and the file with its errors."""
    errors = folder.parent / "dashboard.err"
    process = [sys.executable, "-u", "-m", "study.dashboard", str(folder), "--port", "0"]
    with (
        errors.open("w") as stream,
        subprocess.Popen(process, stdout=subprocess.PIPE, stderr=stream, text=True) as made,
    ):
        assert made.stdout is not None
        address = made.stdout.readline().rpartition(": ")[2].strip()

        def page(path: str) -> str:
            with urlopen(address.rstrip("/") + path, timeout=200) as answer:  # noqa: S310 - an address of this machine
                return str(answer.read().decode())

        try:
            yield page, errors
        finally:
            made.terminate()


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EARLIER, tmp_path / EARLIER.name))


def in_a_later_version(folder: Path) -> None:
    """Add to every file of a study what a later version might write."""
    for file in (folder / "study.json", *folder.glob("trials/*/result.json")):
        stored = json.loads(file.read_text("utf-8")) | {"format_version": 99, "ใหม่": {"a": [1]}}
        if "config" in stored:
            stored["config"] |= {"optimizer": "muon", "precision": "fp8"}
            stored["config"]["validation"]["strategy"] = {"name": "rolling"}
            stored["training"]["tokens"] = 10**9
        else:
            stored["search_space"]["trial"]["optimizer"] = "muon"
        file.write_text(json.dumps(stored), "utf-8")


@pytest.mark.parametrize("change", [lambda _: None, in_a_later_version], ids=["earlier", "later"])
def test_a_study_of_another_version_opens_in_every_command(earlier: Path, change: Callable[[Path], None]) -> None:
    change(earlier)
    for name in ("report", "compare"):
        done = command(name, str(earlier))
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    report = (earlier / "report.md").read_text("utf-8")
    assert all(f"| {number} |" in report or f"| **{number}** |" in report for number in range(22))
    with dashboard(earlier) as (page, errors):
        assert "trials begun" in page("/")
        assert "Ways to sample batches against each other" in page("/report")
        assert errors.read_text("utf-8") == ""


SAYS_WHAT_IT_LOADED = """
import atexit, runpy, sys
heavy = {"torch", "transformers", "ray", "optuna"}
atexit.register(lambda: print("loaded:", sorted(heavy & set(sys.modules))))
runpy.run_module(f"study.{sys.argv[1]}", run_name="__main__")
"""


@pytest.mark.parametrize("name", ["compare", "report"])
def test_a_command_that_reads_results_loads_neither_torch_nor_ray(earlier: Path, name: str) -> None:
    process = [sys.executable, "-c", SAYS_WHAT_IT_LOADED.replace("sys.argv[1]", repr(name)), str(earlier)]
    done = subprocess.run(process, capture_output=True, text=True, check=True)
    assert "written: " in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded: []"


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def test_a_damaged_result_is_named_and_left_out(synthetic_study: Study, tmp_path: Path) -> None:
    folder = Path(copy_of(synthetic_study, tmp_path))
    damaged = folder / "trials" / "0007" / layout.RESULT
    cut_short(damaged)
    for name in ("report", "compare"):
        done = command(name, str(folder))
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith(f"warning: {damaged} is left out: ")
        assert done.stderr.count("\n") == 1
    report = (folder / "report.md").read_text("utf-8")
    assert [f"| {number} |" in report or f"| **{number}** |" in report for number in range(12)].index(False) == 7
    with dashboard(folder) as (page, errors):
        assert "trials begun" in page("/")
        assert "Ways to sample batches against each other" in page("/report")
        assert errors.read_text("utf-8").count(str(damaged)) == 1


def test_a_result_in_the_folder_of_another_trial_is_named_and_left_out(
    synthetic_study: Study, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(copy_of(synthetic_study, tmp_path))
    shutil.copy(folder / "trials/0003/result.json", folder / "trials/0007/result.json")
    assert [result.number for result in layout.finished(str(folder))] == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11]
    assert caplog.messages[-1:] == [f"warning: {folder}/trials/0007 is left out: it is the result of trial 3"]


def test_damaged_examples_are_left_out_and_damaged_positions_are_named(
    synthetic_study: Study, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(copy_of(synthetic_study, tmp_path))
    examples, positions = folder / "trials/0000/examples.json", folder / "trials/0000/positions/xquad_r.parquet"
    for file in (examples, positions):
        cut_short(file)
    study = read_study(str(folder))
    assert study.attachment(0, layout.EXAMPLES) == {}
    assert caplog.messages[-1:] == [f"warning: {examples} is left out: it is not whole JSON"]
    with pytest.raises(StudyError, match=f"{positions} cannot be read .*: restore it, or move the folder of trial 0"):
        study.positions(0, "xquad_r")


def test_a_study_is_not_resumed_with_another_search_space_and_keeps_its_own(
    synthetic_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    folder = Path(shutil.copytree(synthetic_study.folder, tmp_path / "study"))
    record(str(folder), synthetic_study).set_user_attr("search_space", SPACE)
    before = (folder / layout.STUDY).read_bytes()
    other = SPACE | {"objective": "validation/monolingual/map"}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(other), "utf-8")
    refused = command("run", str(tmp_path / "other.yaml"), "--resume", "--name", "study", "--storage", str(tmp_path))
    assert refused.returncode == 2
    assert "'objective' is 'validation/monolingual/map' but the study 'study' was started with" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert (folder / layout.STUDY).read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database\n" * 400, bytes(8192)], ids=["text", "zeros"])
def test_a_damaged_record_of_trials_is_refused_before_ray_starts(
    synthetic_study: Study, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    folder = Path(shutil.copytree(synthetic_study.folder, tmp_path / "study"))
    (folder / layout.RECORD).write_bytes(content)
    refused = command("run", "--resume", "--name", "study", "--storage", str(tmp_path))
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: the record of the trials in {folder} cannot be opened (")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["report", "compare", "export", "dashboard"])
def test_a_damaged_record_of_a_study_is_named_in_one_sentence(
    synthetic_study: Study, tmp_path: Path, name: str
) -> None:
    folder = Path(copy_of(synthetic_study, tmp_path))
    cut_short(folder / layout.STUDY)
    done = command(name, str(folder))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {folder / layout.STUDY} cannot be read (it is not whole JSON): restore it")
    assert done.stderr.count("\n") == 1
