"""The corpora of a trial without the rows held out for validation. Imports no torch, so that preflight can use it."""

from __future__ import annotations

from collections.abc import Iterable

from study.config_sections import CorpusConfig
from tasks.holdout_split import training_rows
from tasks.plugins import TaskError, load_corpus
from tasks.schema import Corpus


def check_negatives(corpora: Iterable[Corpus], hard_negatives: int) -> None:
    """Refuse corpora whose rows have fewer hard negatives than a trial asks for.

    Raises:
        TaskError: naming the corpus and how many its rows have.
    """
    for corpus in corpora:
        if corpus.fewest_negatives < hard_negatives:
            raise TaskError(
                f"corpus '{corpus.name}' has rows with {corpus.fewest_negatives} hard negatives, fewer than "
                f"hard_negatives {hard_negatives}; lower it, or mine more with `python -m study.mine`"
            )


def load_for_training(config: CorpusConfig) -> Corpus:
    """Return a corpus, less the rows that `held_out` keeps for validation.

    Raises:
        TaskError: what the corpus refuses, or too few rows are left.
    """
    return training_rows(load_corpus(config.name, config.options), config.held_out)
