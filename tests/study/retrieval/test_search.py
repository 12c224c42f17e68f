from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.distributed import rank, world_size
from study.retrieval.search import Hits, TopK
from tests.process_group import RunInGroup


def search(seed: int, sizes: tuple[int, int, int], block_size: int, width: int = 16) -> Hits:
    """Search this process's share of random unit vectors, in blocks."""
    generator = torch.Generator().manual_seed(seed)
    queries, passages, k = sizes
    query, passage = (F.normalize(torch.randn((n, width), generator=generator), dim=1) for n in (queries, passages))
    top = TopK(query, k)
    for block in torch.split(torch.arange(passages)[rank() :: world_size()], block_size):
        top.add(passage[block, None], 1000 + block)
    return top.best()


@pytest.mark.parametrize("shards", [1, 2, 3])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 60), st.integers(1, 70)),
    block_size=st.integers(1, 70),
)
def test_blocks_and_shards_together_give_the_best_of_all(
    run_in_group: RunInGroup, shards: int, seed: int, sizes: tuple[int, int, int], block_size: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    query, passage = (F.normalize(torch.randn((n, 16), generator=generator), dim=1).double() for n in sizes[:2])
    expected = torch.sort(query @ passage.T, descending=True)
    held = min(sizes[1:])
    results = (
        [search(seed, sizes, block_size)] if shards == 1 else run_in_group(shards, search, seed, sizes, block_size)
    )
    for result in results:
        assert result.score_QK.shape == result.key_QK.shape == (sizes[0], sizes[2])
        np.testing.assert_allclose(result.score_QK[:, :held], expected.values[:, :held], atol=1e-6)
        np.testing.assert_allclose(
            (query @ passage.T).gather(1, torch.from_numpy(result.key_QK[:, :held]) - 1000),
            expected.values[:, :held],
            atol=2e-6,
        )
        assert (result.key_QK[:, held:] == -1).all()
        assert np.isneginf(result.score_QK[:, held:]).all()


def copies(k: int) -> Hits:
    """Ten passages, all but number 4 the same, from two processes."""
    passage = F.normalize(torch.ones((10, 8)), dim=1)
    passage[4] *= 0.5
    top = TopK(passage[:1], k)
    mine = torch.arange(9, -1, -1)[rank() :: world_size()]
    top.add(passage[mine, None], mine)
    return top.best()


def test_ties_are_ordered_by_key_over_processes(run_in_group: RunInGroup) -> None:
    for result in run_in_group(2, copies, 10):
        assert result.key_QK.tolist() == [[0, 1, 2, 3, 5, 6, 7, 8, 9, 4]]


@given(seed=st.integers(0, 2**32 - 1), passages=st.integers(1, 20), windows=st.integers(1, 4), k=st.integers(1, 25))
def test_a_passage_is_found_once_by_its_best_window(seed: int, passages: int, windows: int, k: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    query = F.normalize(torch.randn((3, 16), generator=generator), dim=1)
    passage = F.normalize(torch.randn((passages, windows, 16), generator=generator), dim=2)
    top = TopK(query, k)
    for block in torch.split(torch.arange(passages), 7):
        top.add(passage[block], block)
    found, held = top.best(), min(k, passages)
    expected = torch.einsum("qd,nvd->qnv", query, passage).amax(dim=2).sort(descending=True).values[:, :held]
    np.testing.assert_allclose(found.score_QK[:, :held], expected, atol=1e-6)
    assert all(len(set(row)) == held for row in found.key_QK[:, :held].tolist())
