"""A benchmark's texts as embeddings: queries and relevant passages first, then every other passage, block by block.

Shapes: Q queries, U distinct relevant passages, N passages of a block, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from study.distributed import rank, world_size
from study.retrieval.encode import Kind, TextEncoder, encode, encode_together, share
from tasks.relevance import Relevance
from tasks.schema import Benchmark, Rows, Setting

Progress = Callable[[int, int], None]
"""Called in every process after every block with the number of texts encoded so far, by all processes, and in all."""


class Encoding(NamedTuple):
    """How texts become embeddings."""

    encoder: TextEncoder
    token_budget: int
    """Most tokens of a batch, padding included."""
    block_size: int
    """Texts of one process that are held at a time."""


class Block(NamedTuple):
    """This process's share of a block of passages of one pool."""

    passage_ND: Tensor
    pool: int
    row_N: Tensor
    """Rows in the pool, int64, in any order."""


class Stream:
    """Encodes each text of a benchmark once, over all processes; every process walks through it at the same pace."""

    def __init__(self, encoding: Encoding, benchmark: Benchmark, found: Relevance, progress: Progress | None) -> None:
        self._encoding = encoding
        self._benchmark = benchmark
        self._found = found
        self._progress = progress
        union = Setting.MULTILINGUAL in benchmark.settings
        self.pools = list(range(len(benchmark.pools))) if union else np.unique(found.pool_T).tolist()
        """The pools some query competes for."""
        self._done = 0
        self._total = len(found.query_row_Q) + sum(len(benchmark.pools[pool].passages) for pool in self.pools)
        places, index_T = np.unique(np.stack([found.pool_T, found.row_T]), axis=1, return_inverse=True)
        self.relevant_T: Rows = index_T.reshape(-1).astype(np.int64)
        """Index into U of each (query, relevant passage) pair."""
        self._relevant_pool_U, self._relevant_row_U = places

    def queries(self) -> Tensor:
        """Return the embeddings (Q, D) of the queries that take part, in every process."""
        texts: list[str] = []
        for number, language in enumerate(self._benchmark.languages):
            texts += self._benchmark.queries[language].texts(
                self._found.query_row_Q[self._found.query_language_Q == number]
            )
        return self._encode_together(texts, "query")

    def relevant(self) -> Tensor:
        """Return the embeddings (U, D) of all relevant passages, by pool and row, in every process."""
        texts: list[str] = []
        for pool in self.pools:
            rows = self._relevant_row_U[self._relevant_pool_U == pool]
            texts += self._benchmark.pools[pool].passages.texts(rows)
        return self._encode_together(texts, "passage")

    def blocks(self, relevant_UD: Tensor) -> Iterator[Block]:
        """Yield this process's share of every pool: of the relevant passages, known already, and of all others."""
        device = relevant_UD.device
        for pool in self.pools:
            mine = np.flatnonzero(self._relevant_pool_U == pool)[rank() :: world_size()]
            row_N = torch.from_numpy(self._relevant_row_U[mine])
            yield Block(relevant_UD[torch.from_numpy(mine)], pool, row_N.to(device))
            for rows in self._other_rows(pool):
                texts = self._benchmark.pools[pool].passages.texts(rows)
                dealt = share(texts)
                encoder, token_budget, _ = self._encoding
                passage_ND = encode(encoder, [texts[i] for i in dealt], "passage", token_budget)
                yield Block(passage_ND, pool, torch.from_numpy(rows[dealt]).to(device))
                self._advance(len(rows))

    def _other_rows(self, pool: int) -> Iterator[Rows]:
        """Yield the rows of a pool that are relevant to no query, a block of all processes at a time."""
        known = self._relevant_row_U[self._relevant_pool_U == pool]
        for block in self._blocks(len(self._benchmark.pools[pool].passages)):
            rows = np.setdiff1d(np.arange(block.start, block.stop), known, assume_unique=True)
            if len(rows):
                yield rows

    def _encode_together(self, texts: Sequence[str], kind: Kind) -> Tensor:
        encoder, token_budget, _ = self._encoding
        parts = []
        for block in self._blocks(len(texts)):
            parts.append(encode_together(encoder, texts[block], kind, token_budget))
            self._advance(len(parts[-1]))
        return torch.cat(parts)

    def _blocks(self, length: int) -> Iterator[slice]:
        size = self._encoding.block_size * world_size()
        for start in range(0, length, size):
            yield slice(start, min(start + size, length))

    def _advance(self, texts: int) -> None:
        self._done += texts
        if self._progress:
            self._progress(self._done, self._total)
