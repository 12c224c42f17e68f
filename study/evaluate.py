"""Measure an encoder on benchmarks, as at the end of a trial: `python -m study.evaluate MODEL`.

One process works without Ray; several are the workers of a trial without training steps.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from study import cli
from study.analysis.formats import some_of
from study.analysis.study import read_study
from study.analysis.tables import languages_table, settings_table
from study.config import TrialConfig
from study.config_sections import BenchmarkConfig, RunFiles
from study.model.pooling_and_prompts import lines
from study.results import files, layout
from study.results.trial_result import Measurement
from study.runtime import preflight, resources
from study.runtime.activity import Activity, Heartbeat, duration
from study.space.strict_yaml import absolute_paths
from tasks.errors import UserError
from tasks.plugins import check_benchmark, option_names

LIMITS: dict[str, dict[str, int]] = {"whole": {"max_query_tokens": 512, "max_passage_tokens": 512}, "trial": {}}
"""Text limits by the value of --limits: what encoders commonly read, or what a trial has unless told otherwise."""
DECIDED = {
    "backbone": "MODEL names it",
    "benchmarks": "use --benchmarks and --option",
    "resources": "use --workers",
    "steps": "an evaluation trains nothing; use `study.run` to train",
}
Advance = Callable[[str, int, int], None]
"""Called with a benchmark's name, the texts encoded so far, and all its texts."""


def main(  # noqa: PLR0913, PLR0917 - one per command-line option
    model: Annotated[str, typer.Argument(help="A folder, a hub id, or builtin/...")],
    benchmarks: Annotated[str, typer.Option(help="Names, with commas between.")] = "factbook",
    data: Annotated[Path | None, typer.Option(help="Folder of local copies of the benchmarks.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE for all benchmarks, as in YAML: context=sentence.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=VALUE of a trial, as in YAML: precision=bf16. Prefixes are literal: 'query_prefix=query: '."
        ),
    ] = None,
    limits: Annotated[
        str,
        typer.Option(
            help="Where texts are cut: at 512 tokens (whole), at a trial's defaults of 64 and 256 (trial), or as in a "
            "study, windows included, given its folder or name."
        ),
    ] = "whole",
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    under: Annotated[
        str, typer.Option("--storage", envvar="STUDY_STORAGE", help="Folder or URI that several workers share.")
    ] = cli.DEFAULT_STORAGE,
    output: Annotated[Path | None, typer.Option(help="JSON file for the result.")] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder for TREC run files, on this machine.")] = None,
    depth: Annotated[
        int, typer.Option(min=1, help="Passages per query in run files; a pool's size or more makes their MAP exact.")
    ] = 100,
) -> None:
    """Evaluate an encoder: every language, every pair, the pool of all languages, and language bias."""
    console = cli.console()
    with cli.refusals():
        result_file = cli.output_file(output, "--output") if output else None
        runs_folder = cli.output_folder(runs, "--runs") if runs else None
        if runs and workers > 1 and resources.cluster_address():
            raise UserError(
                "--runs is refused with several workers on a running Ray cluster, as one of them would write the files "
                "on its own node: leave --workers out"
            )
        options = cli.key_values(option or [])
        config = cli.trial_config(
            _limits(limits)
            | _settings(setting or [])
            | {
                "backbone": absolute_paths(model, "backbone"),
                "steps": 0,
                "benchmarks": _benchmarks([name.strip() for name in benchmarks.split(",")], data, options),
                "resources": {"workers": workers},
            }
        )
        if workers > 1:
            config, note = on_gpus(config, preflight.supply())
            if note:
                cli.say(console, note)
        if not resources.this_machine().nodes[0].gpus and (note := resources.emulated_bf16(config)):
            cli.say(console, note)
        with _shown(console) as advance:
            alone = workers == 1
            written = RunFiles(runs_folder, depth) if runs_folder else None
            result = (
                _alone(config, written, advance)
                if alone
                else _together(config, written, advance, files.absolute(under))
            )
    if result_file:
        files.write_json(str(result_file), result.model_dump(mode="json"))
    for name, measured in result.benchmarks.items():
        console.print(settings_table(name, measured), "", languages_table(measured), "", sep="\n")
    cli.say(console, *lines(model, result.backbone.model_dump(exclude_none=True)))
    if result_file:
        console.print(Text(f"written: {result_file}"), soft_wrap=True)


