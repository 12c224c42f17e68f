"""What a search space would select by, or train on, that it reports or validates on: as far as names and options tell.

Texts tell more (`study.runtime.data_checks`), but not that a question is the translation of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from study.config import TrialConfig
from study.config_sections import CorpusConfig
from study.corpora import HELD_OUT

_PARALLEL = frozenset({"factbook", HELD_OUT, "mlqa_r", "xquad_r"})
"""Benchmarks that ask the same questions in each language."""
_MAY_BE_PARALLEL = frozenset({"local", "mteb"})
"""Benchmarks that read data sets of either kind."""
_CHOICE = frozenset({"languages", "language", "columns", "rows"})
"""Options that choose a part of a corpus's data, and do not say where it lies."""


def leak(trials: Iterable[TrialConfig]) -> str | None:
    """Return what is wrong with the first trial that selects by, or trains on, what it must not; None if none does."""
    for trial in trials:
        if problem := _translated(trial) or _not_held_out(trial):
            return problem
    return None


def _translated(trial: TrialConfig) -> str | None:
    """Return that validation and a reported benchmark are versions of the same questions in other languages."""
    validation = trial.validation.benchmark
    if validation.name not in _PARALLEL:
        return None
    for benchmark in trial.benchmarks:
        same = _without_languages(benchmark.options) == _without_languages(validation.options)
        if benchmark.name == validation.name and same:
            return (
                f"trial.validation.benchmark: '{validation.name}' is also reported, and differs in 'languages' alone: "
                "its questions in one language are translations of those in another, and selection never sees what is "
                "reported: validate on a development split or on another benchmark"
            )
    return None


def perhaps_translated(trial: TrialConfig) -> str:
    """Return a sentence where a trial is validated on a data set that it reports in other languages; else nothing."""
    validation = trial.validation.benchmark
    for benchmark in trial.benchmarks:
        same = _without_languages(benchmark.options) == _without_languages(validation.options)
        if benchmark.name == validation.name and same and validation.name in _MAY_BE_PARALLEL:
            return (
                f"validation: benchmark '{validation.key}' reads the data of the reported '{benchmark.key}' in other "
                "languages: if its questions are translations of each other, selection sees what is reported: validate "
                "on another benchmark"
            )
    return ""


def _without_languages(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options without `languages`, in those of a corpus too that rows are held out of."""
    return {
        key: _without_languages(value) if isinstance(value, Mapping) else value
        for key, value in options.items()
        if key != "languages"
    }


def _not_held_out(trial: TrialConfig) -> str | None:
    """Return that a corpus holds out other rows than a benchmark `held_out` measures of the same data."""
    if not trial.steps:
        return None
    for benchmark in (trial.validation.benchmark, *trial.benchmarks):
        source = benchmark.options.get("corpus")
        if benchmark.name != HELD_OUT or not isinstance(source, Mapping):
            continue
        options = {key: value for key, value in source.items() if key not in CorpusConfig.model_fields}
        place, rows = _place(source.get("name"), options), source.get("held_out")
        for corpus in trial.corpora:
            if _place(corpus.name, corpus.options) == place and corpus.held_out != rows:
                return (
                    f"trial.corpora: '{corpus.name}' reads the data that benchmark '{benchmark.key}' holds out {rows} "
                    f"rows of, and holds out {corpus.held_out}: write held_out: {rows} there too, so that what is "
                    "measured is not trained on"
                )
    return None


def _place(name: object, options: Mapping[str, Any]) -> tuple[object, dict[str, Any]]:
    """Return where the data of a corpus lies; corpora of two names may read one file."""
    where = {key: value for key, value in options.items() if key not in _CHOICE}
    return (None if "path" in where else name), where
