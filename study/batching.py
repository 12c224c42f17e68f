"""Batches of texts of similar length: no more padded tokens than the budget, and little of it padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from tasks.schema import Rows

CPU_TOKENS, GPU_TOKENS = 1_024, 16_384


def best_budget(device: torch.device) -> int:
    """Return how many padded tokens suit a device at once: what stays in the caches of a CPU, what fills a GPU."""
    return CPU_TOKENS if device.type == "cpu" else GPU_TOKENS


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
