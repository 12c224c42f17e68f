"""Fail unless studies of the same search space ended with the same figures; for tests/cluster/laptop.sh."""

from __future__ import annotations

import sys

from study import results

if __name__ == "__main__":
    first, *others = [[trial["metrics"] for trial in results.finished(folder)] for folder in sys.argv[1:]]
    assert first, "no trial has ended"
    assert all(other == first for other in others), "the figures differ"
    print(f"{len(others) + 1} studies, {len(first)} trial each, {len(first[0])} figures: equal")  # noqa: T201
