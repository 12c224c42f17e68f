"""The part of a report on one benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from study.analysis.best_text import best_tables, curve_sentence, front_sentence
from study.analysis.comparison import Comparison, leading_figures, measured_groups
from study.analysis.curves import Curve, read_curves, read_fronts
from study.analysis.groups import Group, ranked
from study.analysis.languages import (
    benchmark_languages,
    heat_maps,
    heat_table,
    language_bias_tables,
    language_name,
    trial_labels,
    unseen_languages,
)
from study.analysis.leaderboard import trials_table
from study.analysis.published import published_tables
from study.analysis.shown_metrics import quality_metrics
from study.analysis.study import Study
from study.analysis.tables import Table
from study.analysis.verdict import badge, differences_table, languages_table, sentence, untested_sentences
from study.pages import charts
from study.pages.chart_style import Spec
from study.pages.forest_charts import forest_charts
from study.results.layout import EXAMPLES
from study.results.trial_result import BenchmarkResult, TrialResult
from tasks.metrics import language_bias
from tasks.schema import UNANSWERED

MOST_TRIALS = 100
"""Heat maps and learning curves take most of the page's size: they are shown for this many of the best trials."""
_CHARACTERS = 300
"""Length to which retrieved passages are cut, to keep the page small."""


@dataclass(frozen=True)
class Verdict:
    """A sentence of the answer, and its judgement in a word or two."""

    text: str
    badge: str


@dataclass(frozen=True)
class BenchmarkContent:
    """Everything about one benchmark."""

    name: str
    facts: dict[str, str]
    leaderboard: Table
    verdicts: tuple[Verdict, ...]
    differences: tuple[Table, ...]
    by_language: tuple[Table, ...]
    language_bias: tuple[Table, ...]
    """One per metric."""
    heat: Table | None
    """Scores of the best trial by query and passage language."""
    heat_maps: dict[str, Any] | None
    published: tuple[Table, ...]
    published_languages: tuple[Table, ...]
    charts: dict[str, list[Spec]]
    """By section, or `section/metric` where there is one for each metric."""
    alpha_lines: dict[str, str]
    """Settings of a line in the charts against alpha -> its dashes."""
    unseen: tuple[str, ...]
    languages: dict[str, str]
    """Code -> name, with a mark where unseen."""
    examples: list[dict[str, Any]]
    """Trials, each with its `label` and its `queries`."""

    def charts_by_metric(self, section: str) -> dict[str, list[Spec]]:
        """Return the charts of a section by metric."""
        parts = {key.partition("/"): specs for key, specs in self.charts.items()}
        return {metric: specs for (name, _, metric), specs in parts.items() if name == section}


def read_benchmark(
    study: Study, name: str, groups: Sequence[Group], comparisons: Sequence[Comparison]
) -> BenchmarkContent:
    """Compute the part of a report on one benchmark.

    Args:
        study: the study.
        name: the benchmark.
        groups: the group of each backbone and sampling, all measured on the benchmark.
        comparisons: comparisons on the benchmark.
    """
    results = [result for result in study.results if name in result.benchmarks]
    unseen = unseen_languages(results, name)
    languages = {la: language_name(la, unseen) for la in benchmark_languages(results, name)}
    figure = leading_figures({name: comparisons}, objective=study.objective.metric).get(name)
    curves = read_curves(study, name, figure)
    led = [comparison for comparison in comparisons if figure in comparison.overall] if figure else []
    best = ranked(results, study.objective, study.seeds) or results
    metrics = quality_metrics(results, name)
    measured = measured_groups(study, name)
    heat = heat_maps(best[:MOST_TRIALS], name, metrics)
    return BenchmarkContent(
        name=name,
        facts=_benchmark_facts([result.benchmarks[name] for result in results]),
        leaderboard=_figures_first(trials_table(results, study.objective, name, study.seeds)),
        verdicts=tuple(_verdicts(study, comparisons, curves, name)),
        differences=(*best_tables(curves, figure), *(differences_table(one) for one in comparisons)),
        by_language=tuple(languages_table(each, figure) for each in led if figure),
        language_bias=language_bias_tables(groups, name, unseen),
        heat=heat_table(best[0], name, next(iter(heat["metrics"]))) if heat else None,
        heat_maps=heat,
        published=published_tables(measured, name, study.objective),
        published_languages=published_tables(measured, name, study.objective, by_language=True),
        charts={
            **_quality_charts(results, curves, name, metrics),
            **_bias_charts(groups, name, languages),
            "forest": forest_charts([one for one in comparisons if one.overall]),
        },
        alpha_lines=charts.alpha_lines(results),
        unseen=tuple(sorted(unseen)),
        languages=languages,
        examples=list(_examples(study, groups, name)),
    )


