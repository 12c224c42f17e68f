"""Corpora against the batches that trials will draw from them, before anything starts. Without torch or Ray.

`--dry-run`: what a search space would do on the machine or cluster at hand, before anything is started.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from study.config import BUILTIN_BACKBONES, CorpusConfig, TrialConfig
from study.model.pooling_and_prompts import resolve
from study.runtime import resources
from study.space.study_config import StudyConfig
from study.training.corpora import load_for_training
from study.training.sampler import HybridSampler
from tasks.data import hub
from tasks.errors import UserError
from tasks.plugins import is_local
from tasks.schema import Corpus


def check_corpora(config: StudyConfig) -> list[Corpus]:
    """Refuse what a worker would refuse; return the corpora that are on this machine, in the order they are named.

    Those still to be downloaded are left to the workers. A file is converted here if it is new to this machine, as the
    workers would.

    Raises:
        TaskError: a corpus lacks a language or has fewer rows than a batch, or none serves the cross-lingual batches.
    """
    loaded: dict[str, Corpus] = {}
    checked: set[str] = set()
    for trial in config.examples():
        key = repr((trial.corpora, trial.batch_size, trial.alpha, trial.mixing))
        if trial.steps and key not in checked:
            checked.add(key)
            _check(trial, loaded)
    return list(loaded.values())


def _check(trial: TrialConfig, loaded: dict[str, Corpus]) -> None:
    local = [corpus for corpus in trial.corpora if is_local(corpus.name, corpus.options)]
    corpora = [_loaded(corpus, loaded) for corpus in local]
    if len(local) == len(trial.corpora):
        HybridSampler(corpora, trial)


def _loaded(corpus: CorpusConfig, loaded: dict[str, Corpus]) -> Corpus:
    key = repr(corpus)
    if key not in loaded:
        loaded[key] = load_for_training(corpus)
    return loaded[key]


def show_data(config: StudyConfig, corpora: Sequence[Corpus], console: Console) -> None:
    """Print what is on this machine: the corpora, and what each backbone in a folder wants done with its texts."""
    for corpus in corpora:
        parallel = len(corpus.rows())
        languages = ", ".join(corpus.languages)
        about = f"{len(corpus):,} rows to train on, {parallel:,} of them in two or more languages ({languages})"
        console.print(Text(f"corpus {corpus.name}: {about}"), soft_wrap=True)
    folders = {trial.backbone: trial for trial in config.examples() if Path(trial.backbone).expanduser().is_dir()}
    for name, trial in folders.items():
        about = ", ".join(f"{key} {value!r}" for key, value in resolve(trial).describe().items())
        console.print(Text(f"backbone {name}: {about}"), soft_wrap=True)


class MissingLoggerError(UserError):
    """A logger that a search space names and this machine lacks."""


def supply() -> resources.Supply:
    """Return what the running Ray cluster has, else what this machine has; starts nothing."""
    if resources.cluster_address():
        from study.runtime import cluster  # noqa: PLC0415 - Ray takes a second: only where there is a cluster to ask

        if cluster.attach():
            return cluster.supply()
    return resources.this_machine()


def trials_at_once(config: StudyConfig) -> int:
    """Return how many trials run side by side.

    Raises:
        CapacityError: a trial of this study can never run here.
    """
    fit = resources.trials_at_once([trial.resources for trial in config.examples()], supply())
    return min(fit, config.search.trials, config.concurrent or fit)


def check_backbones(config: StudyConfig) -> None:
    """Refuse a backbone that is nowhere to be had; asks the hub for a hub model's configuration.

    Raises:
        TaskError: neither built in, nor a folder, nor on the hub.
    """
    names = {trial.backbone for trial in config.examples()} - set(BUILTIN_BACKBONES)
    for name in sorted(names):
        if not Path(name).expanduser().is_dir():
            hub.model_folder(name, ["config.json"])


def check_loggers(config: StudyConfig) -> None:
    """Refuse a logger whose package is not installed.

    Raises:
        MissingLoggerError: with what to install.
    """
    for name in config.loggers:
        if importlib.util.find_spec(name) is None:
            raise MissingLoggerError(
                f"loggers: '{name}' is not installed: pip install {name}, or take it out of the search space"
            )


def show_plan(config: StudyConfig, console: Console) -> None:
    """Print the first trial as resolved, what is searched, and the arithmetic of processors and negatives."""
    first = next(iter(config.examples()))
    console.print(
        f"[bold]search space {config.name}[/]: {config.search.trials} trials, sampler {config.search.sampler}"
    )
    console.print("\n[bold]first trial[/]")
    console.print(yaml.safe_dump(first.model_dump(mode="json"), sort_keys=False, allow_unicode=True).rstrip())
    console.print(_searched(config))
    console.print(f"\n{_negatives(first)}")
    console.print(_processors(config, first))


def _searched(config: StudyConfig) -> Table:
    table = Table(title="searched", title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in ("setting", "distribution"):
        table.add_column(name)
    for branches in config.search.space:
        for branch in branches:
            settings = branch.distribution.model_dump(exclude_defaults=True)
            shown = ", ".join(f"{key} {value}" for key, value in settings.items() if key != "type")
            table.add_row(Text(branch.name), f"{branch.distribution.type}: {shown}")
    return table


def _negatives(trial: TrialConfig) -> str:
    share = trial.batch_size // trial.resources.workers
    return (
        f"negatives per query: {trial.negatives_per_query} before masking ({trial.batch_size} pairs a step, "
        f"{share} on each of {trial.resources.workers} workers, {trial.hard_negatives} hard negatives a pair)"
    )


def _processors(config: StudyConfig, trial: TrialConfig) -> str:
    need = trial.resources
    return (
        f"a trial takes {need.workers} x ({need.cpus_per_worker} CPU, {need.gpus_per_worker:g} GPU); {supply()}: "
        f"{trials_at_once(config)} at a time{waiting(config)}"
    )


def waiting(config: StudyConfig) -> str:
    """Return what to say where trials must wait for a cluster to grow; nothing elsewhere."""
    now = min(supply().trials_now(trial.resources) for trial in config.examples())
    if now >= trials_at_once(config):
        return ""
    return f", {now} until the cluster has grown: the others wait for its nodes"
