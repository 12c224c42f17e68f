"""Run a study and print its results: `python -m study.run [SPACE]`."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from study import cli
from study.cli import Interruption
from study.results import files, layout, provenance
from study.results.layout import StudyError
from study.results.study_record import StudyRecord, without_password
from study.runtime.exit_status import UNFINISHED
from study.space import study_config
from study.space.study_config import StudyConfig
from tasks.errors import UserError
from tasks.plugins import nearest

if TYPE_CHECKING:
    from study.runtime.preflight import Plan
    from study.runtime.record import Record

LONGEST_NAME = 200
"""Bytes; file systems allow 255, and other files add to it."""


class StudyNameError(UserError):
    """A name that no study can have, a new study's name that is taken, or a study to resume that does not exist."""


def main(
    space: Annotated[str | None, typer.Argument(help="A shipped search space, or the path of a YAML file.")] = None,
    name: Annotated[
        str | None, typer.Option(help="The study's name; by default the search space's and the time.")
    ] = None,
    under: Annotated[
        str,
        typer.Option("--storage", envvar=cli.STORAGE_VARIABLE, help="Folder or URI for the study's folder."),
    ] = cli.DEFAULT_STORAGE,
    resume: Annotated[bool, typer.Option("--resume", help="Resume a study; the latest by default.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, and start nothing.")] = False,
) -> None:
    """Fine-tune and evaluate multilingual retrievers over a search space, and compare them."""
    console = cli.console()
    with cli.refusals():
        config, folder = _resumed(name, space, under) if resume else _new(name, space, under)
        from study.runtime import plan_summary, preflight  # read data; a refusal need not wait for them

        plan = preflight.check(config, folder, dry_run=dry_run)
        if dry_run:
            plan_summary.show(plan, console)
        else:
            sys.exit(_run(plan, console))


def _new(name: str | None, space: str | None, under: str) -> tuple[StudyConfig, str]:
    config = study_config.load(cli.DEFAULT_SPACE if space is None else space)
    root = files.absolute(under)
    if name is not None:
        _check_name(name)
    chosen = name or f"{config.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    if not files.is_local(root) and re.search(files.NOT_IN_URIS, chosen):
        raise StudyNameError(f"--name {chosen!r} is refused, as {root} is a URI: use letters, digits and -._ alone")
    layout.check_reachable(root)
    folder = files.join(root, chosen)
    if files.exists(files.join(folder, layout.STUDY)):
        raise StudyNameError(
            f"a study named '{name}' exists in {under}: add --resume to resume it, or choose another --name"
        )
    return config, folder


def _check_name(name: str) -> None:
    """Refuse a name that is not the name of one folder below the storage."""
    is_component = "/" not in name and name.isprintable() and 0 < len(name.encode()) <= LONGEST_NAME
    if not is_component or name.startswith(".") or name != name.strip():
        shown = name if len(name) <= 40 else f"{name[:40]}…"
        raise StudyNameError(
            f"--name {shown!r} is refused: a study's name is that of its folder, without '/', control characters, a "
            f"dot in front or space at its ends, and at most {LONGEST_NAME} bytes long"
        )


def _resumed(name: str | None, space: str | None, under: str) -> tuple[StudyConfig, str]:
    root = files.absolute(under)
    layout.check_reachable(root)
    started = {
        folder: files.modified(files.join(root, folder, layout.STUDY))
        for folder in files.folders(root)
        if files.exists(files.join(root, folder, layout.STUDY))
    }
    if not started:
        raise StudyNameError(f"there is no study in {under} to resume: leave --resume out to start one")
    if name is not None and name not in started:
        raise StudyNameError(f"there is no study '{name}' in {under}: {nearest(name, started)}")
    folder = files.join(root, name or max(started, key=lambda study: started[study]))
    if space is not None:
        return study_config.load(space, _search_space(folder)), folder
    study = layout.read_study(folder)
    return study_config.parse(study.search_space, study.name), folder


def _search_space(folder: str) -> Mapping[str, Any] | None:
    """Return the content of a study's search space; None if its record is damaged."""
    try:
        return layout.read_study(folder).search_space
    except StudyError:
        return None


def _run(plan: Plan, console: Console) -> int:
    """Run the trials of a study that have not ended; return the exit status (`study.runtime.exit_status`)."""
    from study.runtime import lock
    from study.runtime.open_record import open_record  # imports Optuna
    from study.runtime.record import storage_failure
    from study.runtime.resources import NotStartedError

    config, folder = plan.config, plan.folder
    interruption = Interruption()
    interruption.install()
    try:
        with lock.exclusive(folder), lock.sign_of_life(folder):
            record = open_record(config, plan.record_url, folder)
            _describe(config, folder, record.identity)
            return _execute(plan, record, interruption, console)
    except KeyboardInterrupt:
        assert interruption.signal is not None
        _say_end(console, f"interrupted by {interruption.signal.name}", folder)
        return 128 + interruption.signal
    except NotStartedError as error:
        _say_end(console, f"stopped: {error}", folder)
        return UNFINISHED
    except UserError:
        raise
    except Exception as error:
        failure = storage_failure(error)
        if failure is None:
            raise
        _say_end(console, f"stopped: {failure}; recorded trials are safe", folder)
        return UNFINISHED


def _execute(plan: Plan, record: Record, interruption: Interruption, console: Console) -> int:
    """Start Ray or connect to it, run the trials and print the results; return the exit status."""
    began = time.monotonic()
    # Imported once the input is checked and the record is open: torch, Ray and the report's charts take seconds.
    from study.runtime import cluster, driver, summary

    config, folder = plan.config, plan.folder
    with cluster.running(lambda died: _say_end(console, f"Ray died (its {died} is gone)", folder)):
        _describe(config, folder, record.identity, ray_dashboard=cluster.dashboard())
        console.print(f"study {folder}: {config.search.trials} trials, {plan.trials_at_once} at a time{plan.waiting}")
        cli.say(console, *plan.notes)
        interruption.install()  # Ray has installed its own handlers
        ran = driver.run(config, record, folder, console, plan.trials_at_once)
    code = summary.show(config, record.trials(), folder, console, time.monotonic() - began if ran else None)
    if code == UNFINISHED:
        console.print(_resume_hint(folder), soft_wrap=True)
    elif layout.finished(folder):
        for start, command in (("next:", "compare"), ("     ", "export")):
            console.print(Text(f"{start} python -m study.{command} {shlex.quote(folder)}"), soft_wrap=True)
    return code


def _describe(config: StudyConfig, folder: str, identity: str, ray_dashboard: str | None = None) -> None:
    """Write the study's record; one that is resumed keeps the time of its start."""
    stored = {"storage": without_password(config.storage)} if config.storage else {}
    record = StudyRecord(
        name=config.name,
        search_space={**config.source, **stored},
        objectives=config.objectives,
        id=identity,
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


def _say_end(console: Console, ending: str, folder: str) -> None:
    """Print how a study ended, with the command that resumes it if it had started."""
    began = files.exists(files.join(folder, layout.STUDY))
    hint = Text.assemble("; ", _resume_hint(folder)) if began else " before the study had started"
    console.print(Text.assemble(ending, hint), soft_wrap=True)


def _resume_hint(folder: str) -> Text:
    under, _, name = folder.rpartition("/")
    command = f"python -m study.run --resume --name {shlex.quote(name)} --storage {shlex.quote(under)}"
    return Text.assemble("resume with: ", (command, "bold"))


if __name__ == "__main__":
    cli.program(main)()
