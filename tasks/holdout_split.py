"""Hold out rows of a training corpus for validation.

The rows depend on the corpus and their number only, so that training, which leaves them out, and the benchmark
`held_out`, which evaluates on them, agree. Where a trial's corpora are other than the one that is held out from, as
with fewer rows or languages, training leaves out what has a text of the held-out rows (`without_texts`). In a search
space a YAML anchor keeps both the same:

    corpora: [&data {name: parallel_jsonl, path: train.jsonl, held_out: 200}]
    validation: {benchmark: {name: held_out, corpus: *data}}

Rows that are trained on may have held-out passages as hard negatives, as mined ones do. Training would push the very
passages away from questions that validation ranks, so other negatives of the row take their places.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.data.records import combined_digest
from tasks.plugins import TaskError
from tasks.same_text import bare
from tasks.schema import Corpus, Keys, Pair, Rows

SEED = 20240810
"""The same for every trial: seeds and settings are compared on the same queries."""
HELD_OUT = "held out for validation or share a text with those that are"
_BLOCK, _TEXTS_BLOCK = 1 << 20, 1 << 12


class Replaced(NamedTuple):
    """Hard negatives that others replace, see `with_other_negatives`."""

    texts: Collection[str]
    wanted: int

    def in_pair(self, pair: Pair) -> Pair:
        """Return the pair with other negatives in place of these."""
        others = (text for text in pair.negatives if bare(text) not in self.texts)
        kept = [*islice(others, self.wanted)]  # no further, as `bare` takes its time
        filling = cycle(kept or [pair.passage])
        return pair._replace(negatives=(*kept, *islice(filling, self.wanted - len(kept))))


class Split(NamedTuple):
    """A corpus in two parts that share neither a query nor a passage, in any language."""

    training: Corpus
    held_out: Rows
    """Rows of the whole corpus: all rows of the held-out queries."""


def split(corpus: Corpus, rows: int) -> Split:
    """Hold out the queries of `rows` rows drawn at random with a fixed seed.

    Training leaves out all rows with one of these queries or one of their passages, in any language.

    Raises:
        TaskError: no row would be held out, or none left to train on.
    """
    if not 0 < rows < len(corpus):
        raise TaskError(
            f"corpus '{corpus.name}', held_out {rows}: choose from 1 to {len(corpus) - 1}, less than its rows"
        )
    drawn = corpus.components(np.random.default_rng(SEED).choice(len(corpus), size=rows, replace=False))
    held_out = _rows_where(corpus, lambda keys: np.isin(keys.queries, drawn.queries))
    own = corpus.components(held_out)
    shared = _rows_where(corpus, lambda k: np.isin(k.queries, own.queries) | np.isin(k.passages, own.passages))
    training = Remaining(corpus, shared, HELD_OUT)
    if not len(training):
        raise TaskError(f"corpus '{corpus.name}', held_out {rows}: no row is left to train on; hold out fewer")
    return Split(training, held_out)


def training_rows(corpus: Corpus, held_out: int) -> Corpus:
    """Return a corpus without the rows that `held_out` keeps for validation; the whole corpus if that is 0."""
    return split(corpus, held_out).training if held_out else corpus


def without_texts(corpus: Corpus, texts: Collection[str]) -> Corpus:
    """Return a corpus without the rows that hold one of these texts as query or passage, in any of its languages.

    Needed where the rows were held out of a corpus with other options, or of a copy: row numbers differ there.

    Args:
        corpus: reads all its texts, so it should not be a large one.
        texts: as `tasks.same_text.bare` returns them.

    Raises:
        TaskError: no row is left.
    """
    versions = every_version(corpus)
    holding = {row for row, pair in versions if bare(pair.query) in texts or bare(pair.passage) in texts}
    if not holding:
        return corpus
    if len(holding) == len(corpus):
        raise TaskError(f"corpus '{corpus.name}': every row shares a text with the validation data; hold out fewer")
    return Remaining(corpus, np.array(sorted(holding)), HELD_OUT)


def with_other_negatives(corpus: Corpus, texts: Collection[str], wanted: int) -> Corpus:
    """Return a corpus whose rows have `wanted` hard negatives, none of which is one of these texts.

    They are a row's first others. Where it has fewer, these take the places in turn; where it has none, its own passage
    does, which is no negative of its query as long as `mask_false_negatives` is on.

    Args:
        corpus: its rows have as many negatives or more.
        texts: as `tasks.same_text.bare` returns them.
        wanted: at least 1.
    """
    return Remaining(corpus, np.empty(0, dtype=np.int64), HELD_OUT, Replaced(texts, wanted))


def every_version(
    corpus: Corpus, first: int | None = None, languages: Collection[str] | None = None
) -> Iterator[tuple[int, Pair]]:
    """Yield all rows, or the `first` ones of each language, with the pair in that language; language by language.

    Args:
        corpus: the corpus.
        first: most rows of a language; all of them without.
        languages: those to yield; all without.
    """
    for language in corpus.languages if languages is None else sorted({*languages} & {*corpus.languages}):
        rows = corpus.rows(language)[:first]
        for start in range(0, len(rows), _TEXTS_BLOCK):
            part = np.asarray(rows[start : start + _TEXTS_BLOCK])
            languages = [language] * len(part)
            yield from zip(part.tolist(), corpus.pairs(part, languages, languages), strict=True)


def _rows_where(corpus: Corpus, condition: Callable[[Keys], npt.NDArray[np.bool_]]) -> Rows:
    """Return the rows, ascending, whose keys meet a condition; reads a block of keys at a time."""
    matching = []
    for start in range(0, len(corpus), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(corpus)))
        matching.append(block[condition(corpus.components(block))])
    return np.concatenate(matching)


class Remaining:
    """A corpus without some of its rows; the remaining rows are renumbered from 0, without a list of them."""

    def __init__(self, corpus: Corpus, excluded: Rows, reason: str, replaced: Replaced | None = None) -> None:
        """Exclude rows.

        Args:
            corpus: the whole corpus.
            excluded: its rows that do not remain, ascending.
            reason: what they are, as messages say it.
            replaced: negatives of the other rows that others replace, see `with_other_negatives`.
        """
        self._corpus, self._excluded, self._reason, self._replaced = corpus, excluded, reason, replaced
        self._before = excluded - np.arange(len(excluded))
        """Number of remaining rows before each excluded row."""
        self._listed: dict[str | None, Rows] = {}

    @property
    def name(self) -> str:
        """The corpus's name in a search space."""
        return self._corpus.name

    @property
    def revision(self) -> str:
        """Identifies the corpus and the excluded rows; negatives that are replaced follow from the validation data."""
        if not len(self._excluded):
            return self._corpus.revision
        return combined_digest([self._corpus.revision, *map(str, self._excluded)])

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the whole corpus."""
        return self._corpus.languages

    @property
    def left_out(self) -> Mapping[str, int]:
        """What the rows that do not remain, or that the whole corpus lacks, are -> how many there are."""
        earlier = self._corpus.left_out
        count = earlier.get(self._reason, 0) + len(self._excluded)
        return {**earlier, self._reason: count} if count else earlier

    @property
    def fewest_negatives(self) -> int:
        """The smallest number of hard negatives of any row of the whole corpus."""
        return self._corpus.fewest_negatives

    def __len__(self) -> int:
        """Return the number of rows that remain."""
        return len(self._corpus) - len(self._excluded)

    def rows(self, language: str | None = None) -> Sequence[int] | Rows:
        """Return the rows that have `language`; without one, the rows in two or more languages."""
        rows = self._corpus.rows(language)
        if isinstance(rows, range):  # all rows or none
            return range(len(self) if rows else 0)
        if language not in self._listed:
            kept = np.setdiff1d(rows, self._excluded, assume_unique=True)
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

    def components(self, rows: Rows) -> Keys:
        """Return the components that the rows' queries and passages have in the whole corpus."""
        return self._corpus.components(self._original(rows))

    def pairs(self, rows: Rows, query_languages: Sequence[str], passage_languages: Sequence[str]) -> list[Pair]:
        """Return one pair per row."""
        pairs = self._corpus.pairs(self._original(rows), query_languages, passage_languages)
        return [self._replaced.in_pair(pair) for pair in pairs] if self._replaced else pairs

    def _original(self, rows: Rows) -> Rows:
        """Return the numbers that rows have in the whole corpus."""
        return rows + np.searchsorted(self._before, rows, side="right")
