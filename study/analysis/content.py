"""What a report says, computed once from result files, and shown by `page` as HTML and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from study.analysis import figures
from study.analysis.benchmark_content import BenchmarkContent, read_benchmark
from study.analysis.chart_style import Spec
from study.analysis.comparison import choose_pairs, compare
from study.analysis.groups import groups_of, representatives
from study.analysis.languages import trial_label
from study.analysis.leaderboard import Result, ranked
from study.analysis.published import source
from study.analysis.study import Study, StudyError
from study.analysis.tables import Table, words


@dataclass(frozen=True)
class Content:
    """A whole report."""

    name: str
    facts: dict[str, str]
    objective: str
    benchmarks: tuple[BenchmarkContent, ...]
    learning: list[Spec]
    configuration: str
    """The search space, as YAML."""
    origins: tuple[Table, ...]
    """Versions and hardware."""
    trials: dict[int, str]
    """Number -> label, best first."""
    source: str


def read_content(study: Study) -> Content:
    """Compute a report."""
    results, description = study.results, study.description
    histories = {result["number"]: result["training"].get("history", ()) for result in results}
    best = ranked(results, study.objective)
    return Content(
        name=study.name,
        facts=_facts(study),
        objective=study.objective,
        benchmarks=tuple(_benchmarks(study)),
        learning=figures.learning_charts(results, histories, study.objective),
        configuration=yaml.safe_dump(description["search_space"], sort_keys=False, allow_unicode=True),
        origins=(_origins("Versions", results, "versions"), _origins("Hardware", results, "hardware")),
        trials={result["number"]: trial_label(result) for result in (*best, *(r for r in results if r not in best))},
        source=source(),
    )


def _facts(study: Study) -> dict[str, str]:
    configs = [result["config"] for result in study.results]
    seeds = {config["seed"] for config in configs}
    trained = {la for result in study.results for la in result.get("training_languages", ())}
    return {
        "trials": str(len(configs)),
        "backbones": str(len({config["backbone"] for config in configs})),
        "seeds": str(len(seeds)),
        "training languages": str(len(trained)) if trained else "–",
        "started": str(study.description.get("started", "–"))[:10],
    }


def _benchmarks(study: Study) -> Iterator[BenchmarkContent]:
    try:
        pairs = choose_pairs(study)
    except StudyError:
        pairs = []  # nothing but zero-shot trials, say: the rest of the report stands
    found = {benchmark: compare(study, pairs, benchmark) if pairs else [] for benchmark in study.benchmarks}
    standing = list(representatives(groups_of(study.results), study.objective).values())
    for benchmark, comparisons in found.items():
        groups = [group for group in standing if all(benchmark in result["benchmarks"] for result in group.results)]
        yield read_benchmark(study, benchmark, groups, comparisons)


def _origins(title: str, results: Sequence[Result], key: str) -> Table:
    """Return what the trials were made with: a row a thing, with the trials where they differ."""
    rows: dict[tuple[str, str], list[int]] = {}
    for result in results:
        for name, value in result.get(key, {}).items():
            rows.setdefault((name, str(value)), []).append(result["number"])
    cells = [
        words(name, value, "all" if len(held) == len(results) else ", ".join(map(str, held)))
        for (name, value), held in sorted(rows.items())
    ]
    return Table(title, ("name", "value", "trials"), tuple(cells), frozenset({"name", "value", "trials"}))
