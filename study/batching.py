"""Batches of texts of similar length: no more padded tokens than the budget, and little of it padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tasks.schema import Rows


def batches_by_length(lengths: Sequence[int], token_budget: int) -> Iterator[Rows]:
    """Yield batches of row numbers, longest rows first, whose padded size is at most `token_budget` tokens.

    Longest first, so that a batch that does not fit into memory fails at once and not at the end. A row longer than the
    budget makes a batch of its own.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, token_budget // lengths[order[start]])
        yield order[start : start + size]
        start += size
