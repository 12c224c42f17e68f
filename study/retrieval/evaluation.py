"""Evaluate an encoder on a benchmark: encode, count positions, compute metrics by language and pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from study.config_sections import CentringConfig, RunFiles
from study.results.trial_result import BenchmarkResult
from study.retrieval.centring import LanguageMeans, View, centred, evenly_spaced
from study.retrieval.encode import Encoding, TextEncoder
from study.retrieval.evaluation_checkpoint import Partial
from study.retrieval.examples import Example, ExampleSearch
from study.retrieval.relevant_positions import measured_positions, position_counter
from study.retrieval.runs import RunWriter
from study.retrieval.search import TopK
from study.retrieval.stream import Block, Progress, Stream
from tasks.metrics import metric
from tasks.relevance import Relevance
from tasks.relevance import relevance as resolve
from tasks.schema import Benchmark, Pool, Rows, Setting
from tasks.scoring import metrics_of
from tasks.top_lists import LENGTH, first_passages, top_lists_table


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one encoder on one benchmark, as plain data."""

    benchmark: str
    """The benchmark's name, followed by `@centred` or the like where embeddings were centred."""
    revision: str
    """Revision of the data."""
    details: dict[str, str]
    """Protocol switches, such as LAReQA's `context`."""
    metrics: dict[str, float]
    """See `tasks.scoring.Scores`, also for the next two."""
    by_language: dict[str, dict[str, dict[str, float]]]
    by_pair: dict[str, dict[str, float]]
    queries: dict[str, int]
    """Query language -> number of queries."""
    passages: dict[str, int]
    """Language -> number of passages searched."""
    positions: pa.Table
    """Position of every relevant passage for every query (`tasks.scoring.POSITIONS`)."""
    examples: list[Example]
    """The passages retrieved for some queries."""
    top_lists: pa.Table | None
    """The best passages of every query (`tasks.top_lists.TOP_LISTS`), if they were searched."""

    def result(self) -> BenchmarkResult:
        """Return everything that has no file of its own."""
        return BenchmarkResult(**{name: getattr(self, name) for name in BenchmarkResult.model_fields})


class Centring(NamedTuple):
    """A centring to measure beside the embeddings as they are."""

    config: CentringConfig
    means: LanguageMeans
    """Means of other texts; languages that are missing are estimated on the benchmark."""


class Extras(NamedTuple):
    """Measurements that take time of their own and are left out by default."""

    centrings: Sequence[Centring] = ()
    """The same in every process."""
    top_lists: bool = False
    """Whether to search the best passages of every query over all languages."""


class Outputs(NamedTuple):
    """Files that an evaluation writes while it reads the passages; none by default."""

    runs: RunFiles | None = None
    """TREC run files."""
    partial: Path | None = None
    """Folder of this model and these settings that keeps the counts of a long evaluation, from which it continues when
    it was interrupted; the caller removes it. Not used with `runs`, whose lists of passages are in memory alone."""


def evaluate(
    encoder: TextEncoder,
    benchmark: Benchmark,
    encoding: Encoding = Encoding(),  # noqa: B008 (frozen, so one instance serves all calls)
    *,
    progress: Progress | None = None,
    outputs: Outputs = Outputs(),  # noqa: B008
) -> Evaluation:
    """Measure an encoder on a benchmark with its embeddings as they are; see `evaluate_views`."""
    (evaluation,) = evaluate_views(encoder, benchmark, encoding, progress=progress, outputs=outputs)
    return evaluation


def evaluate_views(
    encoder: TextEncoder,
    benchmark: Benchmark,
    encoding: Encoding,
    extras: Extras = Extras(),  # noqa: B008
    *,
    progress: Progress | None = None,
    outputs: Outputs = Outputs(),  # noqa: B008
) -> list[Evaluation]:
    """Measure an encoder on a benchmark with its embeddings as they are, then with each centring.

    All processes call this together and return the same. Each text is encoded once, whatever the number of centrings;
    each centring takes the time of one more scoring of all passages.

    Args:
        encoder: the same weights in every process; left in evaluation mode.
        benchmark: the same data in every process.
        encoding: batch and block sizes, and whether long passages are scored by their best window.
        extras: further measurements.
        progress: called with the number of texts encoded.
        outputs: files to write on the way.

    Raises:
        TaskError: the benchmark's qrels point nowhere, or one of its metrics is unknown.
    """
    for name in benchmark.metrics:
        metric(name)  # refuses an unknown one before any work is done
    relevance = resolve(benchmark)
    stream = Stream(encoder, encoding, benchmark, relevance, progress, _sample(benchmark, extras.centrings))
    query_QD, early = stream.queries(), stream.early()
    views = [View("", {}, query_QD)]
    views += [centred(one.config, one.means, benchmark, relevance, query_QD, early) for one in extras.centrings]
    rankings = [Ranking(view, benchmark, relevance, early, outputs.runs) for view in views]
    if extras.top_lists and Setting.MULTILINGUAL in benchmark.settings:
        for ranking in rankings:
            ranking.search_top_lists()
    counters = [ranking.counter for ranking in rankings]
    searches = [search for ranking in rankings for search in ranking.searches()]
    partial = Partial(None if outputs.runs else outputs.partial, benchmark, counters, searches)
    _read(stream, early, rankings, partial)
    passages = _passages([benchmark.pools[i] for i in stream.pools])
    return [ranking.evaluation(passages) for ranking in rankings]


