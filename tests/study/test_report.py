"""`study.report`."""

from __future__ import annotations

import html
import shutil
from pathlib import Path

from rich.console import Console
from typer.testing import CliRunner

from study import cli, compare, report
from study.analysis.headline import headline_of
from study.analysis.study import Study
from study.runtime import summary
from study.space import study_config


def test_it_writes_a_page_and_its_markdown_into_the_study(synthetic_study: Study, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(synthetic_study.folder, tmp_path / "study"))
    done = CliRunner().invoke(cli.program(report.main), [str(folder)])
    assert done.exit_code == 0, done.output
    assert str(folder / "report.html") in done.output
    assert (folder / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert (folder / "report.md").read_text("utf-8").startswith("# study\n")


def test_the_terminal_and_the_report_give_the_same_answer(synthetic_study: Study, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(synthetic_study.folder, tmp_path / "study"))
    answer = headline_of(synthetic_study)
    runner, listed = CliRunner(), [f"- {sentence}" for sentence in answer]
    runner.invoke(cli.program(report.main), [str(folder)])
    compared = runner.invoke(cli.program(compare.main), [str(folder)]).output
    console = Console(width=160, highlight=False)
    with console.capture() as captured:
        summary.show(study_config.load("quickstart"), [], str(folder), console, 1.0)
    for printed in (compared, captured.get()):
        assert [line for line in printed.splitlines() if line in listed] == listed
    for name in ("report.md", "compare.md"):
        lines = (folder / name).read_text("utf-8").replace("\\", "").splitlines()
        assert [line for line in lines if line in listed] == listed
    page = html.unescape((folder / "report.html").read_text("utf-8"))
    assert "".join(f"<li>{sentence}</li>" for sentence in answer) in page


def test_a_folder_that_holds_no_study_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.program(report.main), [str(tmp_path)])
    assert done.exit_code == 2
    assert "there is no study in" in done.output
