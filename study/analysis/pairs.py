"""Which groups of trials are compared: at equal settings where the study has tried both at them.

A kind with more trials has more chances of a good one, so best against best would favour it. A group therefore meets
its baseline at settings that both were tried at, alpha aside: of these where the baseline does best by the objective,
and of several alphas the best by the objective, which is measured on other questions than what is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from study.analysis.leaderboard import KINDS, ZERO_SHOT
from study.analysis.study import Group, Study, StudyError, groups_of, merit, representatives
from tasks.plugins import nearest

HYBRID = "hybrid"


class Pair(NamedTuple):
    """Two groups, the second of which is the baseline."""

    group: Group
    baseline: Group

    @property
    def unequal(self) -> dict[str, tuple[Any, Any]]:
        """Return the settings in which the two differ besides what is compared: batches, or backbones."""
        if ZERO_SHOT in (self.group.sampling, self.baseline.sampling):
            return {}  # untrained, it has no settings of training
        a, b = (one.results[0]["config"] for one in self)
        return {key: (a[key], b[key]) for key in a if key not in {"seed", "alpha", "backbone"} and a[key] != b[key]}


def choose_pairs(study: Study, baselines: Sequence[str] = ()) -> list[Pair]:
    """Return what is compared with what.

    Args:
        study: whose trials.
        baselines: a sampling (`X-Y`: each backbone's hybrid trials against it), a trial's number (everything against
            its group), or a backbone (the others against it, sampling by sampling); both ends and zero-shot without.

    Raises:
        StudyError: an unknown baseline, or nothing to compare.
    """
    groups = groups_of(study.results)
    samplings = tuple(kind for kind in KINDS if kind != HYBRID)
    pairs = [pair for one in baselines or samplings for pair in _against(one, groups, study)]
    if not pairs:
        raise StudyError(
            "there is nothing to compare: no backbone has both hybrid trials and a baseline; "
            "give --baseline a trial's number or a backbone"
        )
    return sorted(pairs, key=lambda pair: pair.group.backbone)


def _against(baseline: str, groups: Sequence[Group], study: Study) -> Iterator[Pair]:
    """Yield the pairs of one baseline."""
    kinds: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        kinds.setdefault((group.backbone, group.sampling), []).append(group)
    backbones = sorted({backbone for backbone, _ in kinds})
    own = next((group for group in groups if baseline in map(str, group.numbers)), None)
    if baseline in KINDS and baseline != HYBRID:
        wanted = [(kinds.get((name, HYBRID), []), kinds.get((name, baseline), [])) for name in backbones]
    elif baseline in backbones:
        wanted = [(held, kinds.get((baseline, kind), [])) for (name, kind), held in kinds.items() if name != baseline]
    elif own is not None:
        standing = representatives(groups, study.objective).values()
        wanted = [([group], [own]) for group in standing if group is not own]
    else:
        numbers = (str(result["number"]) for result in study.results)
        known = [*(kind for kind in KINDS if kind != HYBRID), *backbones, *numbers]
        raise StudyError(f"unknown baseline '{baseline}': {nearest(baseline, known)}")
    for held, others in wanted:
        if held and others:
            yield _matched(held, others, study.objective)


def _matched(groups: Iterable[Group], baselines: Sequence[Group], objective: str) -> Pair:
    """Return the pair to compare: at equal settings if there is one, then with most seeds, then the best baseline."""
    pairs = (Pair(group, baseline) for group in groups for baseline in baselines)

    def order(pair: Pair) -> tuple[Any, ...]:
        seeds = min(len(pair.group.results), len(pair.baseline.results))
        return not pair.unequal, seeds, merit(pair.baseline, objective), merit(pair.group, objective)

    return max(pairs, key=order)
