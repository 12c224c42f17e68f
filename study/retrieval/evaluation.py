"""Benchmark -> encode -> positions -> metrics, per language and pair.

Shapes: Q queries, R relevant passages of the query that has most, T (query, relevant passage) pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from study.distributed import sum_over_ranks
from study.retrieval.encode import Encoding, TextEncoder
from study.retrieval.evaluation_checkpoint import Partial
from study.retrieval.examples import Example, ExampleSearch
from study.retrieval.positions import PADDING, PositionCounter, pair_scores
from study.retrieval.runs import Runs, RunWriter
from study.retrieval.stream import Block, Progress, Stream
from tasks.metrics import metric
from tasks.relevance import Relevance, relevance, slots
from tasks.schema import Benchmark, Pool, Setting
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
    examples: list[Example]
    """What was retrieved for some queries."""

    def describe(self) -> dict[str, Any]:
        """Return everything but what has files of its own, ready for JSON."""
        return {name: value for name, value in vars(self).items() if name not in {"positions", "examples"}}


def evaluate(
    encoder: TextEncoder,
    benchmark: Benchmark,
    encoding: Encoding = Encoding(),  # noqa: B008 (frozen: one for all is fine)
    *,
    progress: Progress | None = None,
    runs: Runs | None = None,
    partial: Path | None = None,
) -> Evaluation:
    """Measure an encoder on a benchmark; all processes call this together and get the same answer.

    Args:
        encoder: the same weights in every process; left in evaluation mode.
        benchmark: the same data in every process.
        encoding: batch and block sizes, and whether long passages are scored by their best window.
        progress: told how many texts are encoded.
        runs: where TREC run files go; without, none are written.
        partial: folder of this model and these settings that keeps a long evaluation's counts, to go on from where it
            was cut short; not used with `runs`, whose lists of passages are kept in memory alone.

    Raises:
        TaskError: the benchmark's qrels point nowhere, or one of its metrics is unknown.
    """
    for name in benchmark.metrics:
        metric(name)  # refuses an unknown one before any work is done
    found = relevance(benchmark)
    stream = Stream(encoder, encoding, benchmark, found, progress)
    query_QD, relevant = stream.queries(), stream.relevant()
    union = Setting.MULTILINGUAL in benchmark.settings
    counter = position_counter(found, query_QD, relevant, union=union)
    shown = ExampleSearch(benchmark, found, query_QD)
    if runs:
        _search(stream, relevant, (counter, shown), RunWriter(runs, benchmark, found, query_QD))
    else:
        kept = Partial(partial, benchmark.name, counter, shown.searches) if partial else None
        _count(stream, relevant, (counter, shown), kept)
    positions = measured_positions(benchmark, found, counter)
    scores = metrics_of(positions, benchmark.name, benchmark.settings, benchmark.metrics)
    return Evaluation(
        benchmark=benchmark.name,
        revision=benchmark.revision,
        details=dict(benchmark.details) | _candidates(benchmark),
        **vars(scores),
        queries=dict(Counter(benchmark.languages[i] for i in found.query_language_Q)),
        passages=_passages([benchmark.pools[i] for i in stream.pools]),
        positions=positions,
        examples=shown.examples(),
    )


_Seen = tuple[PositionCounter, ExampleSearch]
"""Who is shown every passage."""


def _count(stream: Stream, relevant: Sequence[Block], seen: _Seen, partial: Partial | None) -> None:
    """Count every part of the benchmark that is not counted yet."""
    counter, shown = seen
    parts = (part for pool in stream.pools for part in stream.parts(pool, relevant))
    for number, part in enumerate(parts):
        if not partial or number >= partial.parts:
            for block in part.blocks:
                counter.add(*block)
                shown.add(block)
            if partial:
                partial.counted(number + 1)
        stream.advance(part.texts)
    if partial:
        partial.remove()


def _search(stream: Stream, relevant: Sequence[Block], seen: _Seen, writer: RunWriter) -> None:
    """Count, and keep the best passages for run files as well."""
    counter, shown = seen
    for pool in stream.pools:
        writer.begin_pool(pool)
        for part in stream.parts(pool, relevant):
            for block in part.blocks:
                counter.add(*block)
                shown.add(block)
                writer.add(block)
            stream.advance(part.texts)
        writer.finish_pool(pool)
    writer.finish()


def position_counter(found: Relevance, query_QD: Tensor, relevant: Sequence[Block], *, union: bool) -> PositionCounter:
    """Return a counter of the positions of the relevant passages `found`; every process must call this.

    Args:
        found: which passages are relevant to which queries.
        query_QD: float32 embeddings of all queries that take part, the same in every process.
        relevant: this process's share of the relevant passages, other passages among them or not.
        union: whether positions in the union of all pools are wanted.
    """
    entry = _entries(found)

    def padded(values_T: Tensor) -> Tensor:
        values_QR = torch.full((len(query_QD), int(entry[1].max()) + 1), PADDING, dtype=values_T.dtype)
        values_QR[entry] = values_T.cpu()
        return values_QR.to(query_QD.device)

    pool_QR, row_QR = (padded(torch.from_numpy(values_T)) for values_T in (found.pool_T, found.row_T))
    return PositionCounter(query_QD, padded(_scores(found, query_QD, relevant)), pool_QR, row_QR, union=union)


def measured_positions(benchmark: Benchmark, found: Relevance, counter: PositionCounter) -> pa.Table:
    """Return the table of all positions (`tasks.scoring.POSITIONS`); every process must call this."""
    entry = _entries(found)
    in_pool_T, in_union_T = (positions_QR.cpu()[entry].numpy() for positions_QR in counter.positions())
    union = Setting.MULTILINGUAL in benchmark.settings
    return positions_table(benchmark, found, in_pool_T, in_union_T if union else None)


def _scores(found: Relevance, query_QD: Tensor, relevant: Sequence[Block]) -> Tensor:
    """Return the score (T) of each pair, found by the one process that holds the passage."""
    score_T = query_QD.new_zeros(len(found.query_T))
    for passage_NVD, pool, row_N in relevant:
        place_N = {row: place for place, row in enumerate(row_N.tolist())}
        pairs = np.flatnonzero((found.pool_T == pool) & np.isin(found.row_T, row_N.cpu().numpy()))
        query_T = torch.from_numpy(found.query_T[pairs])
        index_T = torch.tensor([place_N[row] for row in found.row_T[pairs].tolist()], dtype=torch.int64)
        score_T[torch.from_numpy(pairs)] = pair_scores(query_QD, query_T, passage_NVD, index_T)
    return sum_over_ranks(score_T)


def _candidates(benchmark: Benchmark) -> dict[str, str]:
    """Return the detail that says how candidates were encoded, if not as passages."""
    return {} if benchmark.candidate_form == "passage" else {"candidates": "encoded as queries"}


def _passages(pools: Iterable[Pool]) -> dict[str, int]:
    """Return the number of passages of each language."""
    count: Counter[str] = Counter()
    for pool in pools:
        count[pool.language] += len(pool.passages)
    return dict(count)


def _entries(found: Relevance) -> tuple[Tensor, Tensor]:
    """Return where in a padded (Q, R) matrix each pair stands."""
    return torch.from_numpy(found.query_T), torch.from_numpy(slots(found.query_T))
