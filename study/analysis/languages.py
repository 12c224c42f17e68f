"""What a study says language by language: names, which were not trained on, query x passage language, rank distance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from babel import Locale

from study.analysis.leaderboard import Result, metric_name, sampling_of
from study.analysis.study import Group
from study.analysis.tables import Cell, Table, figure
from tasks.metrics import Metric, language_bias
from tasks.schema import Setting

UNSEEN_MARK = "†"
_ENGLISH = Locale("en").languages


def language_name(code: str, unseen: frozenset[str] = frozenset()) -> str:
    """Return `Thai (th)`, with a mark where no trial was trained on it; the code alone where CLDR has no name."""
    name = f"{_ENGLISH[code]} ({code})" if code in _ENGLISH else code
    return name + UNSEEN_MARK * (code in unseen)


def unseen_languages(results: Iterable[Result], benchmark: str) -> frozenset[str]:
    """Return the benchmark's languages that no trial was trained on; none if none was trained."""
    results = list(results)
    trained = {la for result in results if result["config"]["steps"] for la in result.get("training_languages", ())}
    return frozenset(benchmark_languages(results, benchmark)) - trained if trained else frozenset()


def benchmark_languages(results: Iterable[Result], benchmark: str) -> tuple[str, ...]:
    """Return every query language that some trial was measured in, sorted."""
    measured = (result["benchmarks"].get(benchmark, {"queries": ()}) for result in results)
    return tuple(sorted({language for one in measured for language in one["queries"]}))


def heat_maps(results: Sequence[Result], benchmark: str, metrics: Sequence[str]) -> dict[str, Any] | None:
    """Return each trial's metrics by query language (rows) and passage language (columns), ready for JSON.

    On the diagonal a query competes for passages of its own language; None where something was not measured, and
    instead of everything where no trial has pairs of languages.
    """
    rows = benchmark_languages(results, benchmark)
    tables = {r["number"]: _pairs(r["benchmarks"][benchmark]) for r in results if benchmark in r["benchmarks"]}
    columns = sorted({passage for table in tables.values() for _, passage in table})
    held = [metric for metric in metrics if any(metric in v for table in tables.values() for v in table.values())]
    if not any(query != passage for table in tables.values() for query, passage in table):
        return None
    values = {
        number: {
            metric: [[_held(table.get((query, passage), {}).get(metric)) for passage in columns] for query in rows]
            for metric in held
        }
        for number, table in tables.items()
    }
    return {"rows": rows, "columns": columns, "metrics": {m: metric_name(m) for m in held}, "values": values}


def heat_table(result: Result, benchmark: str, metric: str) -> Table:
    """Return one trial's metric by query and passage language."""
    pairs = _pairs(result["benchmarks"][benchmark])
    rows, columns = sorted({query for query, _ in pairs}), sorted({passage for _, passage in pairs})
    cells = tuple((Cell(q), *(figure(pairs.get((q, p), {}).get(metric), 2) for p in columns)) for q in rows)
    title = f"{metric_name(metric)} of trial {result['number']} by language of the query (rows) and of the passages"
    return Table(title, ("query", *columns), cells, frozenset({"query"}))


def language_bias_tables(groups: Sequence[Group], benchmark: str, unseen: frozenset[str]) -> tuple[Table, ...]:
    """Return, per metric of language bias, each group's values by query language; groups side by side."""
    return tuple(_bias_table(metric, groups, benchmark, unseen) for metric in language_bias())


def _bias_table(metric: Metric, groups: Sequence[Group], benchmark: str, unseen: frozenset[str]) -> Table:
    values = [(group, group.by_language(benchmark, Setting.MULTILINGUAL, metric.name)) for group in groups]
    values = [(group, by) for group, by in values if by]
    languages = sorted({language for _, by in values for language in by})
    rows = [
        (Cell(language_name(la, unseen), la), *(figure(by.get(la), metric.decimals) for _, by in values))
        for la in languages
    ]
    names = (f"{group.backbone} {group.label}" for group, _ in values)
    title = f"{metric.title.capitalize()} by query language: {metric.description}"
    return Table(title, ("language", *names), tuple(rows), frozenset({"language"}))


def trial_label(result: Result) -> str:
    """Return what tells a trial from the others in a list of choices."""
    config = result["config"]
    alpha = config["alpha"] if not isinstance(config["alpha"], dict) else "scheduled"
    kind = sampling_of(result)
    shown = f"hybrid, alpha {alpha:g}" if kind == "hybrid" and isinstance(alpha, float) else kind
    return f"#{result['number']} · {config['backbone']} · {shown} · seed {config['seed']}"


def _pairs(measured: dict[str, Any]) -> dict[tuple[str, str], dict[str, float]]:
    own = measured["by_language"].get(Setting.MONOLINGUAL, {})
    table = {(language, language): values for language, values in own.items()}
    for pair, values in measured["by_pair"].items():
        query, _, passage = pair.partition("-")
        table[query, passage] = values
    return table


def _held(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
