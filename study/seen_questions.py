"""Counts questions of a benchmark that are also training questions, or questions of another benchmark.

Texts of all languages are compared: what a language is called differs between data sets (`no` and `nb`, `fil` and
`tl`), and a text that was trained on is known under any label. Versions of a question in other languages share its id;
where one is known, all are counted, as an encoder of several languages may know them too. Which questions are versions
of one that is trained on in another language, ids tell that are hashes, such as those of SQuAD and what is made of it
(XQuAD-R, MLQA-R); shorter ids mean different questions in different data.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import numpy as np

from tasks.holdout_split import every_version
from tasks.same_text import bare
from tasks.schema import Benchmark, Corpus

MOST_QUESTIONS = 200_000
"""Questions of corpora that are searched: reading more texts would delay every trial by more than some seconds."""
_HASH = re.compile(r"(?:.*:)?((?=\d*[a-f])(?:[0-9a-f]{24}|[0-9a-f]{40}))")
"""An id that means one question wherever it is found, after the name of a language or without."""


class Seen(NamedTuple):
    """What a search for the questions of a benchmark found."""

    questions: int | None
    """Those, counted in each language, of which a version is a training question; None where nothing was searched."""
    not_searched: tuple[str, ...]
    """Names of the corpora that have too many questions."""


def seen_questions(benchmark: Benchmark, corpora: Sequence[Corpus]) -> Seen:
    """Look for a benchmark's questions in corpora: the smallest first, until `MOST_QUESTIONS` have been read.

    A corpus that has too many in all its languages is read in those of the benchmark alone. Questions are the same
    where `tasks.same_text` says so, or their ids.
    """
    texts, ids = set[str](), set[str]()
    left, too_large = MOST_QUESTIONS, []
    for corpus in sorted(corpora, key=lambda corpus: _size(corpus, corpus.languages)):
        fitting = [chosen for chosen in (corpus.languages, benchmark.languages) if 0 < _size(corpus, chosen) <= left]
        if not fitting:
            too_large.append(corpus.name)
            continue
        left -= _size(corpus, fitting[0])
        rows = set[int]()
        for row, pair in every_version(corpus, languages=fitting[0]):
            rows.add(row)
            texts.add(bare(pair.query))
        ids |= _hashes(corpus.ids(np.array(sorted(rows), dtype=np.int64)))
    searched = not corpora or len(too_large) < len(corpora)
    return Seen(_known(benchmark, texts, ids) if searched else None, tuple(too_large))


def _size(corpus: Corpus, languages: Collection[str]) -> int:
    return sum(len(corpus.rows(language)) for language in corpus.languages if language in languages)


def shared_questions(benchmark: Benchmark, other: Benchmark) -> int:
    """Return how many of a benchmark's questions, counted in each language, have a version in another benchmark."""
    return _known(benchmark, {bare(query.text) for query in other.asked()})


def _known(benchmark: Benchmark, texts: AbstractSet[str], ids: AbstractSet[str] = frozenset()) -> int:
    asked = benchmark.asked()
    known = {query.id for query in asked if bare(query.text) in texts or _hashes([query.id]) & ids}
    return sum(query.id in known for query in asked)


def _hashes(ids: Collection[str]) -> set[str]:
    return {found[1] for found in map(_HASH.fullmatch, ids) if found}
