"""A benchmark's texts as embeddings: queries and relevant passages first, then every other passage, block by block.

Shapes: Q queries, U distinct passages that are encoded early, N passages of a block, V windows of a passage, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from study.distributed import world_size
from study.retrieval.encode import Encoding, TextEncoder, encode_passages, encode_together, share
from tasks.relevance import Relevance
from tasks.schema import Benchmark, Rows, Setting

Progress = Callable[[int, int], None]
"""Called in every process: texts encoded so far by all processes, and texts in total.

Exact after every block; within one, after each batch, as if all processes were as far as this one."""


class Block(NamedTuple):
    """This process's share of a block of passages of one pool."""

    passage_NVD: Tensor
    pool: int
    row_N: Tensor
    """Rows in the pool, int64, in any order."""


class Part(NamedTuple):
    """The part of a pool that is encoded and counted at a time."""

    texts: int
    """Texts that all processes encode for it."""
    blocks: Iterator[Block]
    """This process's share; texts are encoded as it is iterated."""


class Stream:
    """Encodes each text of a benchmark once, shared over all processes, which must all make the same calls."""

    def __init__(
        self,
        encoder: TextEncoder,
        encoding: Encoding,
        benchmark: Benchmark,
        relevance: Relevance,
        progress: Progress | None = None,
        sample: Mapping[int, Rows] | None = None,
    ) -> None:
        """Prepare to encode.

        Args:
            encoder: makes the embeddings.
            encoding: how.
            benchmark: whose texts.
            relevance: the relevant passages.
            progress: called after every batch and block.
            sample: pool -> rows that are encoded early, with the relevant passages; pools that no query searches are
                left out.
        """
        self._encoder = encoder
        self._encoding = encoding
        self._benchmark = benchmark
        self._relevance = relevance
        self._progress = progress
        union = Setting.MULTILINGUAL in benchmark.settings
        self.pools = list(range(len(benchmark.pools))) if union else np.unique(relevance.pool_T).tolist()
        """The pools that are searched by some query."""
        early = [np.stack([relevance.pool_T, relevance.row_T])]
        sampled = {pool: rows for pool, rows in (sample or {}).items() if pool in self.pools}
        early += [np.stack([np.full_like(rows, pool), rows]) for pool, rows in sampled.items()]
        self._early_pool_U, self._early_row_U = np.unique(np.concatenate(early, axis=1), axis=1)
        self._done = self._in_block = self._block = 0
        self._total = len(relevance.query_row_Q) + sum(len(benchmark.pools[pool].passages) for pool in self.pools)

    def queries(self) -> Tensor:
        """Return the embeddings (Q, D) of the queries that take part, in every process."""
        texts: list[str] = []
        for number, language in enumerate(self._benchmark.languages):
            rows = self._relevance.query_row_Q[self._relevance.query_language_Q == number]
            texts += self._benchmark.queries[language].texts(rows)
        parts = []
        for span in self._slices(len(texts)):
            self._begin(len(texts[span]))
            budget = self._encoding.token_budget
            parts.append(encode_together(self._encoder, texts[span], "query", budget, self._embedded))
            self.advance(len(parts[-1]))
        return torch.cat(parts)

    def early(self) -> list[Block]:
        """Return this process's share of the relevant passages of all pools, and of the sample."""
        texts: list[str] = []
        for pool in self.pools:
            texts += self._benchmark.pools[pool].passages.texts(self._early_row_U[self._early_pool_U == pool])
        assert len(texts) == len(self._early_row_U), "each early text has its own pool and row"
        blocks: list[Block] = []
        for span in self._slices(len(texts)):
            blocks += self._encoded(texts[span], self._early_pool_U[span], self._early_row_U[span])
            self.advance(len(texts[span]))
        return blocks

    def parts(self, pool: int, early: Sequence[Block]) -> Iterator[Part]:
        """Yield a pool's passages: those of `early` that are in it, then all others, a block per process at a time."""
        yield Part(0, (block for block in early if block.pool == pool))
        passages = self._benchmark.pools[pool].passages
        early_rows = self._early_row_U[self._early_pool_U == pool]
        for span in self._slices(len(passages)):
            rows = np.setdiff1d(np.arange(span.start, span.stop), early_rows, assume_unique=True)
            yield Part(len(rows), self._others(pool, rows))

    def advance(self, texts: int) -> None:
        """Report the progress after `texts` more texts were encoded."""
        self._done += texts
        if self._progress:
            self._progress(self._done, self._total)

    def _begin(self, texts: int) -> None:
        """Prepare to count the texts of a block."""
        self._block, self._in_block = texts, 0

    def _embedded(self, texts: int) -> None:
        """Report the progress within a block; one whose passages have several windows is complete before its end."""
        self._in_block = min(self._in_block + texts * world_size(), self._block)
        if self._progress:
            self._progress(self._done + self._in_block, self._total)

    def _others(self, pool: int, rows: Rows) -> Iterator[Block]:
        passages = self._benchmark.pools[pool].passages
        yield from self._encoded(passages.texts(rows), np.full(len(rows), pool), rows)

    def _encoded(self, texts: Sequence[str], pool_N: Rows, row_N: Rows) -> Iterator[Block]:
        """Yield this process's share of texts that lie in these pools and rows."""
        self._begin(len(texts))
        mine = share(texts)
        own, form = [texts[i] for i in mine], self._benchmark.candidate_form
        for index_N, passage_NVD in encode_passages(self._encoder, own, self._encoding, form, self._embedded):
            mine_N = mine[index_N]
            for pool in np.unique(pool_N[mine_N]):
                of_pool = np.flatnonzero(pool_N[mine_N] == pool)
                row = torch.from_numpy(row_N[mine_N[of_pool]]).to(passage_NVD.device)
                yield Block(passage_NVD[torch.from_numpy(of_pool)], int(pool), row)

    def _slices(self, length: int) -> Iterator[slice]:
        size = self._encoding.block_size * world_size()
        for start in range(0, length, size):
            yield slice(start, min(start + size, length))
