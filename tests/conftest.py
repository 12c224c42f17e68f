"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.hub_server import HubServer
from tests.process_group import ProcessGroup, RunInGroup

REAL_XQUAD_R = Path(__file__).parents[1].parent / "shared" / "data" / "xquad-r"

settings.register_profile("untimed", deadline=None)  # a busy machine is not a failure
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that drive a browser, so that the summary can count them."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line whether the tests in a browser ran; among other skipped tests nobody would miss them."""
    counts = {
        outcome: len(
            [report for report in terminalreporter.getreports(outcome) if "browser" in getattr(report, "keywords", ())]
        )
        for outcome in ("passed", "failed", "skipped")
    }
    if any(counts.values()):
        terminalreporter.write_line(
            "tests in a browser: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
        )


@pytest.fixture(scope="session", autouse=True)
def _cache_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache for the tests of this run: what the user's own cache holds hides that something is no longer made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def run_in_group() -> Iterator[RunInGroup]:
    """`run_in_group(W, function, *args)` runs a module-level function in W real gloo processes."""
    groups: dict[int, ProcessGroup] = {}

    def run(world_size: int, function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        return groups.setdefault(world_size, ProcessGroup(world_size)).run(function, *args, **kwargs)

    yield run
    for group in groups.values():
        group.stop()


@pytest.fixture
def real_xquad_r() -> Path:
    """LAReQA's own XQuAD-R files, read where they lie."""
    if not REAL_XQUAD_R.is_dir():
        pytest.skip(f"LAReQA's XQuAD-R files are not in {REAL_XQUAD_R}")
    return REAL_XQUAD_R


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A stand-in of the Hugging Face hub for this process and those it starts, with an empty cache and no token."""
    served = HubServer()
    home = tmp_path / "hub-home"
    for name, value in {
        "no_proxy": "127.0.0.1",
        "HF_ENDPOINT": served.url,
        "HF_HOME": str(home),
        "STUDY_CACHE": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    # The library reads its environment variables when it is imported.
    constants: dict[str, object] = {
        "ENDPOINT": served.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": served.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
    }
    for name, constant in constants.items():
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", constant)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)  # between attempts
    yield served
    if served.running:
        served.stop()
