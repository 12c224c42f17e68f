"""Trials in groups that differ in their seed alone, named by how they sample batches and by their settings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from study.analysis import formats
from study.config import TrialConfig
from study.config_sections import CorpusConfig
from study.config_values import Schedule
from study.results.trial_result import TrialResult
from study.space.selection import Objective
from tasks.data.languages import language_code
from tasks.schema import Setting

HYBRID, PAIRWISE, ZERO_SHOT = "hybrid", "pair-level hybrid", "zero-shot"
SAMPLINGS = ("X-X-mono", "X-Y", "X-X", "En-En", PAIRWISE, HYBRID, ZERO_SHOT)
"""Ways to sample batches, named as in arXiv 2408.10536 and LAReQA (arXiv 2004.05484). Batches in one language each, or
of pairs across languages (X-Y); same-language pairs with languages mixed in a batch (X-X); English alone; pairs of both
kinds mixed within batches, or batches of both kinds (hybrid); no training."""
ENCODING_SETTINGS = (
    "pooling",
    "query_prefix",
    "passage_prefix",
    "max_query_tokens",
    "max_passage_tokens",
    "precision",
    "windows",
)
"""Settings that decide what is measured even without a step of training."""


def sampling_of(config: TrialConfig, trained: Collection[str] = ()) -> str:
    """Return how a trial samples its batches, one of SAMPLINGS; alpha with a schedule is hybrid.

    Args:
        config: the trial.
        trained: the languages it was trained on, if it has ended: a corpus may be English without saying so.
    """
    if config.steps == 0:
        return ZERO_SHOT
    if set(trained) == {"en"} or all(_languages(corpus) == {"en"} for corpus in config.corpora):
        return "En-En"
    if config.alpha == 0:
        return "X-Y"
    if config.mixing == "pair":
        return "X-X" if config.alpha == 1 else PAIRWISE
    return "X-X-mono" if config.alpha == 1 else HYBRID


def _languages(corpus: CorpusConfig) -> set[str]:
    """Return the languages that a search space states for a corpus, however they are spelt; none if it takes all."""
    options = corpus.options
    stated = options.get("languages") or options.get("columns") or [options.get("language")]
    return {language_code(str(language)) or str(language) for language in stated if language}


def ranked(results: Iterable[TrialResult], objective: Objective, seeds: int = 1) -> list[TrialResult]:
    """Return the trials that have the objective, best first.

    Trials that differ in their seed alone stand together, ordered by the mean of the objective over their seeds, so
    that a lucky seed does not decide; among them the better one is first, equal ones by number. Of equal settings, the
    one with the first trial comes first. Settings that lack seeds come after those that lack fewer: the mean of one
    seed has more chances to be high than that of several, and early stopping leaves the lucky ones.

    Args:
        results: the trials.
        objective: what they are ranked by.
        seeds: how many seeds each setting was to have (`Study.seeds`); 1 if that is not known, as where seeds are drawn
            with the rest of a point: then it is as many as most settings have.
    """
    sign = -1 if objective.direction == "maximize" else 1
    groups = groups_of(result for result in results if objective.metric in result.metrics)
    counts = Counter(len(group.results) for group in groups if group.config.steps)
    if seeds == 1:
        seeds = max(counts, key=lambda count: (counts[count], count), default=1)
    seeds = min(seeds, max(counts, default=1))  # a model that was not trained lacks none, and gains nothing by that
    ordered: list[tuple[int, float, int, float, int, TrialResult]] = []
    for group in groups:
        mean = fmean(sign * result.metrics[objective.metric] for result in group.results)
        lacks = max(seeds - len(group.results), 0) if group.config.steps else 0
        ordered += [
            (lacks, mean, group.numbers[0], sign * result.metrics[objective.metric], result.number, result)
            for result in (*group.results, *group.repeats)
        ]
    return [result for *_, result in sorted(ordered, key=lambda entry: entry[:5])]


@dataclass(frozen=True)
class Group:
    """Trials that differ only in their seed."""

    results: tuple[TrialResult, ...]
    """The first trial of each seed, by number; at least one."""
    backbone_name: str
    """The backbone's name in tables and sentences (`formats.short_names`)."""
    repeats: tuple[TrialResult, ...] = ()
    """Further trials of these seeds, from a search that drew a point again: they repeat the first, and no test counts
    them."""

    @property
    def config(self) -> TrialConfig:
        """The configuration that the trials share, with the first one's seed and the precision that they ran in."""
        return _as_run(self.results[0])

    @property
    def backbone(self) -> str:
        """The encoder that was fine-tuned, as in the search space."""
        return self.config.backbone

    @property
    def sampling(self) -> str:
        """How batches are sampled, one of SAMPLINGS."""
        return sampling_of(self.config, self.results[0].training_languages)

    @property
    def label(self) -> str:
        """The sampling, with alpha where the sampling does not imply it."""
        mixed = self.sampling in {HYBRID, PAIRWISE}
        return f"{self.sampling} (alpha {formats.setting(self.alpha)})" if mixed else self.sampling

    @property
    def alpha(self) -> float | Schedule:
        """The probability of a monolingual batch."""
        return self.config.alpha

    @property
    def numbers(self) -> tuple[int, ...]:
        """Trial numbers, without repeats."""
        return tuple(result.number for result in self.results)

    def holds(self, number: int) -> bool:
        """Return whether a trial belongs to the group, repeats included."""
        return any(result.number == number for result in (*self.results, *self.repeats))

    def mean(self, metric: str) -> float | None:
        """Return a metric's mean over seeds; None if a trial lacks it."""
        if any(metric not in result.metrics for result in self.results):
            return None
        return fmean(result.metrics[metric] for result in self.results)

    def by_language(self, benchmark: str, setting: Setting, metric: str) -> dict[str, float]:
        """Return a metric's mean over seeds by query language, for the languages in which all trials have it."""
        tables = [result.benchmarks[benchmark].by_language.get(setting, {}) for result in self.results]
        return {
            language: fmean(table[language][metric] for table in tables)
            for language in tables[0]
            if all(metric in table.get(language, {}) for table in tables)
        }


