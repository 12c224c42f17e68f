"""Where a result comes from: versions of Python and the packages that decide it, and the machine."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "transformers", "ray", "optuna", "faiss-cpu", "datasets", "tokenizers", "numpy", "babel")
_CPU_INFO = Path("/proc/cpuinfo")


def versions() -> dict[str, str]:
    """Return the versions of this project, of Python and of `PACKAGES`."""
    own = {"project": project_version(), "python": platform.python_version()}
    return own | {name: metadata.version(name) for name in PACKAGES}


@cache
def project_version() -> str:
    """Return eight hexadecimal digits that change with any source file of `study` or `tasks`; nodes have no git."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for path in sorted(path for room in ("study", "tasks") for path in (root / room).rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def hardware() -> dict[str, str | int]:
    """Return this machine's processor and number of cores."""
    return {"processor": processor(), "cores": os.cpu_count() or 1}


def processor() -> str:
    """Return the processor's name, such as `AMD EPYC`."""
    return next(iter(_cpu_info("model name")), "") or platform.processor()


def instructions() -> frozenset[str]:
    """Return the processor's instruction sets as Linux names them, such as `avx512f`; empty where it does not say."""
    return frozenset(name for line in (_cpu_info("flags") or _cpu_info("Features"))[:1] for name in line.split())


def emulates_bf16() -> bool:
    """Return whether this processor is known to have no bfloat16 instructions."""
    return bool(instructions()) and instructions().isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})


def _cpu_info(key: str) -> list[str]:
    """Return the values of a key, one for each core."""
    lines = _CPU_INFO.read_text("utf-8").splitlines() if _CPU_INFO.is_file() else []
    return [value.strip() for name, _, value in (line.partition(":") for line in lines) if name.strip() == key]