def _figures_first(table: Table) -> Table:
    """Return a table of trials with the settings after the figures, as a phone shows the first few columns.

    Settings that all trials share are in its title instead.
    """
    texts = {heading: {row[place].text for row in table.rows} for place, heading in enumerate(table.headings)}
    shared = {name for name in table.settings if len(table.rows) > 1 and len(texts[name]) == 1}
    shown = [place for place, heading in enumerate(table.headings) if heading not in shared]
    order = sorted(shown, key=lambda place: table.headings[place] in table.settings)
    common = [f"{heading} {next(iter(texts[heading]))}" for heading in table.headings if heading in shared]
    return replace(
        table,
        title="; all have ".join((table.title, *([", ".join(common)] if common else []))),
        headings=tuple(table.headings[place] for place in order),
        rows=tuple(tuple(row[place] for place in order) for row in table.rows),
    )


def _benchmark_facts(measured: Sequence[BenchmarkResult]) -> dict[str, str]:
    """Return what was measured; all trials read the same data, and may have been measured otherwise on it."""
    first = measured[0]
    keys = dict.fromkeys(key for each in measured for key in each.details)
    facts = {key: {each.details.get(key, "") for each in measured} for key in keys}
    facts.get(UNANSWERED, set[str]()).discard("")  # results of earlier versions do not tell it
    return {
        "queries": f"{sum(first.queries.values()):,}",
        "passages": f"{sum(first.passages.values()):,}",
        "query languages": str(len(first.queries)),
        **{
            key: next(iter(values)) if len(values) == 1 else "not the same for all trials"
            for key, values in facts.items()
        },
        "revision": first.revision[:12],
    }


def _verdicts(study: Study, comparisons: Sequence[Comparison], curves: Sequence[Curve], name: str) -> Iterator[Verdict]:
    """Yield the answer: leads over the baselines, the best settings, and the Pareto front."""
    figure = leading_figures({name: comparisons}, objective=study.objective.metric).get(name)
    for one in comparisons:
        if figure in one.overall:
            yield Verdict(sentence(one, figure), badge(one.pair, one.overall[figure], figure.metric))
    yield from (Verdict(curve_sentence(curve), "best") for curve in curves if curve.figure == figure)
    fronts = [front for front in read_fronts(study, name) if any(front.dominated.values())]
    yield from (Verdict(front_sentence(front), "front") for front in fronts)
    yield from (Verdict(untested, "not tested") for untested in untested_sentences(comparisons))


def _quality_charts(
    results: Sequence[TrialResult], curves: Sequence[Curve], name: str, metrics: Sequence[str]
) -> dict[str, list[Spec]]:
    alpha = {metric: charts.alpha_charts(results, name, metric, curves) for metric in metrics}
    tradeoff = {metric: charts.tradeoff_chart(results, name, metric) for metric in metrics}
    return {
        **{f"alpha/{metric}": specs for metric, specs in alpha.items() if specs},
        **{f"tradeoff/{metric}": [spec] for metric, spec in tradeoff.items() if spec},
    }


def _bias_charts(groups: Sequence[Group], name: str, languages: Mapping[str, str]) -> dict[str, list[Spec]]:
    bias = {f"bias/{m.title}": charts.language_bias_charts(m, groups, name, languages) for m in language_bias()}
    return {key: specs for key, specs in bias.items() if specs}


def _examples(study: Study, groups: Sequence[Group], benchmark: str) -> Iterator[dict[str, Any]]:
    """Yield what the first trial of each group retrieved, with passages cut short."""
    labels = trial_labels(study.results)
    firsts = ranked((group.results[0] for group in groups), study.objective)
    for first in firsts:
        queries = study.attachment(first.number, EXAMPLES).get(benchmark, [])
        if queries:
            cut = [query | {"retrieved": [_cut(passage) for passage in query["retrieved"]]} for query in queries]
            yield {"number": first.number, "label": labels[first.number], "queries": cut}


def _cut(passage: dict[str, Any]) -> dict[str, Any]:
    text = passage["text"]
    return passage | {"text": text if len(text) <= _CHARACTERS else text[:_CHARACTERS].rstrip() + "…"}
