"""Metrics from positions: the only place where they are computed, from a flat table that can be stored and read again.

The table has one row for each query and relevant passage:

query_id           string   shared by the language versions of a query
query_language     string
passage_language   string   the pool's
pool               string   the relevant passage's own
grade              int64    1 or more
position_in_pool   int64    1-based, among the passages of its pool
position_in_union  int64    1-based, among the passages of all pools; null where that was not measured
document           string   what the query is about (`Benchmark.document_of`); older tables do not have it

Relevant passages of a query whose scores differ by rounding alone may share a position; `query_scores` separates them.
A relevant passage that is not retrieved, because the data lacks it or it is ignored, has the largest int64 as position;
its pool and language are empty where they are not known.

A *list* is what one ranking is scored on: a query against one pool (monolingual, cross-lingual) or against all of them
(multilingual). Shapes: Q lists, R relevant passages of the longest list, T rows of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import pyarrow as pa

from tasks.metric import NOT_RETRIEVED, Lists, distinct_positions
from tasks.metrics import measured_in, metric
from tasks.relevance import Relevance, slots
from tasks.schema import Benchmark, Pool, Rows, Setting, Texts
from tasks.top_lists import top_list_scores

_NAME = pa.dictionary(pa.int32(), pa.string())
POSITIONS = pa.schema(
    {
        "query_id": _NAME,
        "query_language": _NAME,
        "passage_language": _NAME,
        "pool": _NAME,
        "grade": pa.int64(),
        "position_in_pool": pa.int64(),
        "position_in_union": pa.int64(),
        "document": _NAME,
    }
)


@dataclass(frozen=True)
class Scores:
    """A benchmark's figures; what has no value, such as rank distance with single answers, is left out."""

    metrics: dict[str, float] = field(default_factory=dict)
    """`benchmark/setting/metric` -> macro average over languages, in the cross-lingual setting over ordered pairs."""
    by_language: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """Setting -> query language -> metric -> mean over its queries, in the cross-lingual setting over its pairs."""
    by_pair: dict[str, dict[str, float]] = field(default_factory=dict)
    """`ar-de` (Arabic queries, German passages) -> metric -> mean over queries."""


def positions_table(benchmark: Benchmark, relevant: Relevance, in_pool_T: Rows, in_union_T: Rows | None) -> pa.Table:
    """Return the table of the positions of all relevant passages.

    Args:
        benchmark: the data.
        relevant: its relevant passages.
        in_pool_T: their positions, in the order of `relevant`, with ignored passages still in the rankings.
        in_union_T: likewise; None where the union was not measured.
    """
    missing, kept_T = relevant.missing, relevant.grade_T > 0
    lost_M = np.full(len(missing.ids_M), NOT_RETRIEVED)

    def positions(position_T: Rows, list_T: Rows) -> Rows:
        return np.concatenate([_without_ignored(relevant, position_T, list_T)[kept_T], lost_M])

    query_X = np.concatenate([relevant.query_T[kept_T], missing.query_M])
    pool_X = np.concatenate([relevant.pool_T[kept_T], missing.pool_M])
    ids_Q = [
        query_id
        for number, language in enumerate(benchmark.languages)
        for query_id in benchmark.queries[language].ids(relevant.query_row_Q[relevant.query_language_Q == number])
    ]
    languages_Q = pa.array(benchmark.languages).take(pa.array(relevant.query_language_Q))
    pools = [*benchmark.pools, Pool("", "", Texts.of([]))]  # the last stands for UNKNOWN, which is -1
    pool_taken = pa.array(pool_X % len(pools))
    in_pool_X = positions(in_pool_T, relevant.pool_T)
    in_union_X = None if in_union_T is None else positions(in_union_T, np.zeros_like(relevant.pool_T))
    document_of = benchmark.document_of()
    columns = {
        "query_id": pa.array(ids_Q).dictionary_encode().take(pa.array(query_X)),
        "query_language": languages_Q.dictionary_encode().take(pa.array(query_X)),
        "passage_language": pa.array([pool.language for pool in pools]).take(pool_taken),
        "pool": pa.array([pool.name for pool in pools]).take(pool_taken),
        "grade": pa.array(np.concatenate([relevant.grade_T[kept_T], missing.grade_M])),
        "position_in_pool": pa.array(in_pool_X),
        "position_in_union": pa.nulls(len(in_pool_X), pa.int64()) if in_union_X is None else pa.array(in_union_X),
        "document": pa.array([document_of[query_id] for query_id in ids_Q]).dictionary_encode().take(pa.array(query_X)),
    }
    return pa.table(columns).cast(POSITIONS)


