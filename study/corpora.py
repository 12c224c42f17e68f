"""The corpora that trials are trained on, without what they are validated on. Free of torch, as preflight uses it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from study.config import TrialConfig
from study.config_sections import BenchmarkConfig, CorpusConfig
from study.seen_questions import MOST_QUESTIONS
from tasks.holdout_split import every_version, training_rows, with_other_negatives, without_texts
from tasks.plugins import TaskError, load_benchmark, load_corpus
from tasks.same_text import bare
from tasks.schema import Benchmark, Corpus

HELD_OUT = "held_out"
"""The benchmark of held-out rows (`tasks.benchmarks.held_out`)."""


def check_negatives(corpora: Iterable[Corpus], hard_negatives: int) -> None:
    """Refuse corpora whose rows have fewer hard negatives than a trial asks for.

    Raises:
        TaskError: naming the corpus, how many of its rows have too few, and one of these.
    """
    if not hard_negatives:
        return
    for corpus in corpora:
        if corpus.fewest_negatives < hard_negatives:
            raise TaskError(
                f"corpus '{corpus.name}' has rows with {corpus.fewest_negatives} hard negatives, fewer than "
                f"hard_negatives {hard_negatives}{_examples(corpus, hard_negatives)}; lower it, or mine more with "
                "`python -m study.mine`"
            )


def _examples(corpus: Corpus, hard_negatives: int) -> str:
    """Return how many rows have fewer hard negatives, and the id of one; of a large corpus some rows are read."""
    read, few = set[int](), set[int]()
    for row, pair in every_version(corpus, MOST_QUESTIONS):
        read.add(row)
        if len(pair.negatives) < hard_negatives:
            few.add(row)
    if not few:
        return ""
    return f" ({len(few):,} of {len(read):,} rows read, such as '{corpus.ids(np.array([min(few)]))[0]}')"


def training_corpora(config: TrialConfig) -> list[Corpus]:
    """Return the corpora that a trial is trained on, in the order of its configuration."""
    validation = config.validation.benchmark
    held_out = load_benchmark(validation.name, validation.options) if validation.name == HELD_OUT else None
    loaded = [load_for_training(corpus, validation, held_out) for corpus in config.corpora]
    if not held_out or not config.hard_negatives:
        return loaded
    texts = _texts(held_out)
    return [with_other_negatives(corpus, texts, config.hard_negatives) for corpus in loaded]


def load_for_training(corpus: CorpusConfig, validation: BenchmarkConfig, held_out: Benchmark | None) -> Corpus:
    """Return a corpus, less the rows that `held_out` keeps for validation and those that share a text with them.

    Args:
        corpus: the corpus.
        validation: what the trial is validated on.
        held_out: the same benchmark, loaded, if it consists of held-out rows of some corpus; else None.

    Raises:
        TaskError: the corpus cannot be read, too few rows are left, or it is too large to be compared with rows that
            are held out of another corpus.
    """
    remaining = training_rows(load_corpus(corpus.name, corpus.options), corpus.held_out)
    if held_out is None:
        return remaining
    if sum(len(remaining.rows(language)) for language in remaining.languages) > MOST_QUESTIONS:
        source = {key: value for key, value in validation.options["corpus"].items() if key != "weight"}
        if source == {"name": corpus.name, "held_out": corpus.held_out, **corpus.options}:
            return remaining  # both split it alike
        raise TaskError(
            f"corpus '{corpus.name}' has more than {MOST_QUESTIONS:,} questions, too many to look for those of "
            "benchmark 'held_out' in: give both the same options and the same held_out, or validate on another"
        )
    return without_texts(remaining, _texts(held_out))


def _texts(benchmark: Benchmark) -> set[str]:
    passages = (text for pool in benchmark.pools for text in pool.passages.texts())
    questions = (text for queries in benchmark.queries.values() for text in queries.texts())
    return {*map(bare, passages), *map(bare, questions)}
