"""W world size, B local queries, M local passages, F features, D width."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import torch
from scipy.stats import entropy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from study.distributed import rank, world_size
from study.training.loss import NO_KEY, Identities, alignment_loss, contrastive_loss, false_negatives
from tasks.schema import Keys, Pair
from tests.process_group import RunInGroup

B, F, D = 8, 6, 4


def identities(queries: list[int], passages: list[int], texts: list[int], answers: list[int]) -> Identities:
    return Identities(
        torch.tensor(queries),
        torch.tensor(passages)[:, None],
        torch.tensor(texts),
        torch.tensor(answers)[:, None],
    )


def test_equal_embeddings_everywhere_cost_the_log_of_the_number_of_passages() -> None:
    same = torch.full((B, D), 0.5)
    assert contrastive_loss(same, same, 0.05).item() == pytest.approx(math.log(B), rel=1e-6)


def test_two_orthogonal_pairs_cost_what_the_closed_form_says() -> None:
    eye = torch.eye(2)
    assert contrastive_loss(eye, eye, 0.5).item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6)


def test_a_masked_passage_costs_nothing() -> None:
    query, passage = torch.eye(2), torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    held = identities([0, 1], [7, 7], [0, 1], [0, 1])
    assert contrastive_loss(query, passage, 0.5, held).item() == pytest.approx(0, abs=1e-6)
    assert contrastive_loss(query, passage, 0.5).item() > 0.1


def test_versions_of_the_positive_its_text_and_answers_to_the_same_query_are_no_negatives() -> None:
    own = torch.arange(3)
    nothing = identities([0, 1, 2], [0, 1, 2, NO_KEY], [0, 1, 2, 3], [0, 1, 2, NO_KEY])
    assert not false_negatives(nothing, own).any()
    same_passage = identities([0, 1, 2], [5, 5, 2, NO_KEY], [0, 1, 2, 3], [0, 1, 2, NO_KEY])
    same_text = identities([0, 1, 2], [0, 1, 2, NO_KEY], [9, 1, 2, 9], [0, 1, 2, NO_KEY])
    same_query = identities([4, 1, 4], [0, 1, 2, NO_KEY], [0, 1, 2, 3], [4, 1, 4, NO_KEY])
    assert false_negatives(same_passage, own).nonzero().tolist() == [[0, 1], [1, 0]]
    assert false_negatives(same_text, own).nonzero().tolist() == [[0, 3]]
    assert false_negatives(same_query, own).nonzero().tolist() == [[0, 2], [2, 0]]


def test_identities_lay_passages_out_positives_first_then_negatives_in_the_pairs_order() -> None:
    pairs = [Pair("ถาม", "答", ("ก", "ข")), Pair("سؤال", "ก", ("答", "ค"))]
    held = Identities.of(pairs, Keys(np.array([1, 2]), np.array([3, 4])), {})
    assert held.passages_MK.squeeze(1).tolist() == [3, 4, NO_KEY, NO_KEY, NO_KEY, NO_KEY]
    assert held.answers_MK.squeeze(1).tolist() == [1, 2, NO_KEY, NO_KEY, NO_KEY, NO_KEY]
    first, second, *negatives = held.texts_M.tolist()
    assert negatives[0] == second
    assert negatives[2] == first
    assert len({first, second, negatives[1], negatives[3]}) == 4


@pytest.mark.parametrize("negatives", [(), ("ก",)])
def test_keys_are_whole_numbers_of_64_bits_with_and_without_hard_negatives(negatives: tuple[str, ...]) -> None:
    keys = Keys(np.array([2**62 + 1, 2**62]), np.array([2**61 + 1, 2**61]))
    held = Identities.of([Pair("ถาม", "答", negatives), Pair("سؤال", "ตอบ", negatives)], keys, {})
    assert {held.queries_B.dtype, held.passages_MK.dtype, held.texts_M.dtype, held.answers_MK.dtype} == {torch.int64}
    assert held.passages_MK[:2, 0].tolist() == [2**61 + 1, 2**61]
    assert not false_negatives(held, torch.arange(2)).any()


def test_a_hard_negative_that_is_a_passage_of_the_batch_in_another_language_has_its_keys() -> None:
    pairs = [Pair("ถาม", "ตอบ", ("B", "ข")), Pair("问", "答", ("ค", "A"))]
    known = {"ตอบ": {(1, 3)}, "A": {(1, 3)}, "答": {(2, 4)}, "B": {(2, 4)}}
    held = Identities.of(pairs, Keys(np.array([1, 2]), np.array([3, 4])), known)
    assert held.passages_MK.squeeze(1).tolist() == [3, 4, 4, NO_KEY, NO_KEY, 3]
    assert held.answers_MK.squeeze(1).tolist() == [1, 2, 2, NO_KEY, NO_KEY, 1]
    assert false_negatives(held, torch.arange(2)).nonzero().tolist() == [[0, 5], [1, 2]]


def test_a_hard_negative_that_is_the_passage_of_several_rows_is_none_for_any_of_their_queries() -> None:
    pairs = [Pair("问", "答"), Pair("词", "河"), Pair("ถาม", "ทะเล"), Pair("คำ", "เมือง")]
    pairs = [pair._replace(negatives=("แม่น้ำ",)) for pair in pairs]
    known = {"แม่น้ำ": {(1, 5), (2, 6), (3, 7)}, "เมือง": {(4, 8)}}
    held = Identities.of(pairs, Keys(np.array([1, 2, 3, 4]), np.array([5, 6, 7, 8])), known)
    masked = false_negatives(held, torch.arange(4))
    assert masked[:, :4].sum() == 0
    assert masked[:, 4:].all(dim=1).tolist() == masked[:, 4:].any(dim=1).tolist() == [True, True, True, False]


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
    unknown = torch.full((len(passage_MF) - len(share_BHF),), NO_KEY)
    queries_B = torch.arange(B)[part]
    texts_M = torch.cat([queries_B, 100 + part.start * negatives + torch.arange(len(unknown))])
    passages_M, answers_M = torch.cat([keys_B[part], unknown]), torch.cat([queries_B, unknown])
    held = Identities(queries_B, passages_M[:, None], texts_M, answers_M[:, None])
    embedding = nn.functional.normalize(model(torch.cat([query_BF[part], passage_MF])), dim=-1)
    loss = contrastive_loss(embedding[: len(queries_B)], embedding[len(queries_B) :], temperature, held)
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
