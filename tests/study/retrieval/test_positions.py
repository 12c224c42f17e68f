from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from study.distributed import rank, world_size
from study.retrieval.positions import PADDING, PositionCounter, full_precision, pair_scores
from tests.process_group import RunInGroup

Integers = npt.NDArray[np.int64]


class Case(NamedTuple):
    """Embeddings, where each passage lies, and which passages (indices into N) each query looks for."""

    query_QD: Tensor
    passage_NVD: Tensor
    pool_N: Integers
    row_N: Integers
    index_QR: Integers


def make_case(seed: int, queries: int, pool_sizes: tuple[int, ...], wanted: int, windows: int = 1) -> Case:
    """Embeddings on a coarse grid: dot products are exact in float32, and many of them equal."""
    random = np.random.default_rng(seed)
    count, width = sum(pool_sizes), random.integers(1, 5)
    index = random.permuted(np.tile(np.arange(count), (queries, 1)), axis=1)[:, :wanted]
    index = np.where(np.arange(index.shape[1]) < random.integers(1, wanted + 1, (queries, 1)), index, PADDING)
    query, passage = (random.integers(-2, 3, (*shape, width)) / 8 for shape in ((queries,), (count, windows)))
    return Case(
        torch.tensor(query, dtype=torch.float32),
        torch.tensor(passage, dtype=torch.float32),
        np.repeat(np.arange(len(pool_sizes)), pool_sizes),
        np.concatenate([np.arange(size) for size in pool_sizes]),
        index,
    )


def sorted_positions(case: Case) -> tuple[Integers, Integers]:
    """Positions in the own pool and in the union, by sorting on (score, pool, row)."""
    products = torch.einsum("qd,nvd->qnv", case.query_QD.double(), case.passage_NVD.double())
    scores = np.round(products.amax(dim=2).numpy(), 12)
    in_pool, in_union = np.zeros((2, *case.index_QR.shape), dtype=np.int64)
    for query, wanted in enumerate(case.index_QR):
        order = np.lexsort((case.row_N, case.pool_N, -scores[query]))
        for r, passage in enumerate(wanted):
            if passage != PADDING:
                in_union[query, r] = 1 + order.tolist().index(passage)
                own = order[case.pool_N[order] == case.pool_N[passage]]
                in_pool[query, r] = 1 + own.tolist().index(passage)
    return in_pool, in_union


def counted_positions(case: Case, block_size: int, *, union: bool) -> tuple[Integers, Integers]:
    """Positions by counting this process's share, in blocks and in no particular order."""
    places = [np.where(case.index_QR == PADDING, PADDING, held[case.index_QR]) for held in (case.pool_N, case.row_N)]
    query, passage = np.repeat(np.arange(len(case.index_QR)), case.index_QR.shape[1]), case.index_QR.clip(0).ravel()
    pairs = pair_scores(case.query_QD, torch.from_numpy(query), case.passage_NVD, torch.from_numpy(passage))
    scores = pairs.view(case.index_QR.shape)
    counter = PositionCounter(case.query_QD, scores, *map(torch.from_numpy, places), union=union)
    mine = np.random.default_rng(0).permutation(len(case.row_N))[rank() :: world_size()]
    for pool in np.unique(case.pool_N):
        for block in torch.split(torch.from_numpy(mine[case.pool_N[mine] == pool]), block_size):
            counter.add(case.passage_NVD[block], int(pool), torch.from_numpy(case.row_N)[block])
    in_pool, in_union = counter.positions()
    return in_pool.numpy(), in_union.numpy()


cases = st.builds(
    make_case,
    seed=st.integers(0, 2**32 - 1),
    queries=st.integers(1, 8),
    pool_sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4).map(tuple),
    wanted=st.integers(1, 5),
    windows=st.integers(1, 3),
)


@pytest.mark.parametrize("shards", [1, 2, 3])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases, block_size=st.integers(1, 50))
def test_counting_over_shards_and_blocks_equals_sorting(
    run_in_group: RunInGroup, shards: int, case: Case, block_size: int
) -> None:
    expected_in_pool, expected_in_union = sorted_positions(case)
    if shards == 1:
        answers = [counted_positions(case, block_size, union=True)]
    else:
        answers = run_in_group(shards, counted_positions, case, block_size, union=True)
    for in_pool, in_union in answers:
        np.testing.assert_array_equal(in_pool, expected_in_pool)
        np.testing.assert_array_equal(in_union, expected_in_union)


@given(case=cases, block_size=st.integers(1, 50))
def test_without_the_union_the_positions_in_pools_stay_the_same(case: Case, block_size: int) -> None:
    in_pool, in_union = counted_positions(case, block_size, union=False)
    np.testing.assert_array_equal(in_pool, sorted_positions(case)[0])
    assert not in_union.any()


def unit_case() -> Case:
    """1,300 queries (three tiles) over 2,500 passages of real width that are copies of eight."""
    generator = torch.Generator().manual_seed(2)
    query, passage = (F.normalize(torch.randn((n, 384), generator=generator), dim=1) for n in (1300, 8))
    copies = torch.randint(0, 8, (2500,), generator=generator)
    index = torch.randint(0, 2500, (1300, 3), generator=generator).numpy()
    return Case(query, passage[copies, None], np.repeat([0, 1], 1250), np.tile(np.arange(1250), 2), index)


def test_copies_of_a_passage_tie_whatever_the_blocks() -> None:
    case = unit_case()
    expected = sorted_positions(case)
    for block_size in (7, 333, 2500):
        np.testing.assert_array_equal(counted_positions(case, block_size, union=True), expected)


def test_scores_are_products_in_full_precision_and_the_precision_of_training_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compare, seen = torch.gt, set()

    def spy(*args: Tensor, out: Tensor) -> Tensor:
        seen.add(torch.get_float32_matmul_precision())
        return compare(*args, out=out)

    monkeypatch.setattr(torch, "gt", spy)
    torch.set_float32_matmul_precision("medium")
    try:
        counted_positions(make_case(0, 3, (4, 5), 2), 4, union=True)
        assert (seen, torch.get_float32_matmul_precision()) == ({"highest"}, "medium")
    finally:
        torch.set_float32_matmul_precision("highest")


def test_full_precision_is_left_again_after_an_error() -> None:
    torch.set_float32_matmul_precision("high")
    try:
        with pytest.raises(ZeroDivisionError), full_precision():
            _ = 1 // (torch.get_float32_matmul_precision() != "highest")
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_pair_scores_are_those_of_one_product() -> None:
    case = unit_case()
    passage = torch.from_numpy(case.index_QR[:, 0])
    scores = pair_scores(case.query_QD, torch.arange(1300), case.passage_NVD, passage)
    product = case.query_QD.double() @ case.passage_NVD[:, 0].double().T
    torch.testing.assert_close(scores.double(), product.gather(1, passage[:, None])[:, 0], atol=3e-7, rtol=0)
