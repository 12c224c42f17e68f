"""The best passages of every query over all languages, as a table that can be kept, and the metrics that need them.

The table has one row for each query and passage:

query_id          string   shared by the language versions of a query
query_language    string
place             int64    1 for the best passage, up to `LENGTH`
passage           int64    a number, the same for all queries of a benchmark
passage_language  string
relevant          bool

Shapes: Q queries, K passages, P pools.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tasks.metric import TopLists
from tasks.metrics import measured_in, metric
from tasks.relevance import Relevance
from tasks.schema import Benchmark, Rows, Setting

LENGTH = 10
"""Passages per query; metrics are named `@10`."""
_NAME = pa.dictionary(pa.int32(), pa.string())
TOP_LISTS = pa.schema(
    {
        "query_id": _NAME,
        "query_language": _NAME,
        "place": pa.int64(),
        "passage": pa.int64(),
        "passage_language": _NAME,
        "relevant": pa.bool_(),
    }
)


def first_passages(benchmark: Benchmark) -> Rows:
    """Return, shape (P), the number of each pool's first passage; its other rows follow."""
    return np.cumsum([0, *(len(pool.passages) for pool in benchmark.pools)])[:-1]


def top_lists_table(benchmark: Benchmark, relevance: Relevance, passage_QK: Rows) -> pa.Table:
    """Return the table of the passages found by a search.

    Args:
        benchmark: the data.
        relevance: its relevant passages.
        passage_QK: numbers of more than `LENGTH` passages of each query, best first; -1 where there are no more.
    """
    first_P = first_passages(benchmark)
    ignored_QK = (passage_QK == relevance.ignored_keys(first_P)[:, None]) | (passage_QK < 0)
    order_QK = np.argsort(ignored_QK, axis=1, kind="stable")[:, :LENGTH]
    kept_QK = ~np.take_along_axis(ignored_QK, order_QK, axis=1)
    query_T, place_T = np.nonzero(kept_QK)
    passage_T = np.take_along_axis(passage_QK, order_QK, axis=1)[kept_QK]
    pool_T = np.searchsorted(first_P, passage_T, side="right") - 1
    everything = int(first_P[-1]) + len(benchmark.pools[-1].passages)
    counts = relevance.grade_T > 0
    relevant = (relevance.query_T * everything + first_P[relevance.pool_T] + relevance.row_T)[counts]
    languages = [benchmark.languages[number] for number in relevance.query_language_Q]
    columns = {
        "query_id": pa.array(_query_ids(benchmark, relevance)).take(pa.array(query_T)),
        "query_language": pa.array(languages).take(pa.array(query_T)),
        "place": pa.array(place_T + 1),
        "passage": pa.array(passage_T),
        "passage_language": pa.array([pool.language for pool in benchmark.pools]).take(pa.array(pool_T)),
        "relevant": pa.array(np.isin(query_T * everything + passage_T, relevant)),
    }
    return pa.table(columns).cast(TOP_LISTS)


def top_list_scores(table: pa.Table) -> pa.Table:
    """Return one row for each query: `query_language`, `query_id`, and a float64 column for each metric."""
    first_T = table["place"].to_numpy() == 1
    list_T = np.cumsum(first_T) - 1
    entry = (list_T, table["place"].to_numpy() - 1)
    languages = sorted({*table["query_language"].unique().to_pylist(), *table["passage_language"].unique().to_pylist()})
    query_language_T, language_T = (_numbers(table[name], languages) for name in ("query_language", "passage_language"))
    question_T = _numbers(table["query_id"], sorted(table["query_id"].unique().to_pylist()))
    shape = (int(first_T.sum()), LENGTH)
    passage_QK, language_QK = np.full((2, *shape), -1)
    passage_QK[entry], language_QK[entry] = table["passage"].to_numpy(), language_T
    relevant_QK = np.zeros(shape, dtype=np.bool_)
    relevant_QK[entry] = table["relevant"].to_numpy()
    lists = TopLists(passage_QK, relevant_QK, language_QK, question_T[first_T], query_language_T[first_T])
    names = {name: table[name].filter(pa.array(first_T)) for name in ("query_language", "query_id")}
    measured = measured_in(Setting.MULTILINGUAL, top_lists=True)
    return pa.table(names | {name: metric(name)(lists) for name in measured})


def _query_ids(benchmark: Benchmark, relevance: Relevance) -> list[str]:
    return [
        query_id
        for number, language in enumerate(benchmark.languages)
        for query_id in benchmark.queries[language].ids(relevance.query_row_Q[relevance.query_language_Q == number])
    ]


def _numbers(column: pa.ChunkedArray, names: Sequence[str]) -> Rows:
    """Return the place of each text of a column among sorted names."""
    return np.searchsorted(np.array(names), np.array(column.to_pylist())).astype(np.int64)