def groups_of(results: Iterable[TrialResult]) -> tuple[Group, ...]:
    """Return the trials grouped by everything but their seed, in the order of their first trials.

    Trials whose precision was left to machines that chose differently are not seeds of one setting.
    """
    results = list(results)
    names = formats.short_names(result.config.backbone for result in results)
    groups: dict[str, list[TrialResult]] = {}
    for result in results:
        shared = _as_run(result).model_dump(mode="json", exclude={"seed"})
        prompts = [result.backbone.query_prefix, result.backbone.passage_prefix]  # a later version may assume others
        groups.setdefault(json.dumps([shared, prompts], sort_keys=True), []).append(result)
    return tuple(_group(trials, names[trials[0].config.backbone]) for trials in groups.values())


def _as_run(result: TrialResult) -> TrialConfig:
    """Return a trial's configuration, with the precision that the machine chose where that was left to it."""
    if result.config.precision != "auto":
        return result.config
    return result.config.model_copy(update={"precision": result.backbone.precision})


def _group(trials: Sequence[TrialResult], backbone_name: str) -> Group:
    firsts: dict[int, TrialResult] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        firsts.setdefault(trial.config.seed, trial)
    repeats = tuple(trial for trial in trials if trial is not firsts[trial.config.seed])
    return Group(tuple(firsts.values()), backbone_name, repeats)


def varied_settings(groups: Sequence[Group]) -> tuple[str, ...]:
    """Return the names of the settings in which groups differ."""
    configs = [group.config for group in groups]
    names = (name for name in TrialConfig.model_fields if name != "seed")
    return tuple(name for name in names if any(getattr(c, name) != getattr(configs[0], name) for c in configs))


def settings_text(group: Group, names: Iterable[str], groups: Sequence[Group]) -> str:
    """Return a group's settings as a text that tells it from other groups, such as `alpha 0.25, temperature 0.05`."""
    return _text(group.config, names, [other.config for other in groups])


def differing(configs: Sequence[TrialConfig]) -> list[str]:
    """Return, for each configuration, the settings in which some differ as a text; alpha and seed are left out."""
    names = [
        name
        for name in TrialConfig.model_fields
        if name not in {"alpha", "seed"} and any(getattr(c, name) != getattr(configs[0], name) for c in configs)
    ]
    return [_text(config, names, configs) for config in configs]


def _text(config: TrialConfig, names: Iterable[str], configs: Sequence[TrialConfig]) -> str:
    return ", ".join(
        formats.setting_among(name, getattr(config, name), [getattr(other, name) for other in configs])
        for name in names
    )


def merit(group: Group, objective: Objective) -> tuple[float, int]:
    """Return a sort key that grows with a group's mean objective; of equal groups the earlier one is greater."""
    sign = 1 if objective.direction == "maximize" else -1
    mean = group.mean(objective.metric)
    return -float("inf") if mean is None else sign * mean, -group.numbers[0]


def representatives(groups: Sequence[Group], objective: Objective) -> Mapping[tuple[str, str], Group]:
    """Return, for each backbone and sampling, the group with most seeds; among those the best by the objective.

    Backbones are sorted by name, and the samplings of one are in the order of SAMPLINGS.
    """
    best: dict[tuple[str, str], Group] = {}
    for group in groups:
        key = (group.backbone, group.sampling)
        best[key] = max(best.get(key, group), group, key=lambda each: (len(each.results), merit(each, objective)))
    return {key: best[key] for key in sorted(best, key=lambda key: (key[0], SAMPLINGS.index(key[1])))}
