"""A study that is told to end: it says how to go on, leaves nothing running, and goes on to the same numbers."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

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
    second_driver: subprocess.CompletedProcess[str]


def end(number: signal.Signals, trial: int, place: tuple[str, ...], *arguments: str) -> Ended:
    """Run a study until a trial has a checkpoint, try to run it a second time, and send the signal."""
    folder = Path(place[1]) / place[3]
    with started(*arguments, *place) as study:
        wait_for(checkpoint_of(folder, trial), study)
        processes, found = below(study.pid), listeners(study.pid)
        second = run("--resume", *place)
        if number == signal.SIGINT:
            os.killpg(study.pid, number)  # as a terminal does: Ray's processes get it too
        else:
            study.send_signal(number)
        output = study.communicate()[0]
    return Ended(output, study.returncode, left_over(processes), found, second)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return ("--storage", str(tmp_path_factory.mktemp("interrupted")), "--name", "ended twice")


@pytest.fixture(scope="module")
def ended(place: tuple[str, ...]) -> dict[signal.Signals, Ended]:
    """One study, ended by Ctrl-C in its first trial, resumed, and ended by a cluster's SIGTERM in its second."""
    space = write_space(Path(place[1]), {})
    first = end(signal.SIGINT, 0, place, space)
    return {signal.SIGINT: first, signal.SIGTERM: end(signal.SIGTERM, 1, place, "--resume")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_study_says_how_to_go_on_and_leaves_no_process(
    number: signal.Signals, ended: dict[signal.Signals, Ended], place: tuple[str, ...]
) -> None:
    seen = ended[number]
    assert seen.code == 128 + number, seen.output
    command = f"python -m study.run --resume --name 'ended twice' --storage {place[1]}"
    assert f"interrupted by {number.name}; go on with: {command}" in seen.output
    assert "Traceback" not in seen.output
    assert seen.left_over == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_driver_of_a_running_study_is_refused_in_a_sentence(
    number: signal.Signals, ended: dict[signal.Signals, Ended]
) -> None:
    second = ended[number].second_driver
    assert second.returncode == 2
    assert "ended twice is being run by process" in second.stderr
    assert second.stderr.count("\n") == 1


def test_no_process_of_a_study_listens_on_anything_but_loopback(ended: dict[signal.Signals, Ended]) -> None:
    found = ended[signal.SIGINT].listeners
    programs = {name.rpartition(":")[0] for name in found}
    assert {"gcs_server", "raylet"} <= programs, f"the processes of Ray are missing among {programs}"
    assert any(name.startswith("ray::RayTrain") for name in programs), f"the workers are missing among {programs}"
    assert {name: address for name, address in found.items() if not address.is_loopback} == {}


def test_the_command_it_printed_goes_on_to_the_same_trials_and_numbers(
    ended: dict[signal.Signals, Ended], undisturbed: Path, place: tuple[str, ...]
) -> None:
    printed = ended[signal.SIGTERM].output.rpartition("go on with: ")[2].strip()
    again = run(*shlex.split(printed)[3:])
    assert again.returncode == 0, again.stderr
    assert told(Path(place[1]) / place[3]) == told(undisturbed)
