"""`python -m study.doctor [SPACE]`: is this machine or cluster fit for a study? One line a check, with the mend."""

from __future__ import annotations

import sys
import uuid
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from study import cli
from study.health.findings import Finding
from study.results import files
from study.runtime import preflight
from study.space import study_config
from study.space.study_config import StudyConfig


def main(
    space: Annotated[str, typer.Argument(help="The study to come: its backbones, and what its trials occupy.")] = (
        cli.DEFAULT_SPACE
    ),
    under: Annotated[
        str, typer.Option("--storage", envvar="STUDY_STORAGE", help="Folder or URI under which studies will lie.")
    ] = cli.DEFAULT_STORAGE,
) -> None:
    """Check versions, GPUs, the network between workers, storage, hub, clocks and disks; exit with 1 if any fails."""
    console = cli.console()
    with cli.refusals():
        config = study_config.load(space)
        found = examine(config, files.absolute(under), console)
    if not all(found):
        sys.exit(1)


def examine(config: StudyConfig, root: str, console: Console) -> list[bool]:
    """Run every check, printing each as it ends; return which are good.

    Args:
        config: the study to come.
        root: the studies' storage.
        console: where the lines go.
    """
    from study.health import findings, node  # noqa: PLC0415
    from study.health.all_reduce import all_reduce, place_for_a_trial  # noqa: PLC0415
    from study.runtime import cluster  # noqa: PLC0415 - torch and Ray take seconds: only once the input is good

    good = []

    def tell(finding: Finding) -> None:
        good.append(finding.good)
        console.print(_line(finding), soft_wrap=True)

    cluster.start()
    folder = files.join(root, f".doctor-{uuid.uuid4().hex[:8]}")
    models = preflight.hub_models(config)
    need = config.examples[0].resources
    try:
        with place_for_a_trial(need, console.print):
            found = node.look(models, folder)
            for finding in (
                findings.versions(found),
                findings.gpus(found),
                findings.storage(found, root),
                findings.hub(found, models),
                findings.clock(found),
                findings.disk(found),
            ):
                tell(finding)
            if not findings.storage(found, root).good:
                tell(Finding("all-reduce", False, "not tried: Ray Train needs the storage", "mend the storage first"))
            else:
                tell(all_reduce(need, folder))
    finally:
        files.remove(folder)
    return good


def _line(finding: Finding) -> Text:
    mark = ("good  ", "green") if finding.good else ("mend  ", "bold red")
    mend = (f"; {finding.mend}", "yellow") if finding.mend else ""
    return Text.assemble(mark, f"{finding.check:<12}{finding.says}", mend)


if __name__ == "__main__":
    cli.door(main)()
