"""Sudden death of a study's processes, by kind; they are found below its driver, never by name across the machine."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from contextlib import suppress
from enum import StrEnum

import psutil


class Kind(StrEnum):
    """Who dies."""

    WORKER = "worker"
    SYNCHRONIZATION = "synchronization actor"
    TRIAL = "trial driver"
    RAYLET = "raylet"
    GCS = "GCS"
    STUDY = "study"


_TITLES = {
    Kind.WORKER: "ray::RayTrainWorker",
    Kind.SYNCHRONIZATION: "ray::SynchronizationActor",
    Kind.TRIAL: "ray::ImplicitFunc",
}
_NAMES = {Kind.RAYLET: "raylet", Kind.GCS: "gcs_server"}
PROCESSES = {
    "ray::ImplicitFunc": 1,  # the trial's driver
    "ray::RayTrainWorker": 2,
    "ray::SynchronizationActor": 1,
    "ray::_AutoscalingCoordinatorActor": 1,  # one of the whole study
    "ray::DashboardAgent": 1,
    "ray::RuntimeEnvAgent": 1,
}
"""What Ray runs while a trial of two workers does."""


def below(pid: int) -> list[psutil.Process]:
    """Return all processes that a process has started, and theirs."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def of_kind(pid: int, kind: Kind) -> list[psutil.Process]:
    """Return the processes of a kind in the study whose driver is `pid`."""
    if kind is Kind.STUDY:
        return [psutil.Process(pid)] if psutil.pid_exists(pid) else []
    if kind in _NAMES:
        return [process for process in below(pid) if _name(process) == _NAMES[kind]]
    return [process for process in below(pid) if title(process).startswith(_TITLES[kind])]


def of_ray(study: subprocess.Popen[str]) -> Counter[str]:
    """Return how many processes of each kind Ray runs for a study."""
    titles = [title(process) for process in below(study.pid)]
    return Counter(line.split(".")[0].strip() for line in titles if line.startswith("ray::"))


def strike(process: psutil.Process) -> None:
    """Kill a process as a machine's memory shortage would, and see it gone.

    Its exit status is left to its parent, which may be this process: waiting for it here would take it away.
    """
    process.kill()
    deadline = time.monotonic() + 60
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"{process} is still there"
            time.sleep(0.05)


def left_over(processes: list[psutil.Process], patience: float = 180) -> list[str]:
    """Return the titles of those that still run after so many seconds."""
    _, alive = psutil.wait_procs(processes, timeout=patience)
    return [title(process) for process in alive]


def title(process: psutil.Process) -> str:
    """Return a process's command line, which Ray replaces by what its workers do; empty if it has ended."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""
