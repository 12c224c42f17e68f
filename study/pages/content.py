"""The content of a report, computed once from a study's results; `page` shows it as HTML and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from study.analysis.comparison import Comparison, compare, leading_figures
from study.analysis.formats import NOTHING, key_name
from study.analysis.groups import groups_of, ranked, representatives, sampling_of
from study.analysis.headline import headline
from study.analysis.languages import trial_labels
from study.analysis.pairs import choose_pairs
from study.analysis.published import source
from study.analysis.study import Study
from study.analysis.tables import Table, setting_cell, text_cells
from study.config import SEPARATOR, TrialConfig
from study.config_sections import VALIDATION
from study.pages import charts
from study.pages.benchmark_content import MOST_TRIALS, BenchmarkContent, read_benchmark
from study.pages.chart_style import Spec
from study.pages.trial_detail import UNTRAINED, TrialDetail, read_detail
from study.results.layout import StudyError
from study.results.study_record import without_password
from study.results.trial_result import BackboneRecord, FailedTrial, TrialResult


@dataclass(frozen=True)
class Content:
    """A whole report."""

    name: str
    facts: dict[str, str]
    objective: str
    headline: tuple[str, ...]
    """The answer, in a few sentences."""
    benchmarks: tuple[BenchmarkContent, ...]
    learning: list[Spec]
    selection: tuple[str, ...]
    """The scores that choose checkpoints, in words, where they are not the objective."""
    samplings: tuple[str, ...]
    """Ways to sample batches that the study has, such as X-Y."""
    shared: str
    """The settings that all trials share, as YAML."""
    settings: Table
    """The settings in which trials differ."""
    search_space: str
    """As YAML."""
    origins: tuple[Table, ...]
    """Versions and hardware."""
    trials: dict[int, str]
    """Number -> label, best first."""
    details: tuple[TrialDetail, ...]
    """The best trials, best first."""
    source: str

    @property
    def links(self) -> dict[str, str]:
        """The text of a trial's number -> the address of its details on the page."""
        return {str(detail.number): f"#{detail.anchor}" for detail in self.details}


def read_content(study: Study) -> Content:
    """Compute a report."""
    results = study.results
    histories = {result.number: result.training.history for result in results}
    best = ranked(results, study.objective, study.seeds)
    compared = _compared(study)
    ordered = [*best, *(result for result in results if result not in best)]
    labels, differing = trial_labels(results), _differing(results)
    return Content(
        name=study.name,
        facts=_facts(study),
        objective=study.objective.metric,
        headline=tuple(headline(study, compared, leading_figures(compared, objective=study.objective.metric))),
        benchmarks=tuple(_benchmarks(study, compared)),
        learning=charts.learning_charts(best[:MOST_TRIALS], histories, study.objective.metric),
        selection=_selection(study),
        samplings=tuple(sorted({sampling_of(result.config, result.training_languages) for result in results})),
        shared=_yaml(_shared(results)),
        settings=_settings(results, differing),
        search_space=without_password(_yaml(dict(study.record.search_space))),
        origins=(
            *_failures(study.failed),
            _origins("Backbones", {result.number: _backbone(result.backbone) for result in results}),
            _origins("Versions", {result.number: result.versions for result in results}),
            _origins("Hardware", {result.number: result.hardware for result in results}),
        ),
        trials={result.number: labels[result.number] for result in ordered},
        details=tuple(
            read_detail(result, labels[result.number], study.objective, differing) for result in ordered[:MOST_TRIALS]
        ),
        source=source(),
    )


def _facts(study: Study) -> dict[str, str]:
    configs = [result.config for result in study.results]
    languages = {language for result in study.results for language in result.training_languages}
    return {
        "trials": str(len(configs)),
        **({"failed": str(len(study.failed))} if study.failed else {}),
        "backbones": str(len({config.backbone for config in configs})),
        "seeds": str(len({config.seed for config in configs})),
        "training languages": str(len(languages)) if languages else NOTHING,
        "started": study.record.started[:10] or NOTHING,
    }


