"""What a report says, computed once from result files, and shown by `page` as HTML and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from study.analysis.comparison import compare
from study.analysis.languages import trial_label
from study.analysis.leaderboard import KINDS, Result, ranked, sampling_of
from study.analysis.pairs import choose_pairs
from study.analysis.published import source
from study.analysis.study import Study, StudyError, groups_of, representatives
from study.analysis.tables import Cell, Table, words
from study.pages import charts
from study.pages.benchmark_content import MOST_TRIALS, BenchmarkContent, read_benchmark
from study.pages.chart_style import Spec

_PASSWORD = re.compile(r"(://[^:/@\s]*):[^/@\s]+@")
"""Of a storage's URL."""


@dataclass(frozen=True)
class Content:
    """A whole report."""

    name: str
    facts: dict[str, str]
    objective: str
    benchmarks: tuple[BenchmarkContent, ...]
    learning: list[Spec]
    kinds: tuple[str, ...]
    """Of batches, such as X-Y."""
    shared: str
    """The settings that all trials have alike, as YAML."""
    settings: Table
    """The settings in which trials differ."""
    search_space: str
    """As YAML."""
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
        learning=charts.learning_charts(best[:MOST_TRIALS], histories, study.objective),
        kinds=tuple(sorted({sampling_of(result) for result in results})),
        shared=_yaml(_shared(results)),
        settings=_settings(results),
        search_space=_PASSWORD.sub(r"\1:***@", _yaml(description["search_space"])),
        origins=(
            _origins("Backbones", results, "backbone"),
            _origins("Versions", results, "versions"),
            _origins("Hardware", results, "hardware"),
        ),
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
    best = representatives(groups_of(study.results), study.objective)
    standing = [group for _, group in sorted(best.items(), key=lambda item: (item[0][0], KINDS.index(item[0][1])))]
    for benchmark, comparisons in found.items():
        groups = [group for group in standing if all(benchmark in result["benchmarks"] for result in group.results)]
        yield read_benchmark(study, benchmark, groups, comparisons)


def _shared(results: Sequence[Result]) -> dict[str, Any]:
    """Return the top-level settings that are the same in all trials."""
    first = results[0]["config"]
    return {key: value for key, value in first.items() if all(r["config"].get(key) == value for r in results)}


def _settings(results: Sequence[Result]) -> Table:
    """Return the settings in which trials differ: a row a trial."""
    shared = _shared(results)
    keys = [key for key in results[0]["config"] if key not in shared]
    rows = [
        (
            Cell(str(result["number"]), result["number"]),
            *words(*(_yaml(result["config"].get(key)).removesuffix("...\n").strip() for key in keys)),
        )
        for result in results
    ]
    return Table("Settings in which trials differ", ("trial", *keys), tuple(rows), frozenset(keys))


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None)


def _origins(title: str, results: Sequence[Result], key: str) -> Table:
    """Return what the trials were made with: a row a thing, with the trials where they differ."""
    rows: dict[tuple[str, str], list[int]] = {}
    for result in results:
        for name, value in result.get(key, {}).items():
            shown = "; ".join(value) if isinstance(value, list) else str(value)
            rows.setdefault((name, shown), []).append(result["number"])
    cells = [
        words(name, value, "all" if len(held) == len(results) else ", ".join(map(str, held)))
        for (name, value), held in sorted(rows.items())
    ]
    return Table(title, ("name", "value", "trials"), tuple(cells), frozenset({"name", "value", "trials"}))
