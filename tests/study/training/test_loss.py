"""W world size, B local queries, M local passages, F features, D width."""

from __future__ import annotations

import math

import pytest
import scipy.special
import torch
from scipy.stats import entropy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from study.distributed import rank, world_size
from study.training.loss import alignment_loss, contrastive_loss
from tests.process_group import RunInGroup

B, F, D = 8, 6, 4


def test_equal_embeddings_everywhere_cost_the_log_of_the_number_of_passages() -> None:
    same = torch.full((B, D), 0.5)
    assert contrastive_loss(same, same, 0.05).item() == pytest.approx(math.log(B), rel=1e-6)


def test_two_orthogonal_pairs_cost_what_the_closed_form_says() -> None:
    eye = torch.eye(2)
    assert contrastive_loss(eye, eye, 0.5).item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6)


def test_a_masked_passage_costs_nothing() -> None:
    query, passage = torch.eye(2), torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    others = torch.tensor([[0, 1], [1, 0]])
    assert contrastive_loss(query, passage, 0.5, others).item() == pytest.approx(0, abs=1e-6)
    assert contrastive_loss(query, passage, 0.5).item() > 0.1


def test_a_negative_that_beats_the_positive_by_more_than_the_margin_costs_nothing() -> None:
    query, passage = torch.eye(2), torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    # Query 0 scores .6 with its own passage and .8 with the other one, query 1 likewise.
    left_out = contrastive_loss(query, passage, 0.5, margin=0.1).item()
    assert left_out == pytest.approx(0, abs=1e-6)
    kept = contrastive_loss(query, passage, 0.5, margin=0.3).item()
    assert kept == pytest.approx(math.log(1 + math.exp(0.2 / 0.5)), rel=1e-6)
    assert kept == pytest.approx(contrastive_loss(query, passage, 0.5).item(), rel=1e-6)


def test_the_alignment_loss_is_the_mean_of_both_divergences_between_the_score_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    query, version, passage = (
        nn.functional.normalize(torch.randn(rows, D, generator=generator), dim=-1) for rows in (3, 2, 5)
    )
    versions = torch.tensor([0, 2])
    p, q = (scipy.special.softmax((x @ passage.T / 0.1).numpy(), axis=1) for x in (query[versions], version))
    expected = sum((entropy(p[row], q[row]) + entropy(q[row], p[row])) / 2 for row in range(2)) / 3
    assert alignment_loss(query, version, versions, passage, 0.1).item() == pytest.approx(expected, rel=1e-4)


def test_a_version_that_embeds_as_its_query_costs_no_alignment() -> None:
    query, passage = torch.eye(3, D), torch.full((3, D), 0.5)
    assert alignment_loss(query, query[1:], torch.tensor([1, 2]), passage, 0.1).item() == pytest.approx(0, abs=1e-6)


def gradient(negatives: int, temperature: float) -> tuple[Tensor, Tensor]:
    """This process's share of one fixed global batch: its loss, and the gradient DDP leaves on every rank."""
    generator = torch.Generator().manual_seed(0)
    query_BF = torch.randn(B, F, generator=generator)
    passage_BHF = torch.randn(B, 1 + negatives, F, generator=generator)
    keys_B = torch.tensor([0, 1, 2, 3, 0, 5, 6, 2])  # rows 0 and 4, 2 and 7 hold the same passage
    torch.manual_seed(1)
    encoder = nn.Linear(F, D)
    model = DistributedDataParallel(encoder) if world_size() > 1 else encoder
    part = slice(rank() * B // world_size(), (rank() + 1) * B // world_size())
    share_BHF = passage_BHF[part]
    passage_MF = torch.cat([share_BHF[:, 0], share_BHF[:, 1:].flatten(0, 1)])
    size = len(share_BHF)
    unknown = torch.full((size * negatives,), -1)
    passage_of_N = torch.cat([torch.cat([of_rank, unknown]) for of_rank in keys_B.split(size)])
    same_BN = keys_B[part][:, None] == passage_of_N
    same_BN[torch.arange(size), torch.arange(size) + rank() * len(passage_MF)] = False
    embedding = nn.functional.normalize(model(torch.cat([query_BF[part], passage_MF])), dim=-1)
    loss = contrastive_loss(embedding[:size], embedding[size:], temperature, same_BN.nonzero())
    torch.autograd.backward(loss)
    assert encoder.weight.grad is not None
    return loss.detach(), encoder.weight.grad.clone()


@pytest.mark.parametrize("negatives", [0, 1, 2])
@pytest.mark.parametrize("processes", [2, 4])
def test_the_gradient_over_processes_is_that_of_one_process_on_the_joined_batch(
    run_in_group: RunInGroup, processes: int, negatives: int
) -> None:
    loss, alone = gradient(negatives, 0.05)
    together = run_in_group(processes, gradient, negatives, 0.05)
    assert torch.stack([share for share, _ in together]).mean().item() == pytest.approx(loss.item(), rel=1e-5)
    for _, shared in together:
        assert ((shared - alone).abs().max() / alone.abs().max()).item() < 1e-5
