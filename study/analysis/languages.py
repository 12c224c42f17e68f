"""A study by language: names, languages not trained on, scores by query and passage language, rank distance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from babel import Locale

from study.analysis.formats import metric_name, setting, short_names
from study.analysis.groups import HYBRID, Group, sampling_of
from study.analysis.tables import Cell, Table, number_cell
from study.results.trial_result import BenchmarkResult, Scores, TrialResult
from tasks.metric import Metric
from tasks.metrics import language_bias
from tasks.schema import Setting

UNSEEN_MARK = "†"
_ENGLISH = Locale("en").languages


def language_name(code: str, unseen: frozenset[str] = frozenset()) -> str:
    """Return `Thai (th)`, marked if no trial was trained on it; the code alone if CLDR has no name for it."""
    name = f"{_ENGLISH[code]} ({code})" if code in _ENGLISH else code
    return name + UNSEEN_MARK * (code in unseen)


def unseen_languages(results: Iterable[TrialResult], benchmark: str) -> frozenset[str]:
    """Return the benchmark's languages that no trial was trained on; none if none was trained."""
    results = list(results)
    trained = {language for result in results if result.config.steps for language in result.training_languages}
    return frozenset(benchmark_languages(results, benchmark)) - trained if trained else frozenset()


def benchmark_languages(results: Iterable[TrialResult], benchmark: str) -> tuple[str, ...]:
    """Return every query language that some trial was measured in, sorted."""
    measured = (result.benchmarks[benchmark] for result in results if benchmark in result.benchmarks)
    return tuple(sorted({language for scores in measured for language in scores.queries}))


def heat_maps(results: Sequence[TrialResult], benchmark: str, metrics: Sequence[str]) -> dict[str, Any] | None:
    """Return each trial's metrics by query language (rows) and passage language (columns), ready for JSON.

    The diagonal has the monolingual setting. Values are None where a trial was not measured; the result is None if no
    trial was measured on pairs of languages, or in none of the metrics.
    """
    rows = benchmark_languages(results, benchmark)
    tables = {r.number: _pairs(r.benchmarks[benchmark]) for r in results if benchmark in r.benchmarks}
    columns = sorted({passage for table in tables.values() for _, passage in table})
    measured = [name for name in metrics if any(name in v for table in tables.values() for v in table.values())]
    if not measured or not any(query != passage for table in tables.values() for query, passage in table):
        return None
    values = {
        number: {
            metric: [[_rounded(table.get((query, passage), {}).get(metric)) for passage in columns] for query in rows]
            for metric in measured
        }
        for number, table in tables.items()
    }
    return {
        "rows": rows,
        "columns": columns,
        "metrics": {name: metric_name(name) for name in measured},
        "values": values,
    }


def heat_table(result: TrialResult, benchmark: str, metric: str) -> Table:
    """Return one trial's metric by query and passage language."""
    pairs = _pairs(result.benchmarks[benchmark])
    rows, columns = sorted({query for query, _ in pairs}), sorted({passage for _, passage in pairs})
    cells = tuple((Cell(q), *(number_cell(pairs.get((q, p), {}).get(metric), 2) for p in columns)) for q in rows)
    title = f"{metric_name(metric)} of trial {result.number} by language of the query (rows) and of the passages"
    return Table(title, ("query", *columns), cells, frozenset({"query"}))


def language_bias_tables(groups: Sequence[Group], benchmark: str, unseen: frozenset[str]) -> tuple[Table, ...]:
    """Return a table per metric of language bias that was measured: a row per query language, a column per group."""
    tables = (_bias_table(metric, groups, benchmark, unseen) for metric in language_bias())
    return tuple(table for table in tables if table.rows)


def _bias_table(metric: Metric, groups: Sequence[Group], benchmark: str, unseen: frozenset[str]) -> Table:
    columns = [(group, group.by_language(benchmark, Setting.MULTILINGUAL, metric.name)) for group in groups]
    columns = [(group, values) for group, values in columns if values]
    languages = sorted({language for _, values in columns for language in values})
    rows = [
        (Cell(language_name(la, unseen), la), *(number_cell(values.get(la), metric.decimals) for _, values in columns))
        for la in languages
    ]
    headings = (f"{group.backbone_name} {group.label}" for group, _ in columns)
    title = f"{metric.title.capitalize()} by query language: {metric.description}"
    return Table(title, ("language", *headings), tuple(rows), frozenset({"language"}))


def trial_labels(results: Sequence[TrialResult]) -> dict[int, str]:
    """Return, by number, texts that tell trials apart in a list of choices."""
    names = short_names(result.config.backbone for result in results)
    return {result.number: _label(result, names[result.config.backbone]) for result in results}


def _label(result: TrialResult, backbone: str) -> str:
    config, sampling = result.config, sampling_of(result.config, result.training_languages)
    batches = f"{HYBRID}, alpha {setting(config.alpha)}" if sampling == HYBRID else sampling
    return f"#{result.number} · {backbone} · {batches} · seed {config.seed}"


def _pairs(measured: BenchmarkResult) -> dict[tuple[str, str], Scores]:
    own = measured.by_language.get(Setting.MONOLINGUAL, {})
    table = {(language, language): values for language, values in own.items()}
    names = {f"{query}-{passage}": (query, passage) for query in measured.queries for passage in measured.passages}
    return table | {names[pair]: values for pair, values in measured.by_pair.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
