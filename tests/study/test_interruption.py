"""A study that is told to end: it says how to go on, leaves nothing running, and goes on to the same numbers."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from study.results import layout
from tests.listeners import Address, listeners
from tests.study.faults import below, left_over
from tests.study.small_study import checkpoint_of, run, started, told, wait_for, write_space


@dataclass(frozen=True)
class Ended:
    """What there was to see of a study that a signal ended."""

    output: str
    code: int
    left_over: list[str]
    listeners: dict[str, Address]


Place = tuple[str, ...]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return ("--storage", str(tmp_path_factory.mktemp("interrupted")), "--name", "ended twice")


@pytest.fixture(scope="module")
def ended_by_ctrl_c(place: Place) -> tuple[Ended, subprocess.CompletedProcess[str]]:
    """A study that is run a second time while it runs, and ended in its first trial; and the second driver."""
    with started(write_space(Path(place[1]), {}), *place) as study:
        wait_for(Path(place[1]) / place[3] / layout.STUDY, study)
        second = run("--resume", *place)
        return end(study, signal.SIGINT, 0, place), second


@pytest.fixture(scope="module")
def ended_by_a_cluster(place: Place, ended_by_ctrl_c: object) -> Ended:
    """The same study, resumed, and ended in its second trial."""
    with started("--resume", *place) as study:
        return end(study, signal.SIGTERM, 1, place)


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
    command = f"python -m study.run --resume --name 'ended twice' --storage {place[1]}"
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
    assert "ended twice is being run by process" in second.stderr
    assert second.stderr.count("\n") == 1


def test_no_process_of_a_study_listens_on_anything_but_loopback(ended_by_ctrl_c: tuple[Ended, object]) -> None:
    found = ended_by_ctrl_c[0].listeners
    programs = {name.rpartition(":")[0] for name in found}
    assert {"gcs_server", "raylet"} <= programs, f"the processes of Ray are missing among {programs}"
    assert any(name.startswith("ray::RayTrain") for name in programs), f"the workers are missing among {programs}"
    assert {name: address for name, address in found.items() if not address.is_loopback} == {}


def test_the_command_it_printed_goes_on_to_the_same_trials_and_numbers(
    ended_by_a_cluster: Ended, undisturbed: Path, place: Place
) -> None:
    printed = ended_by_a_cluster.output.rpartition("resume with: ")[2].strip()
    again = run(*shlex.split(printed)[3:])
    assert again.returncode == 0, again.stderr
    assert told(Path(place[1]) / place[3]) == told(undisturbed)
