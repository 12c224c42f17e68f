"""Write a study's report: `python -m study.report STUDY`."""

from __future__ import annotations

from typing import Annotated

import typer

from study import cli
from study.results import files, layout


def main(study: Annotated[str, typer.Argument(help=cli.STUDY_HELP)]) -> None:
    """Write report.html, which needs nothing but a browser, and report.md into the study's folder."""
    with cli.refusals():
        study = cli.study_folder(study)
        layout.read_study(files.absolute(study))
        from study.pages.page import write_report  # imports the charts' libraries, which take a second

        with layout.writing(study):
            paths = write_report(study)
        for path in paths:
            cli.console().print(f"written: {path}", soft_wrap=True)


if __name__ == "__main__":
    cli.program(main)()
