"""Whether all trials of a study have read the same data, and started from the same models."""

from __future__ import annotations

from collections.abc import Iterable

from study.config_sections import BenchmarkConfig, CorpusConfig
from study.results import layout
from study.results.layout import StudyError
from study.results.trial_result import TrialResult

Source = BenchmarkConfig | CorpusConfig | str
"""Where data comes from, as in a search space; the name of a backbone."""


def revisions(results: Iterable[TrialResult]) -> list[tuple[Source, str, int]]:
    """Return every benchmark that trials were measured or validated on, every corpus and every backbone.

    Returns:
        Where it comes from, its revision when the trial read it, and the trial's number. A backbone that is built in,
        or whose result does not say what it was, is left out.
    """
    read: list[tuple[Source, str, int]] = []
    for result in results:
        measured = [benchmark for benchmark in result.config.benchmarks if benchmark.key in result.benchmarks]
        read += [(one, result.benchmarks[one.key].revision, result.number) for one in measured]
        trained = zip(result.config.corpora, result.corpora, strict=False)  # zero-shot trials have no records
        read += [(corpus, record.revision, result.number) for corpus, record in trained]
        if result.validation_revision:
            read.append((result.config.validation.benchmark, result.validation_revision, result.number))
        if content := result.backbone.content or result.backbone.revision:
            read.append((result.config.backbone, content, result.number))
    return read


def title(source: Source) -> str:
    """Return a benchmark, a corpus or a backbone as messages call it, with its path if it has one."""
    if isinstance(source, str):
        return f"backbone '{source}'"
    name = f"corpus '{source.name}'" if isinstance(source, CorpusConfig) else f"benchmark '{source.key}'"
    path = source.options.get("path")
    return f"{name} ({path})" if path else name


def check_same_data(folder: str, results: Iterable[TrialResult]) -> None:
    """Refuse trials for which one benchmark, corpus or backbone had different content.

    Raises:
        StudyError: naming it, and the trials that read each content of it.
    """
    trials: dict[tuple[str, str], dict[str, list[int]]] = {}
    for source, revision, number in revisions(results):
        trials.setdefault((title(source), repr(source)), {}).setdefault(revision, []).append(number)
    for (name, _), by_revision in trials.items():
        if len(by_revision) > 1:
            shown = "; ".join(f"{one[:12]} in trials {', '.join(map(str, n))}" for one, n in by_revision.items())
            raise StudyError(
                f"the study in {folder} cannot be read as one: {name} was changed between its trials ({shown}): move "
                f"the trials with the wrong content out of its folder {layout.TRIALS} for good, or run a new study"
            )
