"""Which facts train, which select (dev) and which are reported (test)."""

from __future__ import annotations

import functools
import random
from collections import Counter
from typing import Literal

from tasks.factbook.facts import RELATIONS, Fact, facts

Split = Literal["train", "dev", "test"]

_HELD_OUT: tuple[tuple[Split, int], ...] = (("test", 20), ("dev", 10))
"""Percent of each relation's facts."""
_SEED = 240810536


def facts_of(split: Split) -> tuple[Fact, ...]:
    """Return the facts of one split, in the order of their ids."""
    split_of = _split_of()
    return tuple(fact for fact in facts() if split_of[fact.id] == split)


@functools.cache
def _split_of() -> dict[str, Split]:
    """Deal out each relation's facts: test first, then dev, the rest to train.

    A fact is held out only while another one of its entity is left to train on, so every name that is tested under one
    relation has been read under another.
    """
    shuffled = random.Random(_SEED).sample(facts(), len(facts()))  # noqa: S311 (a split, not a secret)
    left = Counter(fact.entity for fact in shuffled)
    split_of: dict[str, Split] = {fact.id: "train" for fact in shuffled}
    for relation in RELATIONS:
        of_relation = [fact for fact in shuffled if fact.relation == relation]
        for split, percent in _HELD_OUT:
            free = [fact for fact in of_relation if split_of[fact.id] == "train" and left[fact.entity] > 1]
            for fact in free[: len(of_relation) * percent // 100]:
                split_of[fact.id] = split
                left[fact.entity] -= 1
    return split_of
