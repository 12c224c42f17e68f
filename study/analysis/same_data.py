"""Whether all trials of a study have seen the same data."""

from __future__ import annotations

from collections.abc import Iterable

from study.results import layout
from study.results.layout import StudyError
from study.results.trial_result import TrialResult


def check_same_data(folder: str, results: Iterable[TrialResult]) -> None:
    """Refuse trials that were measured on one benchmark, or trained on one corpus, with different content.

    Raises:
        StudyError: naming the benchmark or corpus, and the trials that saw each content of it.
    """
    seen: dict[tuple[str, str], dict[str, list[int]]] = {}
    for result in results:
        options = {benchmark.key: str(benchmark.options) for benchmark in result.config.benchmarks}
        contents = {
            (f"benchmark '{name}'", options.get(name.partition("@")[0], "")): measured.revision
            for name, measured in result.benchmarks.items()
        } | {
            (f"corpus '{record.name}'", str(config)): record.revision
            for config, record in zip(result.config.corpora, result.corpora, strict=False)
        }
        for data, revision in contents.items():
            seen.setdefault(data, {}).setdefault(revision, []).append(result.number)
    for (name, _), revisions in seen.items():
        if len(revisions) > 1:
            trials = "; ".join(f"{content[:12]} in trials {', '.join(map(str, n))}" for content, n in revisions.items())
            raise StudyError(
                f"the study in {folder} cannot be read as one: {name} was changed between its trials ({trials}): move "
                f"the trials with the wrong content out of its folder {layout.TRIALS}, or run a new study"
            )
