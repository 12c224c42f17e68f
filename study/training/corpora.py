"""The corpora of a trial without the rows held out for validation. Imports no torch, so that preflight can use it."""

from __future__ import annotations

from study.config import CorpusConfig
from tasks.holdout_split import split
from tasks.plugins import load_corpus
from tasks.schema import Corpus


def load_for_training(config: CorpusConfig) -> Corpus:
    """Return a corpus, less the rows that `held_out` keeps for validation.

    Raises:
        TaskError: what the corpus refuses, or too few rows are left.
    """
    corpus = load_corpus(config.name, config.options)
    return split(corpus, config.held_out).training if config.held_out else corpus