def _selection(study: Study) -> tuple[str, ...]:
    """Return the scores that choose checkpoints, in words; none if it is the objective in all trials."""
    trained = [result.config for result in study.results if result.config.steps]
    scores = dict.fromkeys(f"{VALIDATION}{SEPARATOR}{config.validation.metric}" for config in trained)
    return () if set(scores) <= {study.objective.metric} else tuple(map(key_name, scores))


def _failures(failed: Sequence[FailedTrial]) -> Iterator[Table]:
    """Yield a table of the trials that failed and why, if any did."""
    if failed:
        rows = tuple((setting_cell(trial.number), *text_cells(trial.failed)) for trial in failed)
        yield Table("Failed trials", ("trial", "reason"), rows, frozenset({"reason"}))


def _compared(study: Study) -> dict[str, list[Comparison]]:
    """Return the comparisons on every benchmark."""
    try:
        pairs = choose_pairs(study)
    except StudyError:
        pairs = []  # zero-shot trials alone, for example; the rest of the report is still useful
    return {benchmark: compare(study, pairs, benchmark) if pairs else [] for benchmark in study.benchmarks}


def _benchmarks(study: Study, compared: Mapping[str, Sequence[Comparison]]) -> Iterator[BenchmarkContent]:
    best = representatives(groups_of(study.results), study.objective).values()
    for benchmark, comparisons in compared.items():
        groups = [group for group in best if all(benchmark in result.benchmarks for result in group.results)]
        yield read_benchmark(study, benchmark, groups, comparisons)


def _shared(results: Sequence[TrialResult]) -> dict[str, Any]:
    """Return the top-level settings that are the same in all trials, as plain data."""
    first = results[0].config
    names = {name for name in TrialConfig.model_fields if all(_same(r.config, first, name) for r in results)}
    return first.model_dump(mode="json", include=names)


def _same(config: TrialConfig, other: TrialConfig, name: str) -> bool:
    return bool(getattr(config, name) == getattr(other, name))


def _differing(results: Sequence[TrialResult]) -> list[str]:
    """Return the names of the settings in which trials differ."""
    shared = _shared(results)
    return [name for name in TrialConfig.model_fields if name not in shared]


def _settings(results: Sequence[TrialResult], names: Sequence[str]) -> Table:
    """Return the settings in which trials differ, one row per trial."""
    rows = []
    for result in results:
        settings = result.config.model_dump(mode="json")
        shown = settings if result.config.steps else {name: settings[name] for name in UNTRAINED}
        texts = (_yaml(shown[name]).removesuffix("...\n").strip() if name in shown else "–" for name in names)
        rows.append((setting_cell(result.number), *text_cells(*texts)))
    return Table("Settings in which trials differ", ("trial", *names), tuple(rows), frozenset(names))


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None)


def _backbone(record: BackboneRecord) -> dict[str, str | int]:
    facts = record.model_dump(exclude_none=True, exclude={"assumed"})
    return facts | ({"assumed": "; ".join(record.assumed)} if record.assumed else {})


def _origins(title: str, facts: Mapping[int, Mapping[str, str | int]]) -> Table:
    """Return facts about trials, one row per name and value, with the numbers of the trials that have it.

    Args:
        title: the table's.
        facts: trial number -> name -> value.
    """
    rows: dict[tuple[str, str], list[int]] = {}
    for number, values in facts.items():
        for name, value in values.items():
            rows.setdefault((name, str(value)), []).append(number)
    cells = [
        text_cells(name, value, "all" if len(numbers) == len(facts) else ", ".join(map(str, numbers)))
        for (name, value), numbers in sorted(rows.items())
    ]
    return Table(title, ("name", "value", "trials"), tuple(cells), frozenset({"name", "value", "trials"}))
