"""Deaths that a study survives, on real Ray: it ends with the same trials and the same numbers.

`test_interruption` has those that end it.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from study.results import layout
from tests.study.faults import PROCESSES, Kind, below, left_over, of_kind, of_ray, strike
from tests.study.small_study import checkpoint_of, run, started, told, wait_for, write_space

pytestmark = pytest.mark.ray


def first_of(kind: Kind, study: subprocess.Popen[str]) -> psutil.Process:
    """Wait for a process of a kind and return it."""
    while not (found := of_kind(study.pid, kind)):
        assert study.poll() is None, f"the study ended before it had a {kind}"
        time.sleep(0.02)
    return found[0]


def test_a_study_whose_workers_synchronization_and_drivers_die_ends_with_the_same_trials_and_numbers(
    undisturbed: Path, tmp_path: Path
) -> None:
    """One process of each kind: in the first trial, before the second has started to train, and while it trains."""
    folder = tmp_path / "struck"
    with started(write_space(tmp_path, {}), "--storage", str(tmp_path), "--name", folder.name) as study:
        wait_for(checkpoint_of(folder, 0), study)
        assert of_ray(study) == PROCESSES
        strike(first_of(Kind.WORKER, study))
        wait_for(folder / layout.TRIALS / "0000" / layout.RESULT, study)
        earlier = {process.pid for process in of_kind(study.pid, Kind.WORKER)}
        while {process.pid for process in of_kind(study.pid, Kind.WORKER)} <= earlier:
            assert study.poll() is None, "ended before the second trial had a worker"
            time.sleep(0.02)
        strike(first_of(Kind.TRIAL, study))  # whose processors its next attempt finds free
        wait_for(checkpoint_of(folder, 1), study)
        strike(first_of(Kind.SYNCHRONIZATION, study))
        processes = below(study.pid)
        output = study.communicate()[0]
    assert study.returncode == 0, output
    assert left_over(processes) == []
    assert told(folder) == told(undisturbed)


def test_a_trial_that_ended_unheard_is_put_on_record_with_all_its_scores(undisturbed: Path, tmp_path: Path) -> None:
    # Workers outlive a killed study for a while: this is what it leaves where a trial's end falls into that time.
    shutil.copytree(undisturbed, tmp_path / undisturbed.name)
    with closing(sqlite3.connect(tmp_path / undisturbed.name / "optuna.db")) as record, record:
        record.execute("UPDATE trials SET state = 'RUNNING', datetime_complete = NULL WHERE number = 1")
        for table in ("trial_values", "trial_intermediate_values"):
            record.execute(f"DELETE FROM {table} WHERE trial_id = (SELECT trial_id FROM trials WHERE number = 1)")  # noqa: S608
    ended = run("--resume", "--storage", str(tmp_path), "--name", undisturbed.name)
    assert ended.returncode == 0, ended.stderr
    assert told(tmp_path / undisturbed.name) == told(undisturbed)