def _without_ignored(relevant: Relevance, position_T: Rows, list_T: Rows) -> Rows:
    """Return the positions in rankings without the ignored passages: those behind one move up by one.

    Args:
        relevant: says which passages are ignored, at most one per query.
        position_T: positions in rankings with them.
        list_T: which of its query's rankings a position is in.
    """
    query_I = relevant.query_T[relevant.ignored_T]
    assert len(np.unique(query_I)) == len(query_I), "a query has one id, and a passage is in one pool"
    ignored_Q, ignored_list_Q = np.full((2, len(relevant.query_row_Q)), NOT_RETRIEVED)
    ignored_Q[query_I] = position_T[relevant.ignored_T]
    ignored_list_Q[query_I] = list_T[relevant.ignored_T]
    behind_T = (position_T > ignored_Q[relevant.query_T]) & (list_T == ignored_list_Q[relevant.query_T])
    return np.where(relevant.ignored_T, NOT_RETRIEVED, position_T - behind_T)


def metrics_of(
    positions: pa.Table,
    benchmark: str,
    settings: Sequence[Setting],
    metrics: Sequence[str],
    top_lists: pa.Table | None = None,
) -> Scores:
    """Return the metrics of a benchmark in each setting in which they exist, and those measured automatically.

    Args:
        positions: see `POSITIONS`.
        benchmark: the benchmark's name.
        settings: the settings to score.
        metrics: names of metrics.
        top_lists: the best passages of each query (`tasks.top_lists`), for the metrics that need them.

    Raises:
        TaskError: an unknown metric.
    """
    scores = Scores()
    for setting in settings:
        names = measured_in(setting, metrics)
        values = query_scores(positions, setting, names)
        if not values.num_rows:
            continue
        if setting is Setting.CROSSLINGUAL:
            units = _means(values, ["query_language", "passage_language"], names)
            scores.by_pair.update({"-".join(pair): means for pair, means in units.items()})
        else:
            units = _means(values, ["query_language"], names)
        if top_lists is not None and setting is Setting.MULTILINGUAL:
            more = _means(top_list_scores(top_lists), ["query_language"], measured_in(setting, top_lists=True))
            units = {unit: means | more[unit] for unit, means in units.items()}
        languages = dict.fromkeys(unit[0] for unit in units)
        scores.by_language[setting] = {
            language: _macro([means for unit, means in units.items() if unit[0] == language]) for language in languages
        }
        macro = _macro(list(units.values()))
        scores.metrics.update({f"{benchmark}/{setting}/{name}": value for name, value in macro.items()})
    return scores


def available_metrics(benchmark: Benchmark, relevance: Relevance) -> list[str]:
    """Return which metrics a benchmark's judgements define, as `<setting>/<metric>`, without ranking anything.

    Whether a metric is defined does not depend on the positions, so made-up ones decide it.
    """
    made_up_T = slots(relevance.query_T) + 1
    union = made_up_T if Setting.MULTILINGUAL in benchmark.settings else None
    positions = positions_table(benchmark, relevance, made_up_T, union)
    keys = metrics_of(positions, benchmark.name, benchmark.settings, benchmark.metrics).metrics
    return [key.removeprefix(f"{benchmark.name}/") for key in keys]


