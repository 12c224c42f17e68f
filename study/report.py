"""One page about a study, from its result files: `python -m study.report STUDY`."""

from __future__ import annotations

from typing import Annotated

import typer

from study import cli
from study.analysis.study import read_study
from study.pages import page
from study.pages.content import read_content
from study.results import files

REPORT = "report"


def main(study: Annotated[str, typer.Argument(help="The study's folder or URI.")]) -> None:
    """Write report.html, which needs nothing but a browser, and report.md into the study's folder."""
    with cli.refusals():
        for path in write(study):
            cli.console().print(f"written: {path}", soft_wrap=True)


def write(folder: str) -> tuple[str, str]:
    """Write both reports and return where they are.

    Raises:
        StudyError: there is no study, or no trial of it has finished.
    """
    study = read_study(folder)
    content = read_content(study)
    pages = {"html": page.html(content), "md": page.markdown(content)}
    paths = {suffix: files.join(study.folder, f"{REPORT}.{suffix}") for suffix in pages}
    for suffix, text in pages.items():
        files.write_text(paths[suffix], text)
    return paths["html"], paths["md"]


if __name__ == "__main__":
    cli.door(main)()