def on_gpus(config: TrialConfig, supply: resources.Supply) -> tuple[TrialConfig, str]:
    """Let several workers take a GPU each, with its CPUs, where there are so many GPUs; else share CPUs out to them.

    Returns:
        The trial, and a sentence for a user where some GPUs are there and too few.
    """
    workers, nodes = config.resources.workers, [node for node in supply.nodes if node.gpus]
    if workers == 1:
        return config, ""
    if not nodes and resources.cluster_address():  # of which others may use the processors
        return config, ""
    if not nodes:
        smallest = min((node.cpus for node in supply.nodes if node.cpus >= 1), default=1)
        shared = config.resources.model_copy(update={"cpus_per_worker": float(max(1, smallest // workers))})
        return config.model_copy(update={"resources": shared}), ""
    each = {"gpus_per_worker": 1.0, "cpus_per_worker": float(max(1, min(node.cpus // node.gpus for node in nodes)))}
    with_gpus = config.resources.model_copy(update=each)
    if supply.trials_at_once(with_gpus):
        return config.model_copy(update={"resources": with_gpus}), ""
    fit = sum(node.workers(with_gpus) for node in nodes)
    advice = f"; use --workers {fit} to run on GPUs" if fit > 1 else ""
    return config, (
        f"the {workers} workers run on CPUs, as there are GPUs for {fit} of them, with "
        f"{with_gpus.cpus_per_worker:g} CPU{'s' * (with_gpus.cpus_per_worker > 1)} each{advice}"
    )


def _limits(name: str) -> dict[str, Any]:
    """Return the text limits that a name in LIMITS stands for, or those and the windows of the study in a folder."""
    if name in LIMITS:
        return dict(LIMITS[name])
    with suppress(UserError):  # what is neither is refused in the words of this option
        name = cli.study_folder(name)
    if not files.exists(files.join(files.absolute(name), layout.STUDY)):
        raise UserError(f"--limits {name} is refused: write whole, trial, or a study's folder or name")
    trials = [trial.config.model_dump(mode="json") for trial in read_study(name).results]
    found = [{key: trial[key] for key in (*LIMITS["whole"], "windows")} for trial in trials]
    if any(other != found[0] for other in found):
        raise UserError(
            f"--limits {name} is refused: the trials of this study cut texts at different lengths or into different "
            "windows: write those of one, such as --setting max_query_tokens=64 --setting max_passage_tokens=256"
        )
    return found[0]


def _settings(texts: list[str]) -> dict[str, Any]:
    """Return a trial's settings; those that other options or the evaluation itself decide are refused."""
    settings = cli.key_values(texts, "--setting")
    for key in settings:
        if key in DECIDED:
            raise UserError(f"--setting {key} is refused: {DECIDED[key]}")
    return settings


def _benchmarks(names: list[str], data: Path | None, options: dict[str, Any]) -> list[BenchmarkConfig]:
    """Return benchmarks with their options; `data` is the `path` of those that have this option."""
    if data and not any("path" in option_names(name) for name in names):
        raise UserError(
            f"--data {data} is refused, as {some_of(names)} reads no folder: add --benchmarks local, or one that does"
        )
    return [_benchmark(name, data, options) for name in names]


def _benchmark(name: str, data: Path | None, options: dict[str, Any]) -> BenchmarkConfig:
    path = {"path": str(data)} if data and "path" in option_names(name) else {}
    given = absolute_paths(path | options)  # workers may run in another folder
    check_benchmark(name, given)
    return BenchmarkConfig(name=name, options=given)


def _alone(config: TrialConfig, written: RunFiles | None, advance: Advance) -> Measurement:
    """Measure in this process, with all its threads or its GPU."""
    import torch  # takes seconds

    from study.retrieval.measurement import measure_backbone

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return measure_backbone(config, device, runs=written, progress=advance)


def _together(config: TrialConfig, written: RunFiles | None, advance: Advance, root: str) -> Measurement:
    """Measure with the workers of a trial, whose temporary files are under `root`."""
    from study.model.backbone import check_backbone
    from study.runtime import cluster  # imports Ray
    from study.runtime.trial import measure_on_workers

    layout.check_reachable(root)
    layout.check_writable(root)
    resources.trials_at_once([config.resources], preflight.supply())  # Ray would wait for ever
    check_backbone(config)
    scratch = files.join(root, f".evaluate-{uuid.uuid4().hex[:8]}")
    try:
        with cluster.running():
            return measure_on_workers(config, written, advance, scratch)
    finally:
        files.remove(scratch)


class _Rate(ProgressColumn):
    """Texts per second."""

    def render(self, task: Task) -> Text:
        """Return the rate of the last half minute."""
        return Text(f"{task.speed:,.0f} texts/s" if task.speed else "")


@contextmanager
def _shown(console: Console) -> Iterator[Advance]:
    """Show how far each benchmark is: a bar on a terminal, elsewhere a line every 30 seconds."""
    with _bars(console) if console.is_terminal else _lines(console) as advance:
        yield advance


@contextmanager
def _lines(console: Console) -> Iterator[Advance]:
    began: dict[str, tuple[float, int]] = {}
    last = Activity("loading model and data")

    def advance(name: str, done: int, total: int) -> None:
        nonlocal last
        began.setdefault(name, (time.monotonic(), done))
        last = Activity(name, done, total)

    def lines() -> list[str]:
        activity = last
        at, first = began.get(activity.name, (0.0, 0))
        rate = (activity.done - first) / (time.monotonic() - at)
        if not activity.counts or not rate:
            return [str(activity)]
        return [f"{activity}, {rate:,.0f} texts/s, {duration((activity.total - activity.done) / rate)} left"]

    with Heartbeat(console, lines):
        yield advance


@contextmanager
def _bars(console: Console) -> Iterator[Advance]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(name: str, done: int, total: int) -> None:
            if name not in tasks:
                for earlier in bars.tasks:
                    bars.update(earlier.id, visible=earlier.total is not None)
                tasks[name] = bars.add_task(name, total=total or None)
            bars.update(tasks[name], completed=done)

        yield advance


if __name__ == "__main__":
    cli.program(main)()
