"""Which groups of trials are compared: groups with equal settings, where the study has such.

A sampling with more trials has more chances of a good one, so comparing best with best would favour it. A group is
therefore compared at settings that its baseline was tried at too, apart from alpha: at those where the baseline does
best by the objective and, among several alphas, at the best one by the objective, which is measured on other questions
than the scores that are reported. Where no settings are equal, the best of each are put beside each other, which is no
verdict. The best setting is compared with its backbone without training too, whatever its batches, as that is what its
user had before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from study.analysis.groups import (
    ENCODING_SETTINGS,
    HYBRID,
    SAMPLINGS,
    ZERO_SHOT,
    Group,
    groups_of,
    merit,
    ranked,
    representatives,
)
from study.analysis.study import Study
from study.config import TrialConfig
from study.results.layout import StudyError
from study.space.selection import Objective
from tasks.plugins import nearest

BASELINES = tuple(sampling for sampling in SAMPLINGS if sampling != HYBRID)
_COMPARED = frozenset({"seed", "alpha", "mixing", "backbone"})
_SAME_FIGURES = frozenset(
    {"compile", "gradient_caching", "gradient_checkpointing", "micro_batch_tokens", "resources", "top_lists"}
)
"""Settings that change time and memory, and what a score is only as far as rounding does."""


@dataclass(frozen=True)
class Pair:
    """Two groups, the second of which is the baseline."""

    group: Group
    baseline: Group
    candidates: tuple[int, int] = field(default=(1, 1), compare=False)
    """From how many settings of its kind each of the two was chosen by the objective."""

    @property
    def groups(self) -> tuple[Group, Group]:
        """Both."""
        return self.group, self.baseline

    @property
    def compared(self) -> frozenset[str]:
        """The settings that are compared, with the corpora if one group was trained on English alone; and the seed."""
        english = "En-En" in (self.group.sampling, self.baseline.sampling)
        return _COMPARED | {"corpora"} if english else _COMPARED

    @property
    def unequal(self) -> dict[str, tuple[Any, Any]]:
        """The settings in which the two differ, apart from those that are compared."""
        if ZERO_SHOT in (self.group.sampling, self.baseline.sampling):
            names: Iterable[str] = (*ENCODING_SETTINGS, "benchmarks")  # an untrained encoder has no training settings
        else:
            names = (name for name in TrialConfig.model_fields if name not in self.compared)
        values = {name: (getattr(self.group.config, name), getattr(self.baseline.config, name)) for name in names}
        return {name: (own, other) for name, (own, other) in values.items() if own != other}

    @property
    def confounded(self) -> bool:
        """Whether both were trained, and in other settings than the compared ones too: these may make the difference.

        The best of more settings is better by chance too, so that such a difference is no verdict.
        """
        return all(group.config.steps for group in self.groups) and not self.unequal.keys() <= _SAME_FIGURES


def choose_pairs(study: Study, baselines: Sequence[str] = ()) -> list[Pair]:
    """Return the pairs of groups to compare.

    Args:
        study: the study.
        baselines: each is a sampling (`X-Y`: each backbone's hybrid trials against it), a trial's number (everything
            against its group), or a backbone (the others against it, sampling by sampling). If there are none, every
            sampling but hybrid, and the best setting against its backbone without training.

    Raises:
        StudyError: a baseline is unknown, or there is nothing to compare.
    """
    groups = groups_of(study.results)
    pairs = [pair for baseline in baselines or BASELINES for pair in _against(baseline, groups, study)]
    if not baselines:
        pairs += [pair for pair in _best_against_untrained(groups, study) if pair not in pairs]
    if not pairs:
        raise StudyError(
            "there is nothing to compare: no backbone has both hybrid trials and a baseline, or the best trial and one "
            "without training; "
            "give --baseline a trial's number or a backbone"
        )
    return sorted(pairs, key=lambda pair: pair.group.backbone)


def _best_against_untrained(groups: Sequence[Group], study: Study) -> Iterator[Pair]:
    """Yield the best group and its backbone without training, if the study has that and measured both."""
    first = next(iter(ranked(study.results, study.objective, study.seeds)), study.results[0])
    best = next(group for group in groups if group.holds(first.number))
    untrained = [group for group in groups if group.sampling == ZERO_SHOT and group.backbone == best.backbone]
    if untrained and best.sampling != ZERO_SHOT:
        yield _matched([best], untrained, study.objective)


def _against(baseline: str, groups: Sequence[Group], study: Study) -> Iterator[Pair]:
    """Yield the pairs of one baseline."""
    alike: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        alike.setdefault((group.backbone, group.sampling), []).append(group)
    backbones = sorted({backbone for backbone, _ in alike})
    named = {group.backbone_name: group.backbone for group in groups} | {backbone: backbone for backbone in backbones}
    numbers = {str(result.number): result.number for result in study.results}
    own = next((group for group in groups if baseline in numbers and group.holds(numbers[baseline])), None)
    if baseline in BASELINES:
        wanted = [(alike.get((name, HYBRID), []), alike.get((name, baseline), [])) for name in backbones]
    elif baseline in named:
        other = named[baseline]
        wanted = [(same, alike.get((other, kind), [])) for (name, kind), same in alike.items() if name != other]
    elif own is not None:
        best = representatives(groups, study.objective)
        yield from (Pair(group, own, (len(alike[kind]), 1)) for kind, group in best.items() if group is not own)
        return
    elif baseline.isdecimal():
        raise StudyError(f"trial {baseline} has no result to compare with: trials with one are {', '.join(numbers)}")
    else:
        known = [*BASELINES, *backbones, *numbers]
        raise StudyError(f"unknown baseline '{baseline}': {nearest(baseline, known)}")
    for candidates, others in wanted:
        if candidates and others:
            yield _matched(candidates, others, study.objective)


def _matched(groups: Sequence[Group], baselines: Sequence[Group], objective: Objective) -> Pair:
    """Return the pair to compare: with equal settings if possible, then with most seeds, then the best baseline."""
    candidates = len(groups), len(baselines)
    pairs = (Pair(group, baseline, candidates) for group in groups for baseline in baselines)

    def order(pair: Pair) -> tuple[Any, ...]:
        seeds = min((len(group.results) for group in pair.groups if group.config.steps), default=0)  # untrained: none
        return not pair.unequal, seeds, merit(pair.baseline, objective), merit(pair.group, objective)

    return max(pairs, key=order)
