"""Where a result comes from: versions of Python and the packages that decide it, and the machine."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "transformers", "ray", "optuna", "faiss-cpu", "datasets", "tokenizers", "numpy", "babel")
_CPU_INFO = Path("/proc/cpuinfo")


def versions() -> dict[str, str]:
    """Return the versions of Python and of `PACKAGES`."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}


def hardware() -> dict[str, str | int]:
    """Return this machine's processor and number of cores."""
    return {"processor": processor(), "cores": os.cpu_count() or 1}


def processor() -> str:
    """Return the processor's name, such as `AMD EPYC`."""
    lines = _CPU_INFO.read_text("utf-8").splitlines() if _CPU_INFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
