"""Which kinds of batches a search may ask its corpora for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pydantic

from study.config import TrialConfig
from study.space.spaces import Branch, combinations
from study.space.study_config import StudyConfig

_OF_BATCHES = frozenset({"corpora", "alpha", "mixing", "batch_size", "hard_negatives", "alignment_weight", "steps"})
"""Fields that decide whether corpora can serve a trial's batches."""
_MOST = 1000


def trials_of_batches(config: StudyConfig) -> Iterator[TrialConfig]:
    """Yield a trial for each combination of what batches depend on, at all choices and at a few values of ranges.

    A study's examples take choices in turn and meet few combinations. None is yielded where no trial is drawn, or where
    they are too many to be checked.
    """
    space = config.search.space
    combined = _OF_BATCHES | {key for branches in space for branch in branches for key in branch.when}

    def values(branch: Branch) -> Sequence[Any]:
        probes = branch.distribution.probes()
        return probes if {branch.key, branch.key.partition(".")[0]} & combined else probes[:1]

    try:
        drawn = combinations(space, config.fixed, _MOST, values) if config.draws else ()
    except ValueError:
        return
    for point in drawn:
        with suppress(pydantic.ValidationError):  # no trial has these values
            yield config.trial_config(point)