class Ranking:
    """Counts and lists kept while passages are read, for one view of the embeddings."""

    def __init__(
        self, view: View, benchmark: Benchmark, relevance: Relevance, early: Sequence[Block], runs: RunFiles | None
    ) -> None:
        """Start without passages; every process must call this."""
        self._benchmark = replace(
            benchmark,
            name=benchmark.name + view.label,
            details=dict(benchmark.details) | _candidates(benchmark) | dict(view.details),
        )
        self._view = view
        self._relevance = relevance
        union = Setting.MULTILINGUAL in benchmark.settings
        relevant = [self._viewed(block) for block in early]
        self.counter = position_counter(relevance, view.query_QD, relevant, union=union)
        self.examples = ExampleSearch(self._benchmark, relevance, view.query_QD)
        self._writer = RunWriter(runs, self._benchmark, relevance, view.query_QD) if runs else None
        self._first_P = first_passages(benchmark)
        self._top: TopK | None = None

    def search_top_lists(self) -> None:
        """Search the best passages of every query too, one more than are kept as one may be ignored."""
        self._top = TopK(self._view.query_QD, LENGTH + 1)

    def searches(self) -> list[TopK]:
        """Return the searches under way."""
        return [*self.examples.searches.values(), *([self._top] if self._top else [])]

    def begin_pool(self, pool: int) -> None:
        """Prepare for the blocks of a pool."""
        if self._writer:
            self._writer.begin_pool(pool)

    def add(self, block: Block) -> None:
        """Count and search a block of this process's passages."""
        viewed = self._viewed(block)
        self.counter.add(*viewed)
        self.examples.add(viewed)
        if self._top:
            self._top.add(viewed.passage_NVD, viewed.row_N + int(self._first_P[block.pool]))
        if self._writer:
            self._writer.add(viewed)

    def finish_pool(self, pool: int) -> None:
        """Write the runs against a pool; every process must call this."""
        if self._writer:
            self._writer.finish_pool(pool)

    def evaluation(self, passages: dict[str, int]) -> Evaluation:
        """Return the metrics once all passages are added; every process must call this."""
        if self._writer:
            self._writer.finish()
        benchmark, relevance = self._benchmark, self._relevance
        positions = measured_positions(benchmark, relevance, self.counter)
        top_lists = top_lists_table(benchmark, relevance, self._top.best().key_QK) if self._top else None
        return Evaluation(
            benchmark=benchmark.name,
            revision=benchmark.revision,
            details=dict(benchmark.details),
            **vars(metrics_of(positions, benchmark.name, benchmark.settings, benchmark.metrics, top_lists)),
            queries=dict(Counter(benchmark.languages[i] for i in relevance.query_language_Q)),
            passages=passages,
            positions=positions,
            examples=self.examples.examples(),
            top_lists=top_lists,
        )

    def _viewed(self, block: Block) -> Block:
        return self._view.passages(block, self._benchmark.pools[block.pool])


def _sample(benchmark: Benchmark, centrings: Sequence[Centring]) -> dict[int, Rows]:
    """Return, by pool, the passages that means are estimated on."""
    sample: dict[int, Rows] = {}
    for number, pool in enumerate(benchmark.pools):
        wanted = [one.config.texts for one in centrings if pool.language not in one.means.candidates(benchmark)]
        rows = [evenly_spaced(len(pool.passages), texts) for texts in wanted]
        if rows:
            sample[number] = np.unique(np.concatenate(rows))
    return sample


def _read(stream: Stream, early: Sequence[Block], rankings: Sequence[Ranking], partial: Partial) -> None:
    """Read every part of the benchmark that is not counted yet."""
    number = 0
    for pool in stream.pools:
        for ranking in rankings:
            ranking.begin_pool(pool)
        for part in stream.parts(pool, early):
            number += 1
            if number > partial.parts:
                for block in part.blocks:
                    for ranking in rankings:
                        ranking.add(block)
                partial.counted(number)
            stream.advance(part.texts)
        for ranking in rankings:
            ranking.finish_pool(pool)
    partial.complete()


def _candidates(benchmark: Benchmark) -> dict[str, str]:
    """Return the detail that says how candidates were encoded, if not as passages."""
    return {} if benchmark.candidate_form == "passage" else {"candidates": "encoded as queries"}


def _passages(pools: Iterable[Pool]) -> dict[str, int]:
    """Return the number of passages of each language."""
    count: Counter[str] = Counter()
    for pool in pools:
        count[pool.language] += len(pool.passages)
    return dict(count)
