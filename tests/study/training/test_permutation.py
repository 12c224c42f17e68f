from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.training.permutation import permuted


@given(size=st.integers(1, 3000), key=st.tuples(st.integers(0, 2**40), st.integers(0, 9)))
def test_it_is_a_bijection_of_the_range(size: int, key: tuple[int, ...]) -> None:
    assert sorted(permuted(np.arange(size), size, key)) == list(range(size))


def test_a_part_of_forty_million_is_permuted_without_the_rest() -> None:
    size = 39_780_811
    first, second = (permuted(np.arange(start, start + 1000), size, (0,)) for start in (0, 1000))
    assert len(set(first) | set(second)) == 2000
    assert min(first) >= 0
    assert max(first) < size


def test_keys_give_different_shuffles_and_the_same_key_the_same() -> None:
    positions = np.arange(1000)
    assert (permuted(positions, 1000, (1, 2)) == permuted(positions, 1000, (1, 2))).all()
    assert (permuted(positions, 1000, (1, 2)) == permuted(positions, 1000, (1, 3))).mean() < 0.02


@pytest.mark.parametrize("size", [10, 1000, 4096])
def test_every_place_is_equally_likely_for_an_element(size: int) -> None:
    draws = 4000
    where = np.array([permuted(np.array([0]), size, (key,))[0] for key in range(draws)])
    counts, _ = np.histogram(where, bins=10, range=(0, size))
    chi_square = ((counts - draws / 10) ** 2 / (draws / 10)).sum()
    assert chi_square < 33.7  # 9 degrees of freedom: exceeded once in 10,000
