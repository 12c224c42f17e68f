"""Where the relevant passages lie: qrels resolved to pools and rows.

Shapes: Q queries that take part, T (query, passage) pairs, M (query, missing relevant passage) pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.plugins import TaskError
from tasks.schema import Benchmark, Pool, Rows, Setting

UNKNOWN = -1
"""The pool of a missing passage whose language is not known; it counts in the union of all pools alone."""


class TwoPoolsError(TaskError):
    """One id of passages of two pools."""

    def __init__(self, passage: str, pools: tuple[str, str], sources: Sequence[str] = ()) -> None:
        """Create the error from the id and the two pools, or their `sources` if known."""
        both = " and in ".join(sources or (f"the corpus of {pool}" for pool in pools))
        super().__init__(
            f"passage '{passage}' is both in {both}: give each passage an id of its own, or each language its own qrels"
        )
        self.passage, self.pools = passage, pools


class Missing(NamedTuple):
    """Relevant passages that are in no pool and count as not retrieved."""

    query_M: Rows
    """Index into Q."""
    pool_M: Rows
    """Index into `benchmark.pools`, or `UNKNOWN`."""
    grade_M: Rows
    """1 or more."""
    ids_M: list[str]
    """Passage ids."""


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
    """1 or more; 0 for a passage that is only here to be left out of its query's rankings."""
    ignored_T: npt.NDArray[np.bool_]
    """Whether the passage is left out of its query's rankings (`Benchmark.ignore_identical_ids`)."""
    missing: Missing

    def ignored_keys(self, first_P: Rows) -> Rows:
        """Return, for each query (Q), its ignored passage as its row plus its pool's entry of `first_P`; -1 if none."""
        key_Q = np.full(len(self.query_row_Q), -1)
        key_Q[self.query_T[self.ignored_T]] = (first_P[self.pool_T] + self.row_T)[self.ignored_T]
        return key_Q


class _Pair(NamedTuple):
    query: int
    pool: int
    row: int
    grade: int
    is_ignored: bool


class _MissingPair(NamedTuple):
    query: int
    pool: int
    grade: int
    passage: str


def relevance(benchmark: Benchmark) -> Relevance:
    """Resolve the qrels of a benchmark.

    A query takes part where it has a relevant passage that counts in one of the benchmark's settings: in a pool of its
    own language for the monolingual, of another for the cross-lingual, in any for the multilingual.

    Raises:
        TaskError: a relevant passage is in two pools, or in none and not listed as missing, or no query takes part.
    """
    places, pool_of_missing = _places(benchmark), _pool_of_missing(benchmark)
    counted = [_counted_pools(benchmark, language) for language in benchmark.languages]
    queries: list[tuple[int, int]] = []
    pairs: list[_Pair] = []
    missing: list[_MissingPair] = []
    for language, row, query in _queries(benchmark):
        number, before = len(queries), len(pairs) + len(missing)
        for passage, grade in sorted(benchmark.qrels.get(query, {}).items(), key=lambda item: places.get(item[0], ())):
            pool, passage_row = places.get(passage, (pool_of_missing.get(passage, UNKNOWN), None))
            if not counted[language][pool]:
                continue
            if passage_row is None:
                missing.append(_MissingPair(number, pool, grade, passage))
            else:
                ignored = benchmark.ignore_identical_ids and passage == query
                pairs.append(_Pair(number, pool, passage_row, grade, ignored))
        if len(pairs) + len(missing) > before:
            queries.append((language, row))
            if benchmark.ignore_identical_ids and query in places and query not in benchmark.qrels[query]:
                pairs.append(_Pair(number, *places[query], 0, True))
    if not any(pair.grade for pair in pairs):
        raise TaskError(f"benchmark '{benchmark.name}': no query has a relevant passage in any pool it is measured on")
    query_language_Q, query_row_Q = np.array(queries, dtype=np.int64).T
    query_T, pool_T, row_T, grade_T, ignored_T = np.array(pairs, dtype=np.int64).T
    return Relevance(
        query_language_Q, query_row_Q, query_T, pool_T, row_T, grade_T, ignored_T.astype(np.bool_), _columns(missing)
    )


