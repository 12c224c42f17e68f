"""Texts by their length: batches of bounded size, and shares of a batch that take equally long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from tasks.schema import Rows


def training_tokens(device: torch.device) -> int:
    """Return the tokens per forward pass that suit training on a device: few, for a CPU's caches and a GPU's memory."""
    return 1_024 if device.type == "cpu" else 16_384


def encoding_tokens(device: torch.device) -> int:
    """Return the tokens per forward pass that suit encoding, which keeps no activations: more on a GPU."""
    return 1_024 if device.type == "cpu" else 32_768


def batches_by_length(lengths: Sequence[int], token_budget: int, *, padded: bool = True) -> Iterator[Rows]:
    """Yield batches of row numbers, longest rows first, of at most `token_budget` tokens.

    Longest first, so that a batch that does not fit into memory fails at once. A row longer than the budget forms a
    batch by itself.

    Args:
        lengths: tokens of each row.
        token_budget: padding included.
        padded: whether a batch is padded to its longest row.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    start = tokens = 0
    for end, row in enumerate(order):
        grown = lengths[order[start]] * (end + 1 - start) if padded else tokens + lengths[row]
        if end > start and grown > token_budget:
            yield order[start:end]
            start, grown = end, lengths[row]
        tokens = grown
    if len(order):
        yield order[start:]


def share_of(lengths: Sequence[int], rank: int, world_size: int) -> Rows:
    """Return the places of a batch that `rank` works on, in ascending order: as many as any rank, and about as long.

    The places are dealt longest first, from the first rank to the last and back again. So two ranks' sums differ by no
    more than the longest place and the shortest do, and no rank waits long for another.

    Args:
        lengths: what a step computes at each place, in any unit; the same on every rank. Shape (B,).
        rank: 0 to W - 1.
        world_size: W, a divisor of B.
    """
    places = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    rounds = places.reshape(-1, world_size)
    return np.sort(np.concatenate([rounds[::2, rank], rounds[1::2, world_size - 1 - rank]]))
