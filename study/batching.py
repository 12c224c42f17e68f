"""Batches of texts of similar length, within a budget of padded tokens and with little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from tasks.schema import Rows

CPU_TOKENS, GPU_TOKENS = 1_024, 16_384


def best_budget(device: torch.device) -> int:
    """Return the padded tokens per forward pass that suit a device: few enough for CPU caches, enough to fill a GPU."""
    return CPU_TOKENS if device.type == "cpu" else GPU_TOKENS


def batches_by_length(lengths: Sequence[int], token_budget: int) -> Iterator[Rows]:
    """Yield batches of row numbers, longest rows first, whose padded size is at most `token_budget` tokens.

    Longest first, so that a batch that does not fit into memory fails at once. A row longer than the budget forms a
    batch by itself.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, token_budget // lengths[order[start]])
        yield order[start : start + size]
        start += size
