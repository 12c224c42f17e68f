"""`python -m study.doctor` on this machine, with real Ray and real workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.study.small_study import ENVIRONMENT

pytestmark = pytest.mark.ray

CHECKS = ["data", "backbones", "loggers", "versions", "gpus", "storage", "hub", "clock", "disk", "all-reduce"]


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "study.doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=ENVIRONMENT,
    )


def test_every_check_is_one_line_and_good_or_with_a_fix_and_nothing_is_left_behind(tmp_path: Path) -> None:
    ended = doctor("--storage", str(tmp_path))
    assert ended.stderr == ""
    lines = [line.split(maxsplit=2) for line in ended.stdout.splitlines()]
    assert [check for _, check, _ in lines] == CHECKS
    outcome = {check: (mark, says) for mark, check, says in lines}
    for check in ("versions", "storage", "clock", "all-reduce"):  # GPUs, hub and disk are this machine's own affair
        assert outcome[check][0] == "good", outcome[check]
    assert "on 1 of 1 nodes with gloo" in outcome["all-reduce"][1]
    assert ended.returncode == (0 if all(mark == "good" for mark, _ in outcome.values()) else 1)
    assert all("; " in says for mark, says in outcome.values() if mark == "fix")
    assert list(tmp_path.iterdir()) == []


def test_a_search_space_that_does_not_exist_is_refused_before_ray_starts() -> None:
    ended = doctor("quickstrat")
    assert ended.returncode == 2
    assert "did you mean 'quickstart'?" in ended.stderr
