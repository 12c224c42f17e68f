"""Rows of a training corpus that are kept out of training, to validate on.

Which rows is decided here alone, by the corpus and a number, so the trainer, which leaves them out, and the benchmark
`held_out`, which asks their queries, agree. A corpus in a search space says it in one place, and YAML repeats it:

    corpora: [&data {name: parallel_jsonl, path: train.jsonl, held_out: 200}]
    validation: {benchmark: {name: held_out, corpus: *data}}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.data.records import combined_digest
from tasks.plugins import TaskError
from tasks.schema import Corpus, Keys, Pair, Rows

SEED = 20240810
"""The same for every trial: seeds and settings are compared on the same queries."""
_BLOCK = 1 << 20


class Split(NamedTuple):
    """A corpus in two parts that share neither a query nor a passage, in any language."""

    training: Corpus
    held_out: Rows
    """Rows of the whole corpus: every row of the queries that are held out."""


def split(corpus: Corpus, rows: int) -> Split:
    """Hold out the queries of `rows` rows drawn at random, always the same.

    Left out of training are these queries wherever they occur, and whatever else has one of their passages.

    Raises:
        TaskError: too few rows would be left to train on, or none be held out.
    """
    if not 0 < rows < len(corpus):
        raise TaskError(
            f"corpus '{corpus.name}', held_out {rows}: choose from 1 to {len(corpus) - 1}, less than its rows"
        )
    drawn = corpus.keys(np.random.default_rng(SEED).choice(len(corpus), size=rows, replace=False))
    held_out = _rows_where(corpus, lambda keys: np.isin(keys.queries, drawn.queries))
    own = corpus.keys(held_out)
    shared = _rows_where(corpus, lambda k: np.isin(k.queries, own.queries) | np.isin(k.passages, own.passages))
    training = Remaining(corpus, shared)
    if not len(training):
        raise TaskError(f"corpus '{corpus.name}', held_out {rows}: no row is left to train on; hold out fewer")
    return Split(training, held_out)


def training_rows(corpus: Corpus, held_out: int) -> Corpus:
    """Return a corpus without the rows that `held_out` keeps for validation; all of it where that is 0."""
    return split(corpus, held_out).training if held_out else corpus


def _rows_where(corpus: Corpus, holds: Callable[[Keys], npt.NDArray[np.bool_]]) -> Rows:
    """Return the rows, ascending, whose keys meet a condition; keys are read a block at a time."""
    found = []
    for start in range(0, len(corpus), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(corpus)))
        found.append(block[holds(corpus.keys(block))])
    return np.concatenate(found)


class Remaining:
    """A corpus without some of its rows; the others are numbered anew, from 0 on, without a list of them."""

    def __init__(self, corpus: Corpus, excluded: Rows) -> None:
        """Leave out the rows `excluded`, ascending."""
        self._corpus, self._excluded = corpus, excluded
        self._before = excluded - np.arange(len(excluded))
        """How many rows that remain come before each excluded one."""
        self._listed: dict[str | None, Rows] = {}

    @property
    def name(self) -> str:
        """The corpus's name in a search space."""
        return self._corpus.name

    @property
    def revision(self) -> str:
        """Identifies the corpus and what is left out."""
        return combined_digest([self._corpus.revision, *map(str, self._excluded)])

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the whole corpus."""
        return self._corpus.languages

    @property
    def fewest_negatives(self) -> int:
        """The smallest number of hard negatives of any row of the whole corpus."""
        return self._corpus.fewest_negatives

    def __len__(self) -> int:
        """Return the number of rows that remain."""
        return len(self._corpus) - len(self._excluded)

    def rows(self, language: str | None = None) -> Sequence[int] | Rows:
        """Return the rows that have `language`; without one, the rows in two or more languages."""
        held = self._corpus.rows(language)
        if isinstance(held, range):  # all or none
            return range(len(self) if held else 0)
        if language not in self._listed:
            kept = np.setdiff1d(held, self._excluded, assume_unique=True)
            self._listed[language] = kept - np.searchsorted(self._excluded, kept)
        return self._listed[language]

    def row_languages(self, row: int) -> tuple[str, ...]:
        """Return the languages of one row, sorted."""
        return self._corpus.row_languages(int(self._original(np.array([row]))[0]))

    def text_keys(self, rows: Rows) -> Rows:
        """Return the identities that the rows' texts have in the whole corpus."""
        return self._corpus.text_keys(self._original(rows))

    def ids(self, rows: Rows) -> list[str]:
        """Return the ids that the rows have in the whole corpus."""
        return self._corpus.ids(self._original(rows))

    def keys(self, rows: Rows) -> Keys:
        """Return the identities of the rows' queries and passages."""
        return self._corpus.keys(self._original(rows))

    def pairs(self, rows: Rows, query_languages: Sequence[str], passage_languages: Sequence[str]) -> list[Pair]:
        """Return one pair a row."""
        return self._corpus.pairs(self._original(rows), query_languages, passage_languages)

    def _original(self, rows: Rows) -> Rows:
        """Return the numbers that rows have in the whole corpus."""
        return rows + np.searchsorted(self._before, rows, side="right")
