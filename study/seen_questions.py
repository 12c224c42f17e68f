"""Counts questions of a benchmark that are also training questions, or questions of another benchmark.

Texts of all languages are compared: what a language is called differs between data sets (`no` and `nb`, `fil` and
`tl`), and a text that was trained on is known under any label. Versions of a question in other languages share its id;
where one is known, all are counted, as an encoder of several languages may know them too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

from tasks.holdout_split import every_version
from tasks.same_text import bare
from tasks.schema import Benchmark, Corpus

MOST_QUESTIONS = 200_000
"""Larger corpora are not searched: reading their texts would delay every trial by more than some seconds."""


def seen_questions(benchmark: Benchmark, corpora: Sequence[Corpus]) -> int | None:
    """Return how many of a benchmark's questions, counted in each language, have a version that is a training question.

    Questions are the same where `tasks.same_text` says so.

    Returns:
        None where the corpora have more than `MOST_QUESTIONS` in the benchmark's languages, counted in each.
    """
    for languages in (None, benchmark.languages):  # those of the benchmark alone where all are too many
        read = [(corpus, corpus.languages if languages is None else languages) for corpus in corpora]
        if sum(_size(corpus, chosen) for corpus, chosen in read) <= MOST_QUESTIONS:
            pairs = (pair for corpus, chosen in read for _, pair in every_version(corpus, languages=chosen))
            return _known(benchmark, {bare(pair.query) for pair in pairs})
    return None


def _size(corpus: Corpus, languages: Collection[str]) -> int:
    return sum(len(corpus.rows(language)) for language in corpus.languages if language in languages)


def shared_questions(benchmark: Benchmark, other: Benchmark) -> int:
    """Return how many of a benchmark's questions, counted in each language, have a version in another benchmark."""
    return _known(benchmark, {bare(query.text) for query in other.asked()})


def _known(benchmark: Benchmark, texts: AbstractSet[str]) -> int:
    asked = benchmark.asked()
    known = {query.id for query in asked if bare(query.text) in texts}
    return sum(query.id in known for query in asked)
