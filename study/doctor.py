"""Check a machine or cluster before a study, one line per check, with the fix: `python -m study.doctor [SPACE]`."""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from study import cli
from study.results import files, layout
from study.space import study_config
from study.space.study_config import StudyConfig

if TYPE_CHECKING:
    from study.health.findings import Finding


def main(
    space: Annotated[str, typer.Argument(help="The search space that will run: its backbones and resources.")] = (
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
        root = files.absolute(under)
        layout.check_reachable(root)
        passed = examine(config, root, console)
    if not all(passed):
        sys.exit(1)


def examine(config: StudyConfig, root: str, console: Console) -> list[bool]:
    """Run every check and print its outcome; return which passed.

    Args:
        config: the study to prepare for.
        root: the studies' storage.
        console: where to print.
    """
    from study.health import findings, node  # all of these import torch and Ray, which take seconds
    from study.health.all_reduce import all_reduce, place_for_a_trial
    from study.runtime import cluster, preflight

    passed = []

    def report(finding: Finding) -> None:
        passed.append(finding.good)
        console.print(_shown(finding, console), soft_wrap=not console.is_terminal)

    for check in (findings.data, findings.backbones, findings.loggers):
        report(check(config))
    folder = files.join(root, f".doctor-{uuid.uuid4().hex[:8]}")
    models = preflight.hub_models(config)
    need = config.examples[0].resources
    try:
        with cluster.running(), place_for_a_trial(need, console.print):
            nodes = node.look(models, folder)
            for finding in (
                findings.versions(nodes),
                findings.gpus(nodes),
                findings.storage(nodes, root),
                findings.hub(nodes, models),
                findings.clock(nodes),
                findings.disk(nodes),
            ):
                report(finding)
            if not findings.storage(nodes, root).good:
                report(
                    findings.Finding(
                        "all-reduce", False, "skipped: Ray Train needs the storage", "fix the storage first"
                    )
                )
            else:
                report(all_reduce(need, folder))
    finally:
        files.remove(folder)
    return passed


def _shown(finding: Finding, console: Console) -> RenderableType:
    """Return a finding with what it says as a column on a terminal, and as one line elsewhere."""
    mark = Text("good", "green") if finding.good else Text("fix", "bold red")
    says = Text.assemble(finding.says, (f"; {finding.fix}" if finding.fix else "", "yellow"))
    if not console.is_terminal:
        return Text.assemble(f"{mark.plain:<6}{finding.check:<12}", says)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=4)
    grid.add_column(width=10)
    grid.add_column(overflow="fold")
    grid.add_row(mark, finding.check, says)
    return grid


if __name__ == "__main__":
    cli.program(main)()
