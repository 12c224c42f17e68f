"""A keyed shuffle of row numbers that needs no table: a Feistel network with cycle walking."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.schema import Rows

ROUNDS = 6


def permuted(positions: Rows, size: int, key: tuple[int, ...]) -> Rows:
    """Return where a shuffle of `range(size)`, chosen by `key`, puts each position, without a table of all positions.

    A balanced Feistel network over the smallest even number of bits that holds `size`, applied until the value falls
    inside the range (cycle walking: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). Forty million
    rows cost no memory to shuffle.

    Args:
        positions: shape (B,), each in 0..size-1.
        size: number of elements shuffled, at least 1.
        key: chooses the shuffle; any non-negative integers.

    Returns:
        Shape (B,), distinct where the positions are distinct.
    """
    assert size >= 1
    assert len(positions) == 0 or (positions.min() >= 0 and positions.max() < size)
    half = max(1, (int(size - 1).bit_length() + 1) // 2)
    round_keys = np.random.SeedSequence(key).generate_state(ROUNDS, np.uint64).astype(np.uint64)
    values = _feistel(positions.astype(np.uint64), half, round_keys)
    while (outside := values >= size).any():
        values[outside] = _feistel(values[outside], half, round_keys)
    return values.astype(np.int64)


def _feistel(values: npt.NDArray[np.uint64], half: int, round_keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> bits, values & mask
    for round_key in round_keys:
        left, right = right, left ^ (_mixed(right ^ round_key) & mask)
    return (left << bits) | right


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    # The finaliser of splitmix64: every input bit reaches every output bit.
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
