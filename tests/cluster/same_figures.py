"""Fail unless studies of the same search space ended with the same figures; for tests/cluster/laptop.sh."""

from __future__ import annotations

import sys

from study.results import layout

if __name__ == "__main__":
    studies = sys.argv[1:]
    first, *others = [[trial.metrics for trial in layout.finished(folder)] for folder in studies]
    assert first, "no trial has ended"
    for folder, other in zip(studies[1:], others, strict=True):
        assert len(other) == len(first), f"{folder} has {len(other)} trials, {studies[0]} {len(first)}"
        for one, figures in zip(first, other, strict=True):
            differ = {key: (one[key], figures.get(key)) for key in one if one[key] != figures.get(key)}
            assert not differ, f"{folder} differs from {studies[0]}: {differ}"
    print(f"{len(studies)} studies, {len(first)} trial each, {len(first[0])} figures: equal")  # noqa: T201
