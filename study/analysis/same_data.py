"""Whether all trials of a study have read the same data."""

from __future__ import annotations

from collections.abc import Iterable

from study.config_sections import BenchmarkConfig, CorpusConfig
from study.results import layout
from study.results.layout import StudyError
from study.results.trial_result import TrialResult

Source = BenchmarkConfig | CorpusConfig
"""Where data comes from, as in a search space."""


def revisions(results: Iterable[TrialResult]) -> list[tuple[Source, str, int]]:
    """Return every benchmark that trials were measured or validated on, and every corpus that they were trained on.

    Returns:
        Where the data comes from, its revision when the trial read it, and the trial's number.
    """
    read: list[tuple[Source, str, int]] = []
    for result in results:
        measured = [benchmark for benchmark in result.config.benchmarks if benchmark.key in result.benchmarks]
        read += [(one, result.benchmarks[one.key].revision, result.number) for one in measured]
        trained = zip(result.config.corpora, result.corpora, strict=False)  # zero-shot trials have no records
        read += [(corpus, record.revision, result.number) for corpus, record in trained]
        if result.validation_revision:
            read.append((result.config.validation.benchmark, result.validation_revision, result.number))
    return read


def title(source: Source) -> str:
    """Return a benchmark or a corpus as messages call it, with its path if it has one."""
    name = f"corpus '{source.name}'" if isinstance(source, CorpusConfig) else f"benchmark '{source.key}'"
    path = source.options.get("path")
    return f"{name} ({path})" if path else name


def check_same_data(folder: str, results: Iterable[TrialResult]) -> None:
    """Refuse trials for which one benchmark or corpus had different content.

    Raises:
        StudyError: naming the benchmark or corpus, and the trials that read each content of it.
    """
    trials: dict[tuple[str, str], dict[str, list[int]]] = {}
    for source, revision, number in revisions(results):
        trials.setdefault((title(source), repr(source)), {}).setdefault(revision, []).append(number)
    for (name, _), by_revision in trials.items():
        if len(by_revision) > 1:
            shown = "; ".join(f"{one[:12]} in trials {', '.join(map(str, n))}" for one, n in by_revision.items())
            raise StudyError(
                f"the study in {folder} cannot be read as one: {name} was changed between its trials ({shown}): move "
                f"the trials with the wrong content out of its folder {layout.TRIALS}, or run a new study"
            )
