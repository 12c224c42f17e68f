"""Count the contents of a benchmark by language: shown by `study.fetch --check`."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from tasks.schema import Benchmark


class Contents(NamedTuple):
    """Counts of one language, or of all."""

    language: str
    """Empty where the data does not say."""
    queries: int
    passages: int
    judged: int
    """Queries with a relevant passage."""
    missing: int
    """Relevant passages that are in no corpus."""
    copies: int
    """Rows that repeat a query, passage or judgement; they are read once."""
    empty: int
    """Passages without text."""


def contents(benchmark: Benchmark) -> list[Contents]:
    """Return the counts of each language, sorted; `missing` needs a benchmark that was read with `missing: count`."""
    language_of = {pool.name: pool.language for pool in benchmark.pools}
    passages, missing, copies, empty = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for pool in benchmark.pools:
        passages[pool.language] += len(pool.passages)
        empty[pool.language] += pool.passages.empty()
    for name in benchmark.missing.values():
        missing[language_of.get(name or "", "")] += 1
    for name, rows in benchmark.copies.items():
        copies[language_of.get(name, name)] += rows
    languages = {*benchmark.queries, *passages, *+missing, *+copies}
    return [
        Contents(
            language,
            len(benchmark.queries.get(language, ())),
            passages[language],
            _judged(benchmark, language),
            missing[language],
            copies[language],
            empty[language],
        )
        for language in sorted(languages, key=lambda language: (not language, language))
    ]


def total(rows: list[Contents]) -> Contents:
    """Return the sums over all languages."""
    return Contents("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))


def _judged(benchmark: Benchmark, language: str) -> int:
    table = benchmark.queries.get(language)
    return sum(bool(benchmark.qrels.get(query)) for query in table.ids()) if table else 0


def same_texts(benchmark: Benchmark) -> dict[str, int]:
    """Return the languages in which passages have the text of another, with their number.

    Such passages tie. If only one of them is judged relevant, its position depends on the order of the data, and the
    others count as wrong.
    """
    found = Counter[str]()
    for pool in benchmark.pools:
        found[pool.language] += pool.passages.repeated()
    return {language: count for language, count in sorted(found.items()) if count}
