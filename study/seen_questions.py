"""Counts questions of a benchmark that are also training questions, or questions of another benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tasks.same_text import bare
from tasks.schema import Benchmark, Corpus

MOST_QUESTIONS = 200_000
"""Larger corpora are not searched: reading their texts would delay every trial by more than some seconds."""
_CHUNK = 4096


def seen_questions(benchmark: Benchmark, corpora: Sequence[Corpus]) -> int | None:
    """Return how many of a benchmark's questions, counted in each language, are training questions in that language.

    Questions are the same where `tasks.same_text` says so.

    Returns:
        None where the corpora have more than `MOST_QUESTIONS`.
    """
    shared = {language: [c for c in corpora if language in c.languages] for language in benchmark.languages}
    if sum(len(corpus.rows(language)) for language in shared for corpus in shared[language]) > MOST_QUESTIONS:
        return None
    seen = 0
    for language, having in shared.items():
        trained = {bare(text) for corpus in having for text in _questions(corpus, language)}
        seen += sum(bare(text) in trained for text in benchmark.queries[language].texts())
    return seen


def shared_questions(benchmark: Benchmark, other: Benchmark) -> int:
    """Return how many of a benchmark's questions, counted in each language, are questions of another benchmark."""
    shared = 0
    for language in set(benchmark.languages) & set(other.languages):
        known = {bare(text) for text in other.queries[language].texts()}
        shared += sum(bare(text) in known for text in benchmark.queries[language].texts())
    return shared


def _questions(corpus: Corpus, language: str) -> Iterator[str]:
    rows = np.asarray(corpus.rows(language))
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        languages = [language] * len(part)
        yield from (pair.query for pair in corpus.pairs(part, languages, languages))
