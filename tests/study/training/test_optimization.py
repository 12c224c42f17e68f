from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from study.config import TrialConfig
from study.distributed import world_size
from study.training.batch import BatchMaker
from study.training.optimization import DivergedError, Stepper, learning_rate_at, make_optimizer
from study.training.sampler import HybridSampler
from tests.process_group import RunInGroup
from tests.toy_corpus import ToyCorpus
from tests.toy_encoder import toy_encoder

LANGUAGES = ("ar", "th", "zh")


def gradients_of_one_step(negatives: int, *, caching: bool, dropout: float, token_budget: int) -> tuple[float, Tensor]:
    """This process's loss, and the flat gradient that the update is made with."""
    config = TrialConfig(
        batch_size=8, hard_negatives=negatives, gradient_caching=caching, max_grad_norm=1e9, temperature=0.2, steps=10
    )
    corpus = ToyCorpus("toy", [LANGUAGES] * 40, [row // 2 for row in range(40)], negatives=negatives)
    sampler = HybridSampler([corpus], [None], alpha=0.5, batch_size=8, steps=10, seed=0)
    encoder = toy_encoder(dropout=dropout)
    maker = BatchMaker([corpus], sampler, encoder, hard_negatives=negatives, token_budget=token_budget)
    model = DistributedDataParallel(encoder) if world_size() > 1 else encoder
    held: list[Tensor] = []
    optimizer = make_optimizer(encoder, config)
    optimizer.register_step_pre_hook(
        lambda *_: held.append(torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None]))
    )
    result = Stepper(encoder, model, optimizer, config).step(maker.make(3), 3)
    return float(result.loss), held[0]


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.parametrize("negatives", [0, 1, 2])
def test_a_step_of_two_processes_has_the_gradient_of_one_process_on_the_joined_batch(
    run_in_group: RunInGroup, negatives: int
) -> None:
    loss, alone = gradients_of_one_step(negatives, caching=False, dropout=0, token_budget=512)
    together = run_in_group(2, gradients_of_one_step, negatives, caching=False, dropout=0, token_budget=512)
    assert sum(share for share, _ in together) / 2 == pytest.approx(loss, rel=1e-5)
    assert all(difference(gradient, alone) < 1e-4 for _, gradient in together)


@pytest.mark.parametrize("processes", [1, 2])
def test_gradient_caching_changes_neither_loss_nor_gradient_even_with_dropout(
    run_in_group: RunInGroup, processes: int
) -> None:
    plain, cached = (
        run_in_group(processes, gradients_of_one_step, 1, caching=caching, dropout=0.1, token_budget=200)
        for caching in (False, True)
    )
    for (plain_loss, plain_gradient), (cached_loss, cached_gradient) in zip(plain, cached, strict=True):
        assert cached_loss == pytest.approx(plain_loss, rel=1e-6)
        assert difference(cached_gradient, plain_gradient) < 1e-5


def test_the_size_of_micro_batches_does_not_change_the_gradient() -> None:
    _, whole = gradients_of_one_step(1, caching=False, dropout=0, token_budget=100_000)
    _, split = gradients_of_one_step(1, caching=False, dropout=0, token_budget=100)
    assert difference(split, whole) < 1e-5


def test_the_learning_rate_rises_linearly_then_falls_linearly_and_never_is_zero() -> None:
    config = TrialConfig(steps=100, learning_rate=1.0, warmup=0.1)
    rates = [learning_rate_at(step, config) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert max(rates) == 1.0
    falls = [later - earlier for earlier, later in pairwise(rates[9:])]
    assert falls == pytest.approx([falls[0]] * len(falls))
    assert 0 < rates[-1] < 0.02


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_the_learning_rate_has_no_gap_at_the_ends_of_warmup(warmup: float) -> None:
    config = TrialConfig(steps=10, learning_rate=1.0, warmup=warmup)
    rates = [learning_rate_at(step, config) for step in range(10)]
    assert max(rates) == pytest.approx(1.0)
    assert min(rates) > 0


def test_a_gradient_that_is_not_finite_ends_the_trial_before_a_parameter_moves() -> None:
    config = TrialConfig(batch_size=4, steps=10)
    corpus = ToyCorpus.parallel(40, LANGUAGES)
    encoder = toy_encoder()
    sampler = HybridSampler([corpus], [None], alpha=0.5, batch_size=4, steps=10, seed=0)
    batch = BatchMaker([corpus], sampler, encoder, hard_negatives=0, token_budget=512).make(0)
    word = encoder.transformer.embeddings.word_embeddings.weight
    with torch.no_grad():
        word[5:] = float("inf")
    before = [parameter.clone() for parameter in encoder.parameters()]
    with pytest.raises(DivergedError, match="not finite at step 7: lower learning_rate or raise temperature"):
        Stepper(encoder, encoder, make_optimizer(encoder, config), config).step(batch, 6)
    assert all(torch.equal(a, b) for a, b in zip(before, encoder.parameters(), strict=True))


def test_biases_and_norms_are_not_decayed() -> None:
    encoder = toy_encoder()
    decayed, spared = make_optimizer(encoder, TrialConfig(weight_decay=0.3)).param_groups
    assert decayed["weight_decay"] == 0.3
    assert spared["weight_decay"] == 0
    assert all(parameter.ndim > 1 for parameter in decayed["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(list(encoder.parameters()))
