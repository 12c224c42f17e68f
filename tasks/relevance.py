"""Where the relevant passages lie: qrels resolved to pools and rows.

Shapes: Q queries that take part, T (query, relevant passage) pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.plugins import TaskError
from tasks.schema import Benchmark, Rows, Setting


@dataclass(frozen=True)
class Relevance:
    """The queries that take part, by language and row, and their relevant passages, by query, pool and row."""

    query_language_Q: Rows
    """Index into `benchmark.languages`."""
    query_row_Q: Rows
    """Row in that language's queries."""
    query_T: Rows
    """Index into Q, ascending."""
    pool_T: Rows
    """Index into `benchmark.pools`."""
    row_T: Rows
    """Row in that pool's passages."""
    grade_T: Rows
    """1 or more."""


def relevance(benchmark: Benchmark) -> Relevance:
    """Resolve the qrels of a benchmark.

    A query takes part where it has a relevant passage that counts in one of the benchmark's settings: in a pool of its
    own language for the monolingual, of another for the cross-lingual, in any for the multilingual.

    Raises:
        TaskError: a relevant passage is in no pool, or no query takes part.
    """
    places = _places(benchmark)
    queries: list[tuple[int, int]] = []
    pairs: list[tuple[int, int, int, int]] = []
    for language, row, query in _queries(benchmark):
        own = benchmark.languages[language]
        found = [(*places[passage], grade) for passage, grade in benchmark.qrels.get(query, {}).items()]
        counted = sorted(place for place in found if _counts(benchmark, own, benchmark.pools[place[0]].language))
        pairs += [(len(queries), *place) for place in counted]
        queries += [(language, row)] if counted else []
    if not queries:
        raise TaskError(f"benchmark '{benchmark.name}': no query has a relevant passage in any pool it is measured on")
    return Relevance(*np.array(queries, dtype=np.int64).T, *np.array(pairs, dtype=np.int64).T)


def slots(list_T: Rows) -> Rows:
    """Return each entry's place in its list, from 0; entries of one list stand together, lists are numbered from 0."""
    length_Q = np.bincount(list_T)
    return np.arange(len(list_T)) - np.repeat(np.cumsum(length_Q) - length_Q, length_Q)


def _counts(benchmark: Benchmark, query_language: str, passage_language: str) -> bool:
    own = Setting.MONOLINGUAL if query_language == passage_language else Setting.CROSSLINGUAL
    return own in benchmark.settings or Setting.MULTILINGUAL in benchmark.settings


def _queries(benchmark: Benchmark) -> Iterator[tuple[int, int, str]]:
    """Yield every query's language, row and id."""
    for number, language in enumerate(benchmark.languages):
        for row, query in enumerate(benchmark.queries[language].ids()):
            yield number, row, query


def _places(benchmark: Benchmark) -> dict[str, tuple[int, int]]:
    """Return pool and row of every relevant passage of the queries at hand."""
    query_of = {passage: query for _, _, query in _queries(benchmark) for passage in benchmark.qrels.get(query, ())}
    wanted = sorted(query_of)
    places: dict[str, tuple[int, int]] = {}
    for number, pool in enumerate(benchmark.pools):
        rows = pool.passages.rows_of(wanted)
        places |= {wanted[i]: (number, int(rows[i])) for i in np.flatnonzero(rows >= 0)}
    if len(places) < len(wanted):
        lost = next(passage for passage in wanted if passage not in places)
        raise TaskError(
            f"benchmark '{benchmark.name}': passage '{lost}', relevant to query '{query_of[lost]}', is in no pool"
        )
    return places
