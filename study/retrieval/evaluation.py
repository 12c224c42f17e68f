"""Benchmark -> encode -> positions -> metrics, per language and pair.

Shapes: Q queries, R relevant passages of the query that has most, T (query, relevant passage) pairs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from study.retrieval.encode import TextEncoder
from study.retrieval.positions import PADDING, PositionCounter, relevant_scores
from study.retrieval.stream import Encoding, Progress, Stream
from tasks.relevance import Relevance, relevance, slots
from tasks.schema import Benchmark, Rows, Setting
from tasks.scoring import metrics_of, positions_table


@dataclass(frozen=True)
class Evaluation:
    """What one encoder scores on one benchmark: plain data."""

    benchmark: str
    revision: str
    """Of the data."""
    details: dict[str, str]
    """Protocol switches, such as LAReQA's `context`."""
    metrics: dict[str, float]
    """See `tasks.scoring.Scores`, also for the next two."""
    by_language: dict[str, dict[str, dict[str, float]]]
    by_pair: dict[str, dict[str, float]]
    queries: dict[str, int]
    """Query language -> queries measured."""
    passages: dict[str, int]
    """Language -> passages searched."""
    positions: pa.Table
    """Position of every relevant passage for every query (`tasks.scoring.POSITIONS`)."""

    def describe(self) -> dict[str, Any]:
        """Return everything but the positions, ready for JSON."""
        return {name: value for name, value in vars(self).items() if name != "positions"}


def evaluate(
    encoder: TextEncoder,
    benchmark: Benchmark,
    *,
    token_budget: int = 16_384,
    block_size: int = 8_192,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure an encoder on a benchmark; all processes call this together and get the same answer.

    Args:
        encoder: the same weights in every process; left in evaluation mode.
        benchmark: the same data in every process.
        token_budget: most tokens of one batch, padding included.
        block_size: passages of one process that are held at a time, which bounds memory.
        progress: told how many texts are encoded.

    Raises:
        TaskError: the benchmark's qrels point nowhere, or one of its metrics is unknown.
    """
    found = relevance(benchmark)
    stream = Stream(Encoding(encoder, token_budget, block_size), benchmark, found, progress)
    query_QD, relevant_UD = stream.queries(), stream.relevant()
    union = Setting.MULTILINGUAL in benchmark.settings
    counter = position_counter(found, query_QD, relevant_UD, stream.relevant_T, union=union)
    for block in stream.blocks(relevant_UD):
        counter.add(*block)
    positions = measured_positions(benchmark, found, counter)
    scores = metrics_of(positions, benchmark.name, benchmark.settings, benchmark.metrics)
    queries = Counter(benchmark.languages[i] for i in found.query_language_Q)
    passages: Counter[str] = Counter()
    for pool in (benchmark.pools[i] for i in stream.pools):
        passages[pool.language] += len(pool.passages)
    return Evaluation(
        benchmark=benchmark.name,
        revision=benchmark.revision,
        details=dict(benchmark.details),
        metrics=scores.metrics,
        by_language=scores.by_language,
        by_pair=scores.by_pair,
        queries=dict(queries),
        passages=dict(passages),
        positions=positions,
    )


def position_counter(
    found: Relevance, query_QD: Tensor, relevant_UD: Tensor, relevant_T: Rows, *, union: bool
) -> PositionCounter:
    """Return a counter of the positions of the relevant passages `found`, whose embeddings are known.

    Args:
        found: which passages are relevant.
        query_QD: float32 embeddings of all queries that take part.
        relevant_UD: float32 embeddings of the distinct relevant passages.
        relevant_T: index into U of each pair.
        union: whether positions in the union of all pools are wanted.
    """
    entry = _entries(found)

    def padded(values_T: Rows) -> Tensor:
        values_QR = torch.full((len(query_QD), int(entry[1].max()) + 1), PADDING)
        values_QR[entry] = torch.from_numpy(values_T)
        return values_QR.to(query_QD.device)

    score_QR = relevant_scores(query_QD, relevant_UD, padded(relevant_T))
    return PositionCounter(query_QD, score_QR, padded(found.pool_T), padded(found.row_T), union=union)


def measured_positions(benchmark: Benchmark, found: Relevance, counter: PositionCounter) -> pa.Table:
    """Return the table of all positions (`tasks.scoring.POSITIONS`); every process must call this."""
    entry = _entries(found)
    in_pool_T, in_union_T = (positions_QR.cpu()[entry].numpy() for positions_QR in counter.positions())
    union = Setting.MULTILINGUAL in benchmark.settings
    return positions_table(benchmark, found, in_pool_T, in_union_T if union else None)


def _entries(found: Relevance) -> tuple[Tensor, Tensor]:
    """Return where in a padded (Q, R) matrix each pair stands."""
    return torch.from_numpy(found.query_T), torch.from_numpy(slots(found.query_T))
