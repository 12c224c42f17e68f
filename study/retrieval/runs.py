"""TREC run files of an evaluation, each with its qrels.

<folder>/<benchmark>/monolingual/<query language>-<pool>.run   queries of a language against a pool of that language
<folder>/<benchmark>/crosslingual/<query language>-<pool>.run  queries of a language against a pool of another language
<folder>/<benchmark>/multilingual/<query language>.run         queries of a language against the union of all pools

A run has a line for each hit, `query Q0 passage position score tag`; its `.qrels` one for each passage that counts as
relevant in it, `query 0 passage grade`. Scores fall strictly, by the smallest step where passages tie, so that tools
that sort again, and order ties their own way, read the order we mean.

Shapes: Q queries, K hits of a query, T (query, relevant passage) pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from study.config_sections import RunFiles
from study.distributed import rank
from study.retrieval.search import TopK
from study.retrieval.stream import Block
from tasks.plugins import TaskError
from tasks.relevance import Relevance
from tasks.schema import Benchmark, Rows, Setting

_BLOCK = 100_000
"""Ids that are checked at a time."""


class RunWriter:
    """Searches pool after pool, and writes the runs against each, and then against their union (rank 0 writes).

    The benchmark is one that `check_ids` takes.
    """

    def __init__(self, runs: RunFiles, benchmark: Benchmark, relevance: Relevance, query_QD: Tensor) -> None:
        self._runs = runs
        self._benchmark = benchmark
        self._relevance = relevance
        self._query_QD = query_QD
        sizes = [len(pool.passages) for pool in benchmark.pools]
        self._first_P: Rows = np.cumsum([0, *sizes])[:-1]
        """A passage's key is its row plus that of its pool's first passage here."""
        self._kept = runs.depth + benchmark.ignore_identical_ids
        """Passages kept for a query; one may be ignored."""
        self._union = (
            TopK(query_QD, min(self._kept, sum(sizes))) if Setting.MULTILINGUAL in benchmark.settings else None
        )
        self._in_pool: TopK | None = None
        self._competing: Rows = np.empty(0, dtype=np.int64)

    def begin_pool(self, pool: int) -> None:
        """Get ready for the blocks of a pool."""
        self._competing = self._queries_against(pool)
        competing = torch.from_numpy(self._competing)
        kept = min(self._kept, len(self._benchmark.pools[pool].passages))
        self._in_pool = TopK(self._query_QD[competing], kept) if len(competing) else None

    def add(self, block: Block) -> None:
        """Search a block of the current pool."""
        key_N = block.row_N + int(self._first_P[block.pool])
        for search in (self._in_pool, self._union):
            if search:
                search.add(block.passage_NVD, key_N)

    def finish_pool(self, pool: int) -> None:
        """Write the runs against a pool; every process must call this."""
        if self._in_pool:
            self._write(self._in_pool, self._competing, pool)

    def finish(self) -> None:
        """Write the runs against the union; every process must call this."""
        if self._union:
            self._write(self._union, np.arange(len(self._query_QD)), None)

    def _queries_against(self, pool: int) -> Rows:
        """Return the queries whose list against `pool` alone is part of a setting."""
        relevance = self._relevance
        relevant_T = (relevance.pool_T == pool) & (relevance.grade_T > 0)
        query_Q = np.union1d(relevance.query_T[relevant_T], relevance.missing.query_M[relevance.missing.pool_M == pool])
        language = self._benchmark.pools[pool].language
        own_Q = np.array(self._benchmark.languages)[relevance.query_language_Q[query_Q]] == language
        asked = [setting in self._benchmark.settings for setting in (Setting.MONOLINGUAL, Setting.CROSSLINGUAL)]
        return query_Q[np.where(own_Q, *asked)]

    def _write(self, search: TopK, query_Q: Rows, pool: int | None) -> None:
        """Write the runs of all query languages against one pool, or against the union."""
        hits = search.best()
        if rank() > 0:
            return
        score_QK = falling(hits.score_QK)
        language_Q = self._relevance.query_language_Q[query_Q]
        for language in np.unique(language_Q):
            mine = language_Q == language
            ignored_Q = self._relevance.ignored_keys(self._first_P)[query_Q[mine]]
            ranked_QK = (hits.key_QK[mine] >= 0) & (hits.key_QK[mine] != ignored_Q[:, None])
            position_QK = np.cumsum(ranked_QK, axis=1)
            query, place = np.nonzero(ranked_QK & (position_QK <= self._runs.depth))
            queries = self._query_ids(query_Q[mine][query])
            passages = self._passage_ids(hits.key_QK[mine][query, place])
            ranked = zip(queries, passages, position_QK[query, place], score_QK[mine][query, place], strict=True)
            path = self._path(int(language), pool)
            _write_lines(f"{path}.run", (f"{q} Q0 {p} {n} {s:.9g} study" for q, p, n, s in ranked))
            _write_lines(f"{path}.qrels", self._qrels(query_Q[mine], pool))

    def _qrels(self, query_Q: Rows, pool: int | None) -> Iterator[str]:
        relevance = self._relevance
        counts_T = (
            np.isin(relevance.query_T, query_Q)
            & ((relevance.pool_T == pool) | (pool is None))
            & (relevance.grade_T > 0)
        )
        queries = self._query_ids(relevance.query_T[counts_T])
        passages = self._passage_ids(self._first_P[relevance.pool_T[counts_T]] + relevance.row_T[counts_T])
        for query, passage, grade in zip(queries, passages, relevance.grade_T[counts_T], strict=True):
            yield f"{query} 0 {passage} {grade}"
        missing = relevance.missing
        lost = np.flatnonzero(np.isin(missing.query_M, query_Q) & ((missing.pool_M == pool) | (pool is None)))
        for query, m in zip(self._query_ids(missing.query_M[lost]), lost.tolist(), strict=True):
            yield f"{query} 0 {missing.ids_M[m]} {missing.grade_M[m]}"

    def _path(self, language: int, pool: int | None) -> Path:
        """Return the path of a run file without its suffix."""
        folder, name = self._runs.folder / self._benchmark.name, self._benchmark.languages[language]
        if pool is None:
            return folder / Setting.MULTILINGUAL / name
        passages = self._benchmark.pools[pool]
        setting = Setting.MONOLINGUAL if passages.language == name else Setting.CROSSLINGUAL
        return folder / setting / f"{name}-{passages.name}"

    def _query_ids(self, query_X: Rows) -> list[str]:
        """Return the ids of queries of one language."""
        if not len(query_X):
            return []
        language = self._benchmark.languages[int(self._relevance.query_language_Q[query_X[0]])]
        return self._benchmark.queries[language].ids(self._relevance.query_row_Q[query_X])

    def _passage_ids(self, key_X: Rows) -> list[str]:
        """Return the ids of passages of any pools."""
        ids: npt.NDArray[np.object_] = np.empty(len(key_X), dtype=object)
        pool_X = np.searchsorted(self._first_P, key_X, side="right") - 1
        for pool in np.unique(pool_X):
            of_pool = pool_X == pool
            ids[of_pool] = self._benchmark.pools[pool].passages.ids(key_X[of_pool] - self._first_P[pool])
        found: list[str] = ids.tolist()
        return found


def falling(score_QK: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return scores lowered by as little as makes each strictly smaller than the one before."""
    lowered = score_QK.copy()
    for k in range(1, lowered.shape[1]):
        lowered[:, k] = np.minimum(lowered[:, k], np.nextafter(lowered[:, k - 1], np.float32(-np.inf)))
    return lowered