def slots(list_T: Rows) -> Rows:
    """Return each entry's place in its list, from 0; entries of one list stand together, lists are numbered from 0."""
    length_Q = np.bincount(list_T)
    return np.arange(len(list_T)) - np.repeat(np.cumsum(length_Q) - length_Q, length_Q)


def locate(pools: Sequence[Pool], passages: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return the pool and row of each passage that is in a pool.

    Raises:
        TwoPoolsError: an id is in two pools.
    """
    places: dict[str, tuple[int, int]] = {}
    for number, pool in enumerate(pools):
        rows = pool.passages.rows_of(passages)
        for i in np.flatnonzero(rows >= 0).tolist():
            first, _ = places.setdefault(passages[i], (number, int(rows[i])))
            if first != number:
                raise TwoPoolsError(passages[i], (pools[first].name, pool.name))
    return places


def missing_error(benchmark: str, passage: str, query: str) -> TaskError:
    """Return the error of a relevant passage that is in no pool."""
    return TaskError(
        f"benchmark '{benchmark}': passage '{passage}', relevant to query '{query}', is in no pool: add it to the "
        "corpus, or set the option `missing: count`, which counts such passages as not retrieved"
    )


def _counted_pools(benchmark: Benchmark, query_language: str) -> list[bool]:
    """Return whether passages of each pool count for queries of a language; the last entry is for `UNKNOWN`, -1."""
    union = Setting.MULTILINGUAL in benchmark.settings
    own = [Setting.MONOLINGUAL if query_language == pool.language else Setting.CROSSLINGUAL for pool in benchmark.pools]
    return [union or setting in benchmark.settings for setting in own] + [union]


def _queries(benchmark: Benchmark) -> Iterator[tuple[int, int, str]]:
    """Yield every query's language, row and id."""
    for number, language in enumerate(benchmark.languages):
        ids = benchmark.queries[language].ids()
        assert len(set(ids)) == len(ids), f"benchmark '{benchmark.name}': a query id twice in {language}"
        for row, query in enumerate(ids):
            yield number, row, query


def _places(benchmark: Benchmark) -> dict[str, tuple[int, int]]:
    """Return pool and row of every relevant passage, and of passages with the id of a query if they are ignored."""
    query_of = {passage: query for _, _, query in _queries(benchmark) for passage in benchmark.qrels.get(query, ())}
    asked = {query for _, _, query in _queries(benchmark)} if benchmark.ignore_identical_ids else set()
    places = locate(benchmark.pools, sorted(query_of.keys() | asked))
    for passage, query in query_of.items():
        if passage not in places and passage not in benchmark.missing:
            raise missing_error(benchmark.name, passage, query)
    return places


def _pool_of_missing(benchmark: Benchmark) -> dict[str, int]:
    """Return the pool of each missing passage, or `UNKNOWN`.

    Raises:
        TaskError: the pool is unknown, but a setting is measured in which it decides what a passage counts for.
    """
    number_of = {pool.name: number for number, pool in enumerate(benchmark.pools)}
    pool_of = {passage: UNKNOWN if pool is None else number_of[pool] for passage, pool in benchmark.missing.items()}
    unknown = next((passage for passage, pool in pool_of.items() if pool == UNKNOWN), None)
    if unknown is not None and set(benchmark.settings) != {Setting.MULTILINGUAL}:
        raise TaskError(
            f"benchmark '{benchmark.name}': passage '{unknown}' is in no corpus, so its language is unknown: measure "
            "with `settings: [multilingual]` alone, or add it to a corpus"
        )
    return pool_of


def _columns(missing: Sequence[_MissingPair]) -> Missing:
    query_M, pool_M, grade_M = np.array([pair[:3] for pair in missing], dtype=np.int64).reshape(-1, 3).T
    return Missing(query_M, pool_M, grade_M, [pair.passage for pair in missing])
