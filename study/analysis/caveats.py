"""What to know about a study's figures before believing them, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from study.analysis import formats
from study.analysis.groups import Group, groups_of, settings_text, varied_settings
from study.analysis.study import Study
from study.results.trial_result import FailedTrial, TrialResult
from study.space import study_config
from study.space.strict_yaml import SpaceError

_DECIDING = ("project", "torch", "transformers", "tokenizers")
"""Versions that a trial's figures depend on besides its settings and data; `project` is a digest of our own code."""


def caveats(study: Study) -> list[str]:
    """Return which trials are missing, differ in precision or version, have seen questions, are old, or failed."""
    return [
        *_missing_trials(study),
        *_missing_seeds(study),
        *_precisions(study.results),
        *_versions(study.results),
        *_changed_versions(study.results),
        *_seen(study.results),
        *_not_searched(study.results),
        *_documents(study),
        *_failures(study.failed),
    ]


def _missing_trials(study: Study) -> Iterator[str]:
    """Yield how many trials have a result if some have none, which every comparison lacks."""
    try:
        trials = study_config.parse(study.record.search_space, study.record.name).search.trials
    except SpaceError:
        return  # of an earlier version
    if len(study.results) < trials:
        yield (
            f"{len(study.results)} of {trials} trials have a result; the others are still to run, were stopped early, "
            "failed or were taken out of the folder (--resume continues those that can go on)."
        )


def _missing_seeds(study: Study) -> Iterator[str]:
    """Yield which settings lack seeds: early stopping takes the worse ones, and the mean of the others flatters."""
    groups = groups_of(study.results)
    trained = [group for group in groups if group.config.steps]
    seeds = study.seeds if study.seeds > 1 else _seeds_of_grid(study, trained)
    lacking = [group for group in trained if len(group.results) < seeds]
    if lacking:
        names = varied_settings(groups)
        shown = formats.some_of([settings_text(group, names, groups) or group.label for group in lacking], "; ")
        yield (
            f"Not all {seeds} seeds have a result at {shown}: where early stopping or a failure took the worse ones, "
            "the mean of the others flatters the setting. "
            f"Settings with fewer seeds {'' if study.seeds > 1 else 'than most '}are ranked after the others."
        )


def _seeds_of_grid(study: Study, trained: Sequence[Group]) -> int:
    """Return how many seeds each setting of a grid of seeds was to have: as many as any has.

    Other samplers draw the seed with the rest of a point, so that none is missing.
    """
    search = study.record.search_space.get("search")
    if isinstance(search, Mapping) and search.get("sampler") == "grid" and "seed" in search.get("space", {}):
        return max((len(group.results) for group in trained), default=1)
    return 1


def _precisions(results: Sequence[TrialResult]) -> Iterator[str]:
    """Yield which trials ran in which precision, if the machine decided and several did."""
    left_open = [result for result in results if result.config.precision == "auto"]
    if shown := _by_value((result.backbone.precision, result.number) for result in left_open):
        yield f"Trials ran in {shown}, as precision was left to the machine: they are not seeds of one setting."


def _versions(results: Sequence[TrialResult]) -> Iterator[str]:
    """Yield which trials ran with which versions of what decides their figures, if these changed."""
    for package in _DECIDING:
        known = [(result.versions[package], result.number) for result in results if package in result.versions]
        if shown := _by_value(known):
            name = _title(package)
            yield f"Not all trials ran with the same {name}: {shown}. Part of a difference may come from that."


def _changed_versions(results: Sequence[TrialResult]) -> Iterator[str]:
    """Yield which trials went on with other versions of what decides their figures than they began with."""
    for package in _DECIDING:
        changes = []
        for result in results:
            known = [(step, versions[package]) for step, versions in result.training.versions if package in versions]
            changes += [
                f"trial {result.number} with {now} in place of {then} after step {step:,}"
                for (_, then), (step, now) in pairwise(known)
                if now != then
            ]
        if changes:
            shown = formats.some_of(changes)
            yield f"Some trials went on with another {_title(package)} than they began with: {shown}."


def _title(package: str) -> str:
    return "code of this project" if package == "project" else package


def _by_value(of_trials: Iterable[tuple[str, int]]) -> str:
    """Return each value with the trials that have it; empty if all have the same."""
    numbers: dict[str, list[str]] = {}
    for value, number in of_trials:
        numbers.setdefault(value, []).append(str(number))
    shown = [f"{value} (trials {formats.some_of(of_value)})" for value, of_value in numbers.items()]
    return " and ".join(shown) if len(shown) > 1 else ""


def _seen(results: Sequence[TrialResult]) -> Iterator[str]:
    """Yield how many questions of a benchmark trials were trained on, if any were."""
    numbers: dict[tuple[str, int, int], list[str]] = {}
    for result in results:
        for name, seen in result.seen_questions.items():
            if seen and name in result.benchmarks:
                questions = sum(result.benchmarks[name].queries.values())
                numbers.setdefault((name, seen, questions), []).append(str(result.number))
    for (name, seen, questions), of_count in numbers.items():
        trials = f"{'Trial' if len(of_count) == 1 else 'Trials'} {formats.some_of(of_count)}"
        was = "was" if len(of_count) == 1 else "were"
        yield (
            f"{trials} {was} trained on {seen:,} of the {questions:,} questions of {name}: its figures are not those "
            "of unseen questions."
        )


def _not_searched(results: Sequence[TrialResult]) -> Iterator[str]:
    """Yield which corpora are too large for questions of benchmarks to be looked for in them."""
    names: dict[str, dict[str, None]] = {}
    for result in results:
        for benchmark, corpora in result.not_searched.items():
            for corpus in corpora:
                names.setdefault(corpus, {})[benchmark] = None
    for corpus, benchmarks in names.items():
        yield (
            f"Corpus {corpus} has too many questions to be searched for those of {formats.some_of(list(benchmarks))}: "
            "whether they were trained on is not known."
        )


def _documents(study: Study) -> Iterator[str]:
    """Yield on which benchmarks no trial says what questions are about, as in results of older versions."""
    trials = Counter(benchmark for result in study.results for benchmark in result.benchmarks)
    if unknown := [name for name in study.benchmarks if trials[name] > 1 and study.documents(name) == {}]:
        yield (
            f"On {formats.some_of(unknown)} every question counts as independent, as an older version did not record "
            "which are about one document: where many are, intervals are too narrow."
        )


def _failures(failed: Sequence[FailedTrial]) -> Iterator[str]:
    """Yield which trials failed, for each reason."""
    numbers: dict[str, list[str]] = {}
    for trial in failed:
        numbers.setdefault(trial.failed.partition(":")[0], []).append(str(trial.number))
    for reason, of_reason in numbers.items():
        one = len(of_reason) == 1
        trials = f"{'Trial' if one else 'Trials'} {formats.some_of(of_reason)}"
        yield f"{trials} failed ({reason}) and {'is' if one else 'are'} in no figure."
