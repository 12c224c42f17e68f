"""Batches of bounded size; shares of a batch: every place once, as many for each rank, and about as long."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from study.batching import batches_by_length, share_of


@given(world_size=st.integers(1, 8), rounds=st.integers(1, 9), draw=st.data())
def test_shares_hold_every_place_once_and_differ_by_no_more_than_the_longest_and_shortest_place(
    world_size: int, rounds: int, draw: st.DataObject
) -> None:
    size = world_size * rounds
    lengths = draw.draw(st.lists(st.integers(0, 10_000), min_size=size, max_size=size))
    shares = [share_of(lengths, rank, world_size).tolist() for rank in range(world_size)]
    assert sorted(place for share in shares for place in share) == list(range(size))
    assert {len(share) for share in shares} == {rounds}
    assert all(share == sorted(share) for share in shares)
    sums = [sum(lengths[place] for place in share) for share in shares]
    assert max(sums) - min(sums) <= max(lengths) - min(lengths)


def test_places_are_dealt_longest_first_and_back_again() -> None:
    lengths = [10, 80, 30, 60, 50, 40, 70, 20]
    assert [sorted(lengths[place] for place in share_of(lengths, rank, 4)) for rank in range(4)] == [
        [10, 80],
        [20, 70],
        [30, 60],
        [40, 50],
    ]


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200), st.booleans())
def test_batches_hold_every_row_once_longest_first_and_no_more_tokens_than_allowed(
    lengths: list[int], budget: int, padded: bool
) -> None:
    batches = [batch.tolist() for batch in batches_by_length(lengths, budget, padded=padded)]
    rows = [row for batch in batches for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    assert [lengths[row] for row in rows] == sorted(lengths, reverse=True)

    def tokens(batch: list[int]) -> int:
        sizes = [lengths[row] for row in batch]
        return max(sizes) * len(sizes) if padded else sum(sizes)

    assert all(tokens(batch) <= budget or len(batch) == 1 for batch in batches)
    # None is smaller than it need be: the next row would have been too much.
    followed = pairwise(batches)
    assert all(tokens([*batch, following[0]]) > budget for batch, following in followed)
