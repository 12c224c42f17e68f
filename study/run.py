"""The front door: `python -m study.run [SPACE]` runs a study and prints its answer."""

from __future__ import annotations

import shlex
import sys
import time
from typing import Annotated

import typer
from rich.console import Console

from study import doors, plan, preflight, results, search_space, storage, summary
from study.search_space import StudyConfig
from tasks.errors import UserError
from tasks.plugins import nearest

DEFAULT_SPACE = "quickstart"
DEFAULT_STORAGE = "~/multilingual-retrieval-studies"


class StudyNameError(UserError):
    """A study that exists where a new one was asked for, or the other way round."""


def main(
    space: Annotated[str | None, typer.Argument(help="A shipped search space, or the path of a YAML file.")] = None,
    name: Annotated[str | None, typer.Option(help="The study's name; the space's and the time unless given.")] = None,
    under: Annotated[
        str,
        typer.Option("--storage", envvar="STUDY_STORAGE", help="Folder or URI under which the study's folder lies."),
    ] = DEFAULT_STORAGE,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a study; the latest unless named.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, and start nothing.")] = False,
) -> None:
    """Fine-tune and evaluate multilingual retrievers over a search space, and compare them."""
    console = doors.console()
    with doors.refusals():
        if dry_run:
            config = search_space.load(space or DEFAULT_SPACE)
            corpora = preflight.check_corpora(config)
            plan.show(config, console)
            preflight.show(config, corpora, console)
            return
        config, folder = _resumed(name, space, under) if resume else _new(name, space, under)
        _run(config, folder, console)


def _new(name: str | None, space: str | None, under: str) -> tuple[StudyConfig, str]:
    config = search_space.load(space or DEFAULT_SPACE)
    folder = storage.join(storage.absolute(under), name or f"{config.name}-{time.strftime('%Y%m%d-%H%M%S')}")
    if storage.exists(folder):
        raise StudyNameError(
            f"a study named '{name}' exists in {under}: add --resume to go on with it, or choose another --name"
        )
    return config, folder


def _resumed(name: str | None, space: str | None, under: str) -> tuple[StudyConfig, str]:
    root = storage.absolute(under)
    held = [folder for folder in storage.folders(root) if storage.exists(storage.join(root, folder, results.STUDY))]
    if not held:
        raise StudyNameError(f"there is no study in {under} to resume: leave --resume out to start one")
    if name is not None and name not in held:
        raise StudyNameError(f"there is no study '{name}' in {under}: {nearest(name, held)}")
    folder = storage.join(
        root, name or max(held, key=lambda one: storage.modified(storage.join(root, one, results.STUDY)))
    )
    if space is not None:
        return search_space.load(space), folder
    study = storage.read_json(storage.join(folder, results.STUDY))
    return search_space.parse(study["search_space"], study["name"]), folder


def _run(config: StudyConfig, folder: str, console: Console) -> None:
    at_once = plan.trials_at_once(config)  # refuses what can never run, before anything is started
    plan.check_backbones(config)
    plan.check_loggers(config)
    preflight.check_corpora(config)
    from study import cluster, tuner  # noqa: PLC0415 - torch and Ray take seconds: only once the input is good

    cluster.start()
    storage.write_json(
        storage.join(folder, results.STUDY), _description(config) | {"ray_dashboard": cluster.dashboard()}
    )
    console.print(f"study {folder}: {config.search.trials} trials, {at_once} at a time")
    try:
        seconds = tuner.run(config, folder, console, at_once)
    except KeyboardInterrupt:
        console.print(f"interrupted; go on with: [bold]{_resume_command(folder)}[/]", soft_wrap=True)
        sys.exit(130)
    summary.show(config, folder, console, seconds)


def _description(config: StudyConfig) -> dict[str, object]:
    return {
        "name": config.name,
        "search_space": dict(config.source),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": results.versions(),
        "hardware": results.hardware(),
    }


def _resume_command(folder: str) -> str:
    under, _, name = folder.rpartition("/")
    return f"python -m study.run --resume --name {shlex.quote(name)} --storage {shlex.quote(under)}"


if __name__ == "__main__":
    doors.door(main)()
