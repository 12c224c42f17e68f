"""Exact positions of the relevant passages, by counting, summed over shards.

A relevant passage's position is 1 + the number of passages ahead of it: those that score higher for the query, and of
those that tie with it the ones with a smaller (pool, row). Scores within `TIE` of each other are ties: a few float32
steps of a unit dot product, so that copies of one passage tie however a matrix product happens to be blocked. A passage
is never ahead of itself. Counts need no sort, no cut-off and no passage kept, and they add up over blocks, pools and
processes.

A passage may have several embeddings, one for each of its windows; it then scores as its best one does (localized
relevance matching, arXiv 2112.11031).

Shapes: Q queries, N passages of a block, V windows of each, D width, R relevant passages of the query that has most.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from study.distributed import sum_over_ranks

TIE = 1e-6
PADDING = -1
"""Stands for the pool and row where a query has fewer than R relevant passages."""

_PAIRS_AT_ONCE = 1024


class Tile(NamedTuple):
    """Scores that are computed at a time."""

    queries: int
    windows: int

    @classmethod
    def on(cls, device: torch.device) -> Tile:
        """Return what suits a device: 2 MiB that stay in a CPU's cache, or 128 MiB that keep a GPU busy."""
        return cls(512, 1_024) if device.type == "cpu" else cls(4_096, 8_192)


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute float32 matrix products in float32, not in TF32 or bfloat16, whatever precision training has set."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class PositionCounter:
    """Counts, block by block, the passages ahead of every relevant passage: in its own pool and in the union of pools.

    Every process adds its own passages; together they add each passage of the benchmark exactly once, the relevant ones
    included.
    """

    def __init__(self, query_QD: Tensor, score_QR: Tensor, pool_QR: Tensor, row_QR: Tensor, *, union: bool) -> None:
        """Start at zero.

        Args:
            query_QD: unit-norm float32 embeddings, on the device that counts.
            score_QR: float32 scores of the relevant passages, as `pair_scores` gives them.
            pool_QR: int64 pool of each relevant passage; `PADDING` where there is none.
            row_QR: int64 row of each relevant passage in its pool; `PADDING` where there is none.
            union: whether to count positions in the union too; otherwise a query is only scored against the pools that
                hold its relevant passages.
        """
        assert query_QD.dtype == score_QR.dtype == torch.float32
        self._query_QD = query_QD
        self._pool_QR = pool_QR
        self._row_QR = row_QR
        self._above_QR = torch.where(pool_QR == PADDING, torch.inf, score_QR + TIE)
        self._tied_QR = torch.where(pool_QR == PADDING, torch.inf, score_QR - TIE)
        self._union = union
        self._ahead_in_pool_QR = torch.zeros_like(pool_QR)
        self._ahead_in_union_QR = torch.zeros_like(pool_QR)

    def add(self, passage_NVD: Tensor, pool: int, row_N: Tensor) -> None:
        """Count a block of passages of one pool; `row_N` holds their rows in it, in any order."""
        assert passage_NVD.dtype == torch.float32
        query_index = self._competing(pool)
        with full_precision():
            for index_Q in torch.split(query_index, Tile.on(passage_NVD.device).queries):
                own_QR = self._pool_QR[index_Q] == pool
                ahead_QR = self._count(index_Q, own_QR, passage_NVD, pool, row_N)
                self._ahead_in_pool_QR[index_Q] += ahead_QR * own_QR
                self._ahead_in_union_QR[index_Q] += ahead_QR

    def asked(self) -> tuple[Tensor, ...]:
        """Return what decides the counts besides the passages: queries, and scores and places of relevant passages."""
        return self._query_QD, self._above_QR, self._pool_QR, self._row_QR

    @property
    def counts(self) -> tuple[Tensor, Tensor]:
        """This process's counts so far, (Q, R) in the own pool and in the union; can be set to restore a counter."""
        return self._ahead_in_pool_QR, self._ahead_in_union_QR

    @counts.setter
    def counts(self, counts: tuple[Tensor, Tensor]) -> None:
        self._ahead_in_pool_QR, self._ahead_in_union_QR = (count_QR.to(self._pool_QR.device) for count_QR in counts)

    def positions(self) -> tuple[Tensor, Tensor]:
        """Return the int64 positions (Q, R) in the own pool and in the union; 0 where there is no relevant passage.

        Every process must call this, and gets the same answer. Without `union` the second is all 0.
        """
        in_pool_QR, in_union_QR = (
            torch.where(self._pool_QR == PADDING, 0, 1 + sum_over_ranks(ahead_QR.clone()))
            for ahead_QR in (self._ahead_in_pool_QR, self._ahead_in_union_QR)
        )
        return in_pool_QR, in_union_QR if self._union else torch.zeros_like(in_union_QR)

    def _competing(self, pool: int) -> Tensor:
        """Return the queries that compete for the passages of `pool`."""
        if self._union:
            return torch.arange(len(self._query_QD), device=self._query_QD.device)
        return (self._pool_QR == pool).any(dim=1).nonzero().squeeze(1)

    def _count(self, index_Q: Tensor, own_QR: Tensor, passage_NVD: Tensor, pool: int, row_N: Tensor) -> Tensor:
        """Return how many of the passages are ahead of each relevant passage of the queries `index_Q`."""
        query_QD, tied_QR, above_QR = self._query_QD[index_Q], self._tied_QR[index_Q], self._above_QR[index_Q]
        # Ties are lost to rows below the bound: to all passages of an earlier pool, to none of a later one.
        bound_QR = torch.where(self._pool_QR[index_Q] > pool, torch.iinfo(torch.int64).max, 0)
        bound_QR = torch.where(own_QR, self._row_QR[index_Q], bound_QR)
        limit_QR = torch.where(bound_QR > 0, tied_QR, above_QR)
        has_own_R = own_QR.any(dim=0).tolist()
        ahead_QR = torch.zeros_like(bound_QR)
        passages_per_tile = max(1, Tile.on(passage_NVD.device).windows // passage_NVD.shape[1])
        tiles = (torch.split(passage_NVD, passages_per_tile), torch.split(row_N, passages_per_tile))
        for tile_NVD, tile_N in zip(*tiles, strict=True):
            score_QN = _best_window_scores(query_QD, tile_NVD)
            mask_QN = torch.empty_like(score_QN)
            for r, has_own in enumerate(has_own_R):
                limit = limit_QR[:, r, None]
                if has_own:
                    limit = torch.where(tile_N < bound_QR[:, r, None], tied_QR[:, r, None], above_QR[:, r, None])
                elif not self._union:
                    continue
                # A float mask: adding it up is several times faster than adding up booleans, and exact below 2^24.
                ahead_QR[:, r] += torch.gt(score_QN, limit, out=mask_QN).sum(dim=1).long()
        return ahead_QR


def pair_scores(query_QD: Tensor, query_T: Tensor, passage_NVD: Tensor, index_T: Tensor) -> Tensor:
    """Return the float32 scores (T) of pairs of queries and passages, given by their indices."""
    score_T = query_QD.new_empty(len(query_T))
    for tile_T in torch.split(torch.arange(len(query_T)), _PAIRS_AT_ONCE):
        score_TV = (query_QD[query_T[tile_T], None] * passage_NVD[index_T[tile_T]]).sum(dim=-1)
        score_T[tile_T] = score_TV.amax(dim=1)
    return score_T


def _best_window_scores(query_QD: Tensor, passage_NVD: Tensor) -> Tensor:
    """Return the scores (Q, N) of each passage's best window."""
    score_QM = query_QD @ passage_NVD.flatten(0, 1).T
    assert score_QM.dtype == torch.float32, "positions are counted outside autocast"
    windows = passage_NVD.shape[1]
    return score_QM if windows == 1 else score_QM.unflatten(1, (-1, windows)).amax(dim=2)
