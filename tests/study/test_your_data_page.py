"""The commands of docs/your_data.md on the files it shows."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from study.analysis.formats import setting_name
from tests.study.small_study import ENVIRONMENT

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "your_data.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    for name, content in re.findall(r"^`(my_data/\S+)`\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    return root


def shown(command: str, folder: Path) -> str:
    """Run the page's line with this command, in the folder of its files, and return what is printed."""
    (line,) = re.findall(rf"^python -m (study\.{command} .*)$", PAGE, re.MULTILINE)
    arguments = [sys.executable, "-m", *shlex.split(line)]
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        arguments, capture_output=True, text=True, timeout=300, cwd=folder, env=environment, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_check_prints_what_the_files_hold(folder: Path) -> None:
    lines = [line.split() for line in shown("fetch", folder).splitlines()]
    assert ["language", "queries", "passages", "judged", "missing", "copies", "empty"] in lines
    for row in (["th", "1", "2", "1", "0", "0", "0"], ["zh", "1", "2", "1", "0", "0", "0"]):
        assert row in lines
    assert ["all", "2", "4", "2", "0", "0", "0"] in lines


def test_evaluate_measures_all_three_settings_on_the_files(folder: Path) -> None:
    printed = shown("evaluate", folder)
    result = json.loads((folder / "result.json").read_text("utf-8"))
    measured = result["benchmarks"]["local"]
    assert (measured["queries"], measured["passages"]) == ({"th": 1, "zh": 1}, {"th": 2, "zh": 2})
    assert set(measured["by_pair"]) == {"th-zh", "zh-th"}
    for setting in ("monolingual", "crosslingual", "multilingual"):
        assert setting_name(setting) in printed
        assert 0 < result["metrics"][f"local/{setting}/map"] <= 1
