"""The fault matrix against real Ray: whoever dies, the study ends with the same trials and the same numbers."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.study.faults import ENDS_THE_STUDY, Kind, below, left_over, of_kind, strike, title
from tests.study.small_study import checkpoint_of, run, started, told, wait_for, write_space

PROCESSES = {
    "ray::ImplicitFunc": 1,  # the trial's driver
    "ray::RayTrainWorker": 2,
    "ray::SynchronizationActor": 1,
    "ray::_AutoscalingCoordinatorActor": 1,  # one of the whole study
    "ray::DashboardAgent": 1,
    "ray::RuntimeEnvAgent": 1,
}
"""What runs while a trial of two workers does."""


@pytest.mark.parametrize("kind", Kind)
def test_a_study_that_loses_a_process_ends_with_the_same_trials_and_numbers(
    kind: Kind, undisturbed: Path, tmp_path: Path
) -> None:
    place = ("--storage", str(tmp_path), "--name", "struck")
    with started(write_space(tmp_path, {}), *place) as study:
        wait_for(checkpoint_of(tmp_path / "struck", 0), study)
        processes = below(study.pid)
        of_ray = Counter(
            title(process).split(".")[0].strip() for process in processes if title(process).startswith("ray::")
        )
        strike(of_kind(study.pid, kind)[0])
        output = study.communicate()[0]
    assert of_ray == PROCESSES
    assert left_over(processes) == []
    if kind in {Kind.RAYLET, Kind.GCS}:
        assert study.returncode == 4
        assert f"Ray died (its {kind} is gone); resume with: python -m study.run --resume --name struck" in output
        assert "Traceback" not in output
    if kind in ENDS_THE_STUDY:
        ended = run("--resume", *place)
        output, code = ended.stdout + ended.stderr, ended.returncode
    else:
        code = study.returncode
    assert code == 0, output
    assert told(tmp_path / "struck") == told(undisturbed)


def test_a_trial_whose_driver_dies_before_its_workers_have_started_finds_its_processors_free(
    undisturbed: Path, tmp_path: Path
) -> None:
    place = ("--storage", str(tmp_path), "--name", "struck")
    with started(write_space(tmp_path, {}), *place) as study:
        while not of_kind(study.pid, Kind.WORKER):
            assert study.poll() is None, "ended before there was a worker"
            time.sleep(0.02)
        strike(of_kind(study.pid, Kind.TRIAL)[0])
        output = study.communicate(timeout=300)[0]
    assert study.returncode == 0, output
    assert told(tmp_path / "struck") == told(undisturbed)


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
