"""The front door: `python -m study.run [SPACE]` runs a study and prints its answer."""

from __future__ import annotations

import shlex
import sys
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from study import cli
from study.cli import Interruption
from study.results import files, layout, provenance
from study.results.layout import StudyError
from study.results.study_record import StudyRecord
from study.runtime import lock, preflight
from study.runtime.preflight import Plan
from study.space import study_config
from study.space.study_config import StudyConfig
from tasks.errors import UserError
from tasks.plugins import nearest


class StudyNameError(UserError):
    """A study that exists where a new one was asked for, or the other way round."""


def main(
    space: Annotated[str | None, typer.Argument(help="A shipped search space, or the path of a YAML file.")] = None,
    name: Annotated[str | None, typer.Option(help="The study's name; the space's and the time unless given.")] = None,
    under: Annotated[
        str,
        typer.Option("--storage", envvar="STUDY_STORAGE", help="Folder or URI under which the study's folder lies."),
    ] = cli.DEFAULT_STORAGE,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a study; the latest unless named.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, and start nothing.")] = False,
) -> None:
    """Fine-tune and evaluate multilingual retrievers over a search space, and compare them."""
    console = cli.console()
    with cli.refusals():
        config, folder = _resumed(name, space, under) if resume else _new(name, space, under)
        plan = preflight.check(config, folder, download=not dry_run)
        if dry_run:
            preflight.show(plan, console)
        else:
            sys.exit(_run(plan, console))


def _new(name: str | None, space: str | None, under: str) -> tuple[StudyConfig, str]:
    config = study_config.load(space or cli.DEFAULT_SPACE)
    folder = files.join(files.absolute(under), name or f"{config.name}-{time.strftime('%Y%m%d-%H%M%S')}")
    if files.exists(files.join(folder, layout.STUDY)):
        raise StudyNameError(
            f"a study named '{name}' exists in {under}: add --resume to go on with it, or choose another --name"
        )
    return config, folder


def _resumed(name: str | None, space: str | None, under: str) -> tuple[StudyConfig, str]:
    root = files.absolute(under)
    held = [folder for folder in files.folders(root) if files.exists(files.join(root, folder, layout.STUDY))]
    if not held:
        raise StudyNameError(f"there is no study in {under} to resume: leave --resume out to start one")
    if name is not None and name not in held:
        raise StudyNameError(f"there is no study '{name}' in {under}: {nearest(name, held)}")
    folder = files.join(root, name or max(held, key=lambda one: files.modified(files.join(root, one, layout.STUDY))))
    if space is not None:
        return study_config.load(space), folder
    study = layout.read_study(folder)
    return study_config.parse(study.search_space, study.name), folder


def _run(plan: Plan, console: Console) -> int:
    """Run the trials of a study that have not ended; return the exit status that `study.runtime.summary` documents."""
    # Imported once the input is checked: torch, Ray and the report's charts take seconds.
    from study.runtime import cluster, driver, summary  # noqa: PLC0415

    config, folder = plan.config, plan.folder
    resume = f"resume with: [bold]{_resume_command(folder)}[/]"
    interruption = Interruption()
    interruption.heed()
    try:
        with lock.exclusive(folder):
            _describe(config, folder)
            with cluster.running():
                _describe(config, folder, ray_dashboard=cluster.dashboard())
                console.print(
                    f"study {folder}: {config.search.trials} trials, {plan.trials_at_once} at a time{plan.waiting}"
                )
                for line in plan.assumptions:
                    console.print(Text(line), soft_wrap=True)
                record = driver.open_record(config, plan.record_url, folder)
                interruption.heed()  # Ray has put its own handlers in place
                seconds = driver.run(config, record, folder, console, plan.trials_at_once)
            code = summary.show(config, record.trials(), folder, console, seconds)
            next_command = f"next: python -m study.compare {shlex.quote(folder)}"
            console.print(resume if code == summary.UNFINISHED else next_command, soft_wrap=True)
            return code
    except KeyboardInterrupt:
        assert interruption.signal is not None
        console.print(f"interrupted by {interruption.signal.name}; {resume}", soft_wrap=True)
        return 128 + interruption.signal
    except UserError:
        raise
    except Exception as error:
        lost = driver.storage_failure(error)
        if lost is None:
            raise
        console.print(f"stopped: {lost}; recorded trials are safe; fix the problem, then {resume}", soft_wrap=True)
        return summary.UNFINISHED


def _describe(config: StudyConfig, folder: str, ray_dashboard: str | None = None) -> None:
    """Write the study's record; one that is resumed keeps the time of its start."""
    record = StudyRecord(
        name=config.name,
        search_space=config.source,
        objectives=config.objectives,
        started=_started(folder) or time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        versions=provenance.versions(),
        hardware=provenance.hardware(),
        ray_dashboard=ray_dashboard,
    )
    layout.write_study(folder, record)


def _started(folder: str) -> str:
    """Return when a study was started; empty if it is new, or if its record is damaged and written again."""
    try:
        return layout.read_study(folder).started
    except StudyError:
        return ""


def _resume_command(folder: str) -> str:
    under, _, name = folder.rpartition("/")
    return f"python -m study.run --resume --name {shlex.quote(name)} --storage {shlex.quote(under)}"


if __name__ == "__main__":
    cli.door(main)()
