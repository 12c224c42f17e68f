"""Examples of what an encoder retrieves for a few queries of each language, for people to read; no metric uses them.

Shapes: Q queries, K passages retrieved for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from study.retrieval.search import TopK
from study.retrieval.stream import Block
from tasks.relevance import Relevance
from tasks.schema import Benchmark, Rows, Setting

EACH, RETRIEVED = 3, 5
"""Queries per language, and passages retrieved for each; so few that searching for them takes next to no time."""
Example = dict[str, Any]
"""`query_id`, `query_language`, `query`; `retrieved`: each passage's `language`, `text`, `score` and `relevant`."""


class ExampleSearch:
    """Searches with a few queries, the same in every trial, in the pools that they compete in."""

    def __init__(self, benchmark: Benchmark, relevance: Relevance, query_QD: Tensor) -> None:
        """Choose the queries; `query_QD` holds the embeddings of all that take part."""
        self._benchmark = benchmark
        self._relevance = relevance
        self._first_P: Rows = np.cumsum([0, *(len(pool.passages) for pool in benchmark.pools)])
        """A passage's key is its row plus that of its pool's first passage here."""
        self._query_Q = chosen(relevance)
        self._groups: dict[frozenset[int], list[int]] = {}
        """Pools -> chosen queries whose list, in the widest setting, is ranked over them."""
        for query in self._query_Q.tolist():
            self._groups.setdefault(self._pools(query), []).append(query)
        kept = RETRIEVED + benchmark.ignore_identical_ids  # one may be ignored
        self.searches = {pools: TopK(query_QD[torch.tensor(queries)], kept) for pools, queries in self._groups.items()}
        """By the pools they search."""

    def _pools(self, query: int) -> frozenset[int]:
        """Return all pools for a multilingual benchmark, else those that hold the query's relevant passages."""
        if Setting.MULTILINGUAL in self._benchmark.settings:
            return frozenset(range(len(self._benchmark.pools)))
        return frozenset(self._relevance.pool_T[self._relevance.query_T == query].tolist())

    def add(self, block: Block) -> None:
        """Search a block of this process's passages."""
        for pools, search in self.searches.items():
            if block.pool in pools:
                search.add(block.passage_NVD, block.row_N + int(self._first_P[block.pool]))

    def examples(self) -> list[Example]:
        """Return what was retrieved, by language; every process must call this, and gets the same answer."""
        hits = {pools: search.best() for pools, search in self.searches.items()}
        made = {
            query: self._example(query, hits[pools].key_QK[place].tolist(), hits[pools].score_QK[place].tolist())
            for pools, queries in self._groups.items()
            for place, query in enumerate(queries)
        }
        return [made[query] for query in self._query_Q.tolist()]

    def _example(self, query: int, keys: list[int], scores: list[float]) -> Example:
        language = self._benchmark.languages[int(self._relevance.query_language_Q[query])]
        row, queries = self._relevance.query_row_Q[[query]], self._benchmark.queries[language]
        (query_id,), (text,) = queries.ids(row), queries.texts(row)
        ignored = self._relevance.ignored_keys(self._first_P[:-1])[query]
        kept = [(key, score) for key, score in zip(keys, scores, strict=True) if key >= 0 and key != ignored]
        retrieved = list(self._retrieved(query_id, kept[:RETRIEVED]))
        return {"query_id": query_id, "query_language": language, "query": text, "retrieved": retrieved}

    def _retrieved(self, query_id: str, hits: list[tuple[int, float]]) -> Iterator[dict[str, Any]]:
        for key, score in hits:
            number = int(np.searchsorted(self._first_P, key, side="right")) - 1
            pool, row = self._benchmark.pools[number], np.array([key - self._first_P[number]])
            (passage_id,), (text,) = pool.passages.ids(row), pool.passages.texts(row)
            relevant = passage_id in self._benchmark.qrels[query_id]
            yield {"language": pool.language, "text": text, "score": round(score, 4), "relevant": relevant}


def chosen(relevance: Relevance) -> Rows:
    """Return a few queries of each language, spread evenly over them: parallel data gives the same questions in all."""
    picked = []
    for language in np.unique(relevance.query_language_Q):
        query_X = np.flatnonzero(relevance.query_language_Q == language)
        place = (np.arange(EACH) + 0.5) * len(query_X) / EACH
        picked.append(query_X[np.unique(place.astype(np.int64))])
    return np.concatenate(picked)
