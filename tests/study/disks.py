"""Disks of their own for studies in tests, and what can happen to them; mounting needs root."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OUTAGE_S = 8


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """Mount a disk with room for one study.

    Raises:
        subprocess.CalledProcessError: mounting is not allowed.
    """
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", place], capture_output=True, check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def cut_off(folder: Path) -> None:
    """Let a folder be empty and refuse all writes for some seconds, as a file server does that is restarted."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], check=True)
    time.sleep(OUTAGE_S)
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte free; return the file that takes the room.

    A study may remove files meanwhile, so what is free then is taken, too.
    """
    filler = disk / "filler"
    for _ in range(100):
        append = ["dd", "if=/dev/zero", f"of={filler}", "bs=64k", "oflag=append", "conv=notrunc"]
        subprocess.run(append, capture_output=True, check=False)
        if shutil.disk_usage(disk).free == 0:
            break
    assert shutil.disk_usage(disk).free == 0
    return filler
