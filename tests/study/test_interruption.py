"""A study that is ended, by a signal or the death of Ray or its own: it leaves nothing running, and goes on from there.

It is one study, ended five times.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from study.results import layout
from study.runtime.exit_status import UNFINISHED
from tests.listeners import Address, listeners
from tests.study.faults import Kind, below, left_over, of_kind, strike
from tests.study.small_study import checkpoint_of, run, started, told, wait_for, write_space

pytestmark = pytest.mark.ray

AGENTS_WAIT_S = 60
"""Ray's agents wait so long for a GCS that is gone; the study ends them before."""


@dataclass(frozen=True)
class Ended:
    """What there was to see of a study that was ended."""

    output: str
    code: int
    left_over: list[str]
    listeners: dict[str, Address]


Place = tuple[str, ...]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return ("--storage", str(tmp_path_factory.mktemp("interrupted")), "--name", "ended often")


@pytest.fixture(scope="module")
def ended_by_ctrl_c(place: Place) -> tuple[Ended, subprocess.CompletedProcess[str]]:
    """A study that is run a second time while it runs, and ended in its first trial; and the second driver."""
    with started(write_space(Path(place[1]), {}), *place) as study:
        wait_for(Path(place[1]) / place[3] / layout.STUDY, study)
        second = run("--resume", *place)
        return end(study, signal.SIGINT, 0, place), second


@pytest.fixture(scope="module")
def ended_by_ray(place: Place, ended_by_ctrl_c: object) -> dict[Kind, Ended]:
    """The same study, resumed, and ended by the death of Ray's raylet; resumed again, and ended by that of its GCS."""
    ended = {}
    for kind in (Kind.RAYLET, Kind.GCS):
        with started("--resume", *place) as study:
            while not of_kind(study.pid, Kind.WORKER):
                assert study.poll() is None, "ended before there was a worker"
                time.sleep(0.02)
            processes = below(study.pid)
            strike(of_kind(study.pid, kind)[0])
            output = study.communicate()[0]
            ended[kind] = Ended(output, study.returncode, left_over(processes, patience=AGENTS_WAIT_S / 2), {})
    return ended


@pytest.fixture(scope="module")
def ended_by_a_cluster(place: Place, ended_by_ray: object) -> Ended:
    """The same study, resumed, and ended in its second trial."""
    with started("--resume", *place) as study:
        return end(study, signal.SIGTERM, 1, place)


@pytest.fixture(scope="module")
def killed(place: Place, ended_by_a_cluster: Ended) -> list[str]:
    """The same study, resumed by the command that it printed, and killed; what was left over."""
    printed = ended_by_a_cluster.output.rpartition("resume with: ")[2].strip()
    with started(*shlex.split(printed)[3:]) as study:
        while not of_kind(study.pid, Kind.WORKER):
            assert study.poll() is None, "ended before there was a worker"
            time.sleep(0.02)
        processes = below(study.pid)
        study.kill()
        study.communicate()
        return left_over(processes)


def end(study: subprocess.Popen[str], number: signal.Signals, trial: int, place: Place) -> Ended:
    """Send a running study the signal once a trial has a checkpoint."""
    wait_for(checkpoint_of(Path(place[1]) / place[3], trial), study)
    processes, found = below(study.pid), listeners(study.pid)
    if number == signal.SIGINT:
        os.killpg(study.pid, number)  # as a terminal does: Ray's processes get it too
    else:
        study.send_signal(number)
    output = study.communicate()[0]
    return Ended(output, study.returncode, left_over(processes), found)


def test_an_interrupted_study_says_how_to_go_on_and_leaves_no_process(
    ended_by_ctrl_c: tuple[Ended, object], ended_by_a_cluster: Ended, place: Place
) -> None:
    command = f"python -m study.run --resume --name 'ended often' --storage {place[1]}"
    for ended, number in ((ended_by_ctrl_c[0], signal.SIGINT), (ended_by_a_cluster, signal.SIGTERM)):
        assert ended.code == 128 + number, ended.output
        assert f"interrupted by {number.name}; resume with: {command}" in ended.output
        assert "Traceback" not in ended.output
        assert ended.left_over == []


def test_a_second_driver_of_a_running_study_is_refused_in_a_sentence(
    ended_by_ctrl_c: tuple[object, subprocess.CompletedProcess[str]],
) -> None:
    _, second = ended_by_ctrl_c
    assert second.returncode == 2
    assert "ended often is being run by process" in second.stderr
    assert second.stderr.count("\n") == 1


def test_no_process_of_a_study_listens_on_anything_but_loopback(ended_by_ctrl_c: tuple[Ended, object]) -> None:
    found = ended_by_ctrl_c[0].listeners
    programs = {name.rpartition(":")[0] for name in found}
    assert {"gcs_server", "raylet"} <= programs, f"the processes of Ray are missing among {programs}"
    assert any(name.startswith("ray::RayTrain") for name in programs), f"the workers are missing among {programs}"
    assert {name: address for name, address in found.items() if not address.is_loopback} == {}


def test_a_study_whose_ray_dies_says_so_and_how_to_go_on_and_leaves_no_process(
    ended_by_ray: dict[Kind, Ended], place: Place
) -> None:
    command = f"python -m study.run --resume --name 'ended often' --storage {place[1]}"
    for kind, ended in ended_by_ray.items():
        assert ended.code == UNFINISHED, ended.output
        assert f"Ray died (its {kind} is gone); resume with: {command}" in ended.output
        assert "Traceback" not in ended.output
        assert ended.left_over == []


def test_a_killed_study_leaves_no_process(killed: list[str]) -> None:
    assert killed == []


def test_the_study_goes_on_from_all_of_this_to_the_same_trials_and_numbers(
    killed: object, undisturbed: Path, place: Place
) -> None:
    again = run("--resume", *place)
    assert again.returncode == 0, again.stderr
    assert told(Path(place[1]) / place[3]) == told(undisturbed)
