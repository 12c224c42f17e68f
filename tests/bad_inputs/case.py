"""One bad input: the files that it needs, the command that must refuse them, and how the command ended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

LANGUAGES = ["ar", "th", "zh"]
FACTBOOK: dict[str, Any] = {"name": "factbook", "languages": LANGUAGES}
TRIAL: dict[str, Any] = {
    "corpora": [FACTBOOK],
    "benchmarks": [FACTBOOK],
    "steps": 4,
    "batch_size": 8,
    "validation": {"every": 2},
}
SEARCH: dict[str, Any] = {"sampler": "grid", "space": {"seed": {"type": "int", "low": 0, "high": 1}}}
SPACE = "space.yaml"
DRY_RUN = ("run", SPACE, "--dry-run")
LONGEST_SENTENCE = 1000
"""Characters of a refusal."""


class Templates(NamedTuple):
    """Sound inputs that are copied and then damaged."""

    model: Path
    """A backbone's folder."""
    study: Path
    """A study's folder."""


Prepare = Callable[[Path, Templates], None]
"""Writes the files of a bad input into a folder."""


@dataclass(frozen=True)
class BadInput:
    """A command, run in a folder of its own, that must end with status 2 and one sentence."""

    family: str
    name: str
    arguments: tuple[str, ...]
    """The command's name and its arguments."""
    prepare: Prepare = field(default=lambda *_: None)
    warns: bool = False
    """Whether the command goes on without the damaged part instead, with a warning that names it."""
    permission: bool = False
    """Whether a permission is missing, which root does not need."""


class Ending(NamedTuple):
    """How a command ended."""

    status: int | None
    """None if it was ended because it took too long."""
    errors: str
    """Its stderr."""
    output: str


def fault(case: BadInput, ending: Ending) -> str | None:
    """Return what is wrong with how a command ended: `hang`, `trace`, `accepted` or `unclear`; None if nothing is."""
    if ending.status is None:
        return "hang"
    if "Traceback (most recent call last)" in ending.errors + ending.output or ending.status not in {0, 2}:
        return "trace"
    if ending.status == 0:
        return None if case.warns and "warning: " in ending.errors else "accepted"
    return None if is_one_sentence(ending.errors) or is_usage(ending.errors) else "unclear"


def is_one_sentence(errors: str) -> bool:
    """Return whether stderr is one `error: ` line of a length that people read; warnings may stand before it."""
    *before, last = errors.splitlines() or [""]
    ours = last.startswith("error: ") and all(line.startswith("warning: ") for line in before)
    return ours and len(last) <= LONGEST_SENTENCE


def is_usage(errors: str) -> bool:
    """Return whether stderr is what typer prints about arguments: an error in a frame, most often after the usage."""
    return "─ Error ─" in errors


def files(content: Mapping[str, bytes | str]) -> Prepare:
    """Return what writes files, by their path."""

    def prepare(folder: Path, templates: Templates) -> None:
        for name, value in content.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(value if isinstance(value, bytes) else value.encode("utf-8"))

    return prepare


def written(trial: Mapping[str, Any] | None = None, search: Mapping[str, Any] | None = None, **keys: Any) -> str:
    """Return a small search space with some keys replaced, as YAML."""
    return dumped({"trial": TRIAL | dict(trial or {}), "search": SEARCH | dict(search or {}), **keys})


def dumped(content: Mapping[str, Any]) -> str:
    """Return a search space as YAML."""
    return yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False)


def environment(cache: Path) -> dict[str, str]:
    """Return the environment of every command: no hub, no cluster, studies in the working directory."""
    kept = {name: value for name, value in os.environ.items() if name not in {"HF_TOKEN", "RAY_ADDRESS"}}
    return kept | {
        "STUDY_CACHE": str(cache),
        "STUDY_STORAGE": "studies",
        "HF_HOME": str(cache / "hub"),
        "HF_HUB_OFFLINE": "1",
        "RAY_ADDRESS": "local",
    }


def copied(source: Path, target: Path) -> Path:
    """Copy a folder and return the copy."""
    return Path(shutil.copytree(source, target))
