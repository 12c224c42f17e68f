"""From relevant passages to a counter of their positions, and from the counter to the table of positions.

Shapes: Q queries, R relevant passages of the query that has most, T (query, relevant passage) pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from study.distributed import sum_over_ranks
from study.retrieval.positions import PADDING, PositionCounter, pair_scores
from study.retrieval.stream import Block
from tasks.relevance import Relevance, slots
from tasks.schema import Benchmark, Setting
from tasks.scoring import positions_table


def position_counter(
    relevance: Relevance, query_QD: Tensor, relevant: Sequence[Block], *, union: bool
) -> PositionCounter:
    """Return a counter of the positions of the relevant passages; every process must call this.

    Args:
        relevance: which passages are relevant to which queries.
        query_QD: float32 embeddings of all queries that take part, the same in every process.
        relevant: this process's share of the relevant passages, other passages among them or not.
        union: whether positions in the union of all pools are wanted.
    """
    entry = _entries(relevance)

    def padded(values_T: Tensor) -> Tensor:
        values_QR = torch.full((len(query_QD), int(entry[1].max()) + 1), PADDING, dtype=values_T.dtype)
        values_QR[entry] = values_T.cpu()
        return values_QR.to(query_QD.device)

    pool_QR, row_QR = (padded(torch.from_numpy(values_T)) for values_T in (relevance.pool_T, relevance.row_T))
    return PositionCounter(query_QD, padded(_scores(relevance, query_QD, relevant)), pool_QR, row_QR, union=union)


def measured_positions(benchmark: Benchmark, relevance: Relevance, counter: PositionCounter) -> pa.Table:
    """Return the table of all positions (`tasks.scoring.POSITIONS`); every process must call this."""
    entry = _entries(relevance)
    in_pool_T, in_union_T = (positions_QR.cpu()[entry].numpy() for positions_QR in counter.positions())
    union = Setting.MULTILINGUAL in benchmark.settings
    return positions_table(benchmark, relevance, in_pool_T, in_union_T if union else None)


def _scores(relevance: Relevance, query_QD: Tensor, relevant: Sequence[Block]) -> Tensor:
    """Return the score (T) of each pair, computed by the process that has the passage."""
    score_T = query_QD.new_zeros(len(relevance.query_T))
    for passage_NVD, pool, row_N in relevant:
        place_N = {row: place for place, row in enumerate(row_N.tolist())}
        pairs = np.flatnonzero((relevance.pool_T == pool) & np.isin(relevance.row_T, row_N.cpu().numpy()))
        query_T = torch.from_numpy(relevance.query_T[pairs])
        index_T = torch.tensor([place_N[row] for row in relevance.row_T[pairs].tolist()], dtype=torch.int64)
        score_T[torch.from_numpy(pairs)] = pair_scores(query_QD, query_T, passage_NVD, index_T)
    return sum_over_ranks(score_T)


def _entries(relevance: Relevance) -> tuple[Tensor, Tensor]:
    """Return where in a padded (Q, R) matrix each pair stands."""
    return torch.from_numpy(relevance.query_T), torch.from_numpy(slots(relevance.query_T))
