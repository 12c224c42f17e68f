"""Whether a search will have hybrid trials and baselines at equal settings, which verdicts need."""

from __future__ import annotations

from functools import partial
from typing import Any

from study.analysis.groups import HYBRID, sampling_of
from study.space.distributions import Float
from study.space.fields import Values
from study.space.spaces import Branch, draw
from study.space.study_config import StudyConfig

_COMPARED = ("alpha", "mixing")


def without_comparison(config: StudyConfig) -> str:
    """Return that no hybrid trial and baseline will be at equal settings; empty if some will be, or may be."""
    branches = [branch for of_field in config.search.space for branch in of_field]
    searched = {branch.key for branch in branches}
    infinite = {branch.key for branch in branches if _is_infinite(branch)}
    others = infinite - {"alpha"}
    if "alpha" not in searched or not (others or (infinite and "mixing" not in searched)) or _planned(config):
        return ""
    return (
        f"values of {', '.join(sorted(infinite))} are drawn from a range without steps, so no two trials will have "
        "equal settings, and `study.compare` will have no verdict on hybrid batches: only points under `first` can "
        f"have one, such as {{{', '.join(('alpha: [0, 0.5, 1]', *(f'{key}: ...' for key in sorted(others))))}}}"
    )


def _planned(config: StudyConfig) -> bool:
    """Return whether the first points hold hybrid batches and a baseline at settings that are otherwise equal."""
    samplings: dict[str, set[str]] = {}
    # The examples begin with the whole trial of each point.
    for number, (point, trial) in enumerate(zip(config.search.points, config.examples, strict=False)):
        if "alpha" in point:
            values = draw(config.search.space, config.fixed, partial(_value, point, number))
            others = {key: value for key, value in values.items() if key not in _COMPARED}
            samplings.setdefault(repr(others), set()).add(sampling_of(trial))
    return any(HYBRID in alike and len(alike) > 1 for alike in samplings.values())


def _is_infinite(branch: Branch) -> bool:
    return isinstance(branch.distribution, Float) and branch.distribution.step is None


def _value(point: Values, number: int, branch: Branch) -> Any:
    """Return a field's value at a point; where the point leaves it open, one that other points share if they may."""
    if branch.key in point:
        return point[branch.key]
    return f"open in point {number}" if _is_infinite(branch) else branch.distribution.probes()[0]
