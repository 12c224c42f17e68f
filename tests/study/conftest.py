"""Fixtures for tests of the study."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from study.analysis.study import Study, read_study
from tests.study.disks import small_disk
from tests.study.small_study import Ended, run, write_space
from tests.study.synthetic_study import write_study

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    "--window-size=1280,900",
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Debian's Chromium; the tests that need it are skipped where it is not installed."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: SQLite waits for the disk at every commit, which would take minutes."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder with a random name is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as path:
        yield Path(path)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, with room for a small study."""
    with ExitStack() as mounted:
        try:
            place = mounted.enter_context(small_disk(tmp_path / "disk"))
        except subprocess.CalledProcessError:
            pytest.skip("only root may mount a disk")
        yield place


@pytest.fixture(scope="session")
def synthetic_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Twelve trials: two backbones at alpha 0, 0.5 and 1 with two seeds each, on 40 questions in 11 languages."""
    return read_study(write_study(tmp_path_factory.mktemp("studies") / "hybrid", questions=40, alphas=(0, 0.5, 1)))


@pytest.fixture(scope="session")
def ended_well(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A small study to which nothing happens: its folder and its process."""
    folder = tmp_path_factory.mktemp("studies")
    return folder / "one", run(write_space(folder, {}), "--storage", str(folder), "--name", "one")


@pytest.fixture(scope="session")
def undisturbed(ended_well: Ended) -> Path:
    """The folder of a small study to which nothing happened."""
    return ended_well[0]
