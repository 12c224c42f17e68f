"""Batches of texts of similar length: no more padded tokens than the budget, and little of it padding."""

from __future__ import annotations

from collections.abc import Sequence


def length_batches(lengths: Sequence[int], token_budget: int) -> list[list[int]]:
    """Group texts, longest first, so that rows x longest row stays within `token_budget` tokens.

    Args:
        lengths: tokens of each text.
        token_budget: padded tokens a batch may hold; a text longer than that gets a batch of its own.

    Returns:
        Indices into `lengths`, each exactly once. The longest batch comes first: if memory is short, it shows at once.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= token_budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
