"""A sample of the bad inputs that `python -m tests.bad_inputs` runs as processes; here within this process."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path

import pytest
from typer.testing import CliRunner

from study import fetch
from study.cli import program
from tests.bad_inputs.case import BadInput, Ending, Templates, environment, fault
from tests.bad_inputs.corpus import all_inputs, sample
from tests.bad_inputs.data import prepared
from tests.bad_inputs.layouts import LAYOUTS, Layout
from tests.bad_inputs.templates import templates

EVERY = 53
FETCHED = {name: layout for name, layout in LAYOUTS.items() if layout.arguments[0] == "fetch"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture
def folder(made: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a command, and a cache that holds the built-in backbones alone."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "builtin").symlink_to(made.model.parent)
    for name, value in environment(cache).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # the library has read the environment before
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.mark.parametrize("case", sample(EVERY), ids=lambda case: f"{case.family}: {ascii(case.name)[:60]}")
def test_a_bad_input_is_refused_in_one_sentence(
    case: BadInput, folder: Path, made: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Warnings go to stderr as in a process of its own: pytest has put handlers here by now, and `study.fetch` adds one.
    monkeypatch.setattr(logging.root, "handlers", [])
    case.prepare(folder, made)
    command = program(importlib.import_module(f"study.{case.arguments[0]}").main)
    ended = CliRunner().invoke(command, list(case.arguments[1:]), catch_exceptions=False)
    assert fault(case, Ending(ended.exit_code, ended.stderr, ended.stdout)) is None, ended.output


def test_there_are_at_least_400_of_them_over_all_commands_and_no_two_have_one_name() -> None:
    cases = all_inputs()
    assert len({(case.family, case.name) for case in cases}) == len(cases) >= 400
    commands = {"run", "evaluate", "compare", "report", "export", "mine", "fetch", "dashboard", "doctor"}
    assert {case.arguments[0] for case in cases} == commands


@pytest.mark.parametrize("layout", FETCHED.values(), ids=FETCHED)
def test_data_that_is_not_damaged_is_accepted(layout: Layout, folder: Path, made: Templates) -> None:
    prepared(layout.sound)(folder, made)
    ended = CliRunner().invoke(program(fetch.main), list(layout.arguments[1:]))
    assert ended.exit_code == 0, ended.output


@pytest.mark.parametrize(
    ("status", "errors", "expected"),
    [
        (2, "error: alpha: 2 is out of range\n", None),
        (2, "warning: x is left out\nerror: no trial is left\n", None),
        (2, "╭─ Error ─╮\n│ No such option: --x │\n", None),
        (2, "error: first line\nsecond line\n", "unclear"),
        (2, f"error: {'x' * 2000}\n", "unclear"),
        (0, "", "accepted"),
        (1, "Traceback (most recent call last):\n  ...\nValueError: x\n", "trace"),
        (-11, "", "trace"),
        (None, "", "hang"),
    ],
)
def test_endings_are_told_apart(status: int | None, errors: str, expected: str | None) -> None:
    assert fault(BadInput("family", "name", ("run",)), Ending(status, errors, "")) == expected


def test_a_command_that_goes_on_without_a_damaged_part_has_to_name_it() -> None:
    case = BadInput("family", "name", ("report",), warns=True)
    assert fault(case, Ending(0, "warning: result.json is left out\n", "")) is None
    assert fault(case, Ending(0, "", "")) == "accepted"
