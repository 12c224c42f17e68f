"""Fixtures for the tests of data: a cache of one's own, a local web server, and the real files where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.file_server import FileServer

REAL_XQUAD_R = Path(__file__).parents[2].parent / "shared" / "data" / "xquad-r"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for this test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("STUDY_CACHE", str(folder))
    return folder


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A web server in the place of GitHub and of the Hugging Face hub."""
    served = FileServer()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", served.url)
    monkeypatch.setattr("tasks.data.hub.GITHUB", served.url)
    yield served
    if served.running:
        served.stop()


@pytest.fixture
def real_xquad_r() -> Path:
    """LAReQA's own XQuAD-R files, read where they lie."""
    if not REAL_XQUAD_R.is_dir():
        pytest.skip(f"LAReQA's XQuAD-R files are not in {REAL_XQUAD_R}")
    return REAL_XQUAD_R
