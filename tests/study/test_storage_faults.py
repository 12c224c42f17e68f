"""A study whose disk cannot be written for a while, and then is full: it says so, and loses nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from study.results import layout
from study.runtime.exit_status import UNFINISHED
from tests.study.disks import cut_off, fill
from tests.study.small_study import checkpoint_of, run, started, told, wait_for, write_space

pytestmark = pytest.mark.ray


def test_storage_that_is_cut_off_and_then_full_costs_no_trial_and_changes_no_number(
    disk: Path, undisturbed: Path, tmp_path: Path
) -> None:
    place, folder = ("--storage", str(disk), "--name", "cut off"), disk / "cut off"
    with started(write_space(tmp_path, {}), *place) as study:
        wait_for(checkpoint_of(folder, 0), study)
        cut_off(folder / layout.TRIALS)
        wait_for(checkpoint_of(folder, 1), study)
        filler = fill(disk)
        output = study.communicate()[0]
    assert study.returncode == UNFINISHED, output
    assert "Traceback" not in output
    assert os.strerror(errno.ENOSPC) in output or "disk is full" in output
    assert f"resume with: python -m study.run --resume --name 'cut off' --storage {disk}" in output
    filler.unlink()
    again = run("--resume", *place)
    assert again.returncode == 0, again.stdout + again.stderr
    assert told(folder) == told(undisturbed)
