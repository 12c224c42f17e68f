"""Commands whose output goes to a file or a pipe say what they are doing while they are at it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.study.small_study import ENVIRONMENT, LANGUAGES, SPACE, write_space

pytestmark = pytest.mark.ray

EVERY_HALF_SECOND = """
import functools, runpy, sys
from study.runtime import activity
activity.Heartbeat = functools.partial(activity.Heartbeat, every_s=0.5)
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""
DOING = r"(loading model and data|(\w+: )?(encoding|step) [\d,]+ of [\d,]+( texts)?|\w+: ranking)"


def log_of(*command: str) -> list[str]:
    process = [sys.executable, "-c", EVERY_HALF_SECOND, *command]
    ended = subprocess.run(process, capture_output=True, text=True, timeout=600, env=ENVIRONMENT, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


def test_a_study_logs_what_its_workers_are_doing(tmp_path: Path) -> None:
    space = write_space(tmp_path, {"search": SPACE["search"] | {"trials": 1, "zero_shot": True}})
    lines = log_of("study.run", space, "--storage", str(tmp_path), "--name", "logged")
    told = [
        line for line in lines if re.fullmatch(rf"trial   [01] {DOING}(, \S+ 0\.\d+)?; \d of 2 trials ended.*", line)
    ]
    assert told, lines
    ended = [line.split(": ")[1].split(", ")[1:3] for line in lines if re.match(r"trial   [01] done", line)]
    assert [sampling for sampling, _ in ended] == ["zero-shot", "hybrid"]
    assert ended[1][1] == "alpha 0.5"
    (compared,) = (line for line in lines if "of factbook: hybrid (alpha 0.5) is " in line)
    assert "zero-shot" in compared


def test_an_evaluation_logs_how_many_texts_are_encoded() -> None:
    lines = log_of("study.evaluate", "builtin/xlmr-tiny", "--option", f"languages={LANGUAGES}")
    assert [line for line in lines if re.match(DOING, line)], lines
