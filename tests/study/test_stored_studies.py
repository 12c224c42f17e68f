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

from study.analysis.study import Study
from study.results import layout
from tests.study.live_study import copy_of

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
        assert "Hybrid batches against the other ways to sample batches" in page("/report")
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
        assert "Hybrid batches against the other ways to sample batches" in page("/report")
        assert errors.read_text("utf-8").count(str(damaged)) == 1


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
