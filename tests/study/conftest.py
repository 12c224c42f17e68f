"""Fixtures for tests of the study."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.analysis.study import Study, read_study
from tests.study.synthetic_study import write_study


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: SQLite waits for the disk at every commit, which would take minutes."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder with a random name is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as path:
        yield Path(path)


@pytest.fixture(scope="session")
def synthetic_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Twelve trials: two backbones at alpha 0, 0.5 and 1 with two seeds each, on 40 questions in 11 languages."""
    return read_study(write_study(tmp_path_factory.mktemp("studies") / "hybrid", questions=40, alphas=(0, 0.5, 1)))
