"""Corpora against the batches that trials will draw from them, before anything starts. Without torch or Ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from study.config import CorpusConfig, TrialConfig
from study.model.pooling_and_prompts import resolve
from study.space.study_config import StudyConfig
from study.training.corpora import load_for_training
from study.training.sampler import HybridSampler
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
        key = repr((trial.corpora, trial.batch_size, trial.alpha))
        if trial.steps and key not in checked:
            checked.add(key)
            _check(trial, loaded)
    return list(loaded.values())


def _check(trial: TrialConfig, loaded: dict[str, Corpus]) -> None:
    local = [corpus for corpus in trial.corpora if is_local(corpus.name, corpus.options)]
    corpora = [_loaded(corpus, loaded) for corpus in local]
    if len(local) == len(trial.corpora):
        HybridSampler(
            corpora,
            [corpus.weight for corpus in local],
            alpha=trial.alpha,
            batch_size=trial.batch_size,
            steps=trial.steps,
            seed=trial.seed,
        )


def _loaded(corpus: CorpusConfig, loaded: dict[str, Corpus]) -> Corpus:
    key = repr(corpus)
    if key not in loaded:
        loaded[key] = load_for_training(corpus)
    return loaded[key]


def show(config: StudyConfig, corpora: Sequence[Corpus], console: Console) -> None:
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
