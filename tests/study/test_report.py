"""`study.report`."""

from __future__ import annotations

import shutil
from pathlib import Path

from typer.testing import CliRunner

from study import cli, report
from study.analysis.study import Study


def test_it_writes_a_page_and_its_markdown_into_the_study(synthetic_study: Study, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(synthetic_study.folder, tmp_path / "study"))
    done = CliRunner().invoke(cli.program(report.main), [str(folder)])
    assert done.exit_code == 0, done.output
    assert str(folder / "report.html") in done.output
    assert (folder / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert (folder / "report.md").read_text("utf-8").startswith("# study\n")


def test_a_folder_that_holds_no_study_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.program(report.main), [str(tmp_path)])
    assert done.exit_code == 2
    assert "there is no study in" in done.output