def query_scores(positions: pa.Table, setting: Setting, metrics: Sequence[str]) -> pa.Table:
    """Return one row for each list: what names it, and a float64 column for each metric (NaN where it has no value).

    The names are `query_language` and `query_id`, outside the multilingual setting also `passage_language` and `pool`.

    Raises:
        TaskError: an unknown metric.
    """
    import pyarrow.compute as pc  # noqa: PLC0415 - see `tasks.schema`

    if setting is Setting.MULTILINGUAL:
        rows, position, names = positions, "position_in_union", ["query_language", "query_id"]
    else:
        of_setting = pc.equal if setting is Setting.MONOLINGUAL else pc.not_equal
        rows, position = positions.filter(of_setting(*_languages(positions))), "position_in_pool"
        names = ["query_language", "query_id", "passage_language", "pool"]
    assert not rows[position].null_count, f"{position} was not measured"
    list_T, first_Q = _groups(rows, names)
    order = np.argsort(list_T, kind="stable")
    entry = (list_T[order], slots(list_T[order]))
    positions_QR, grades_QR, language_QR = np.zeros((3, len(first_Q), 1 + entry[1].max(initial=0)), dtype=np.int64)
    positions_QR[entry] = rows[position].to_numpy()[order]
    grades_QR[entry] = rows["grade"].to_numpy()[order]
    query_language_T, language_T = _language_numbers(rows)
    language_QR[entry] = language_T[order]
    lists = Lists(distinct_positions(positions_QR), grades_QR, language_QR, query_language_T[first_Q])
    named = {name: rows[name].take(pa.array(first_Q)) for name in names}
    return pa.table(named | {name: metric(name)(lists) for name in metrics})


def _languages(positions: pa.Table) -> list[pa.ChunkedArray]:
    """Return the languages of each row's query and passage."""
    return [positions[name].cast(pa.string()) for name in ("query_language", "passage_language")]


def _language_numbers(positions: pa.Table) -> tuple[Rows, Rows]:
    """Return numbers for the languages of each row's query and passage; equal numbers are equal languages."""
    languages = _languages(positions)
    both = pa.chunked_array([chunk for column in languages for chunk in column.chunks], pa.string())
    numbers = both.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return numbers[: positions.num_rows], numbers[positions.num_rows :]


def _groups(table: pa.Table, names: Sequence[str]) -> tuple[Rows, Rows]:
    """Return the group of each row, equal where all named columns are, and a row of each group."""
    code_T = np.zeros(table.num_rows, dtype=np.int64)
    for name in names:
        column = table[name].combine_chunks().dictionary_encode()
        code_T = code_T * len(column.dictionary) + column.indices.to_numpy()
    _, first_Q, group_T = np.unique(code_T, return_index=True, return_inverse=True)
    return group_T.astype(np.int64), first_Q.astype(np.int64)


def _means(scores: pa.Table, names: Sequence[str], metrics: Sequence[str]) -> dict[tuple[str, ...], dict[str, float]]:
    """Return each metric's mean over the lists that have a value, for each combination of the named columns."""
    unit_Q, first_U = _groups(scores, names)
    units = list(zip(*(scores[name].take(pa.array(first_U)).to_pylist() for name in names), strict=True))
    means: dict[tuple[str, ...], dict[str, float]] = {unit: {} for unit in sorted(units)}
    for name in metrics:
        values_Q = scores[name].to_numpy()
        known_Q = ~np.isnan(values_Q)
        count_U = np.bincount(unit_Q[known_Q], minlength=len(units))
        sum_U = np.bincount(unit_Q[known_Q], values_Q[known_Q], minlength=len(units))
        for i in np.flatnonzero(count_U):
            means[units[i]][name] = float(sum_U[i] / count_U[i])
    return means


def _macro(units: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each metric's mean over the units that have it."""
    names = dict.fromkeys(name for unit in units for name in unit)
    return {name: fmean(unit[name] for unit in units if name in unit) for name in names}