def check_ids(benchmark: Benchmark, relevance: Relevance) -> None:
    """Refuse ids with white space in them, which parts the columns of a run, of what a run may hold.

    Raises:
        TaskError: a query or passage has such an id.
    """
    broken = next((i for ids in _ids(benchmark, relevance) for i in ids if len(i.split()) != 1), None)
    if broken is not None:
        raise TaskError(
            f"benchmark '{benchmark.name}': id '{broken}' has white space in it, which a TREC run file cannot hold: "
            "rename it in the data, or leave --runs out"
        )


def _ids(benchmark: Benchmark, relevance: Relevance) -> Iterator[Iterable[str]]:
    """Yield the ids of queries that take part and passages they search, a block at a time: there may be millions."""
    yield [query.id for query in benchmark.asked()]
    in_union = Setting.MULTILINGUAL in benchmark.settings
    searched = range(len(benchmark.pools)) if in_union else np.unique(relevance.pool_T).tolist()
    for texts in (benchmark.pools[pool].passages for pool in searched):
        for start in range(0, len(texts), _BLOCK):
            yield texts.ids(np.arange(start, min(start + _BLOCK, len(texts))))
    yield benchmark.missing


def _write_lines(name: str, lines: Iterable[str]) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    partial = Path(f"{name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    partial.replace(name)
