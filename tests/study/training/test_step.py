from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from study.config import TrialConfig
from study.distributed import world_size
from study.model.lora import add_adapters
from study.training.batch import BatchMaker
from study.training.sampler import HybridSampler
from study.training.schedules import Temperature
from study.training.step import DivergedError, ExecutionError, Stepper, make_optimizer, prepare
from tasks.schema import Pair, Rows
from tests.process_group import RunInGroup
from tests.toy_corpus import ToyCorpus
from tests.toy_encoder import toy_encoder

LANGUAGES = ("ar", "th", "zh")


class Neighbours(ToyCorpus):
    """Its hard negatives are passages of the next rows, as mined ones are."""

    def pairs(self, rows: Rows, query_languages: Sequence[str], passage_languages: Sequence[str]) -> list[Pair]:
        return [
            pair._replace(negatives=tuple(f"答案 {(self.passage_of[row] + n) % 20} {language}" for n in self._next))
            for pair, row, language in zip(
                super().pairs(rows, query_languages, passage_languages), rows, passage_languages, strict=True
            )
        ]

    @property
    def _next(self) -> range:
        return range(1, 1 + self.negatives)


def gradients_of_one_step(
    negatives: int = 1,
    *,
    dropout: float = 0.0,
    micro_batch_tokens: int = 512,
    packed: bool = True,
    **changes: Any,
) -> tuple[float, Tensor]:
    """This process's loss, and the flat gradient that the update is made with; last in it the temperature's."""
    settings = {"batch_size": 8, "hard_negatives": negatives, "max_grad_norm": 1e9, "temperature": 0.2, "steps": 10}
    settings |= {"micro_batch_tokens": micro_batch_tokens, "temperature_learning_rate": 1e-3}
    config = TrialConfig.model_validate(settings | changes)
    corpus = Neighbours("toy", [LANGUAGES] * 40, [row // 2 for row in range(40)], negatives=negatives)
    encoder = toy_encoder(dropout=dropout, packed=packed)
    if config.lora:
        add_adapters(encoder, config.lora, config.seed)
        for name, parameter in encoder.named_parameters():
            if "lora_B" in name:  # as after some steps: at zero, the other half of the adapters has no gradient
                nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(len(name)))
    prepare(encoder.transformer, config)
    maker = BatchMaker([corpus], HybridSampler([corpus], config), encoder, config)
    held: list[Tensor] = []
    temperature = Temperature(config, encoder.device)
    optimizer = make_optimizer(encoder, temperature, config)
    optimizer.register_step_pre_hook(
        lambda *_: held.append(
            torch.cat([p.grad.flatten() for m in (encoder, temperature) for p in m.parameters() if p.grad is not None])
        )
    )
    batch = maker.make(3)
    assert world_size() > 1 or (len(batch.false_negatives_P2) > 0) == (negatives > 0)
    result = Stepper(encoder, temperature, optimizer, config).step(batch, 3)
    return float(result.loss), held[0]


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


def collectives_of_one_step() -> int:
    """How often this process waits for the others in a step, apart from DDP's own collectives."""
    with (
        patch.object(dist, "all_gather", wraps=dist.all_gather) as gathered,
        patch.object(dist, "all_reduce", wraps=dist.all_reduce) as reduced,
    ):
        gradients_of_one_step()
    return gathered.call_count + reduced.call_count


def test_a_step_waits_for_the_other_processes_as_rarely_as_it_can(run_in_group: RunInGroup) -> None:
    """For passages and their gradient, the touched rows' number, indices and values, and the temperature."""
    assert run_in_group(2, collectives_of_one_step) == [6, 6]


@pytest.mark.parametrize("negatives", [0, 1, 2])
def test_a_step_of_two_processes_has_the_gradient_of_one_process_on_the_joined_batch(
    run_in_group: RunInGroup, negatives: int
) -> None:
    loss, alone = gradients_of_one_step(negatives)
    together = run_in_group(2, gradients_of_one_step, negatives)
    assert sum(share for share, _ in together) / 2 == pytest.approx(loss, rel=1e-5)
    assert all(difference(gradient, alone) < 1e-4 for _, gradient in together)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("lora", [None, {"rank": 4, "dropout": 0.1}], ids=["all weights", "adapters"])
def test_gradient_caching_changes_neither_loss_nor_gradient_even_with_dropout(
    run_in_group: RunInGroup, processes: int, lora: dict[str, Any] | None
) -> None:
    plain, cached = (
        run_in_group(
            processes, gradients_of_one_step, lora=lora, gradient_caching=caching, dropout=0.1, micro_batch_tokens=200
        )
        for caching in (False, True)
    )
    for (plain_loss, plain_gradient), (cached_loss, cached_gradient) in zip(plain, cached, strict=True):
        assert cached_loss == pytest.approx(plain_loss, rel=1e-6)
        assert difference(cached_gradient, plain_gradient) < 1e-5


EXTRAS = {"alignment_weight": 1000.0, "negative_margin": 0.0}  # large, as the toy encoder embeds all texts alike


@pytest.mark.parametrize("changes", [EXTRAS, EXTRAS | {"gradient_caching": True}], ids=["plain", "gradient caching"])
def test_alignment_and_margin_have_the_same_gradient_on_two_processes_as_on_one(
    run_in_group: RunInGroup, changes: dict[str, Any]
) -> None:
    loss, alone = gradients_of_one_step(**changes)
    together = run_in_group(2, gradients_of_one_step, **changes)
    assert sum(share for share, _ in together) / 2 == pytest.approx(loss, rel=1e-5)
    assert all(difference(gradient, alone) < 1e-4 for _, gradient in together)
    plain_loss, plain = gradients_of_one_step()
    assert loss != pytest.approx(plain_loss, rel=1e-3)
    assert difference(alone, plain) > 1e-2


def test_the_size_of_micro_batches_does_not_change_the_gradient() -> None:
    _, whole = gradients_of_one_step(micro_batch_tokens=100_000)
    _, split = gradients_of_one_step(micro_batch_tokens=100)
    assert difference(split, whole) < 5e-5


@pytest.mark.parametrize("lora", [None, {"rank": 4, "dropout": 0.1}], ids=["all weights", "adapters"])
def test_gradient_checkpointing_changes_nothing_to_the_last_bit(lora: dict[str, Any] | None) -> None:
    _, plain = gradients_of_one_step(lora=lora, dropout=0.1)
    _, checkpointed = gradients_of_one_step(lora=lora, dropout=0.1, gradient_checkpointing=True)
    assert torch.equal(checkpointed, plain)


def test_a_gradient_that_is_not_finite_ends_the_trial_before_a_parameter_moves() -> None:
    config = TrialConfig(batch_size=4, steps=10, micro_batch_tokens=512)
    corpus = ToyCorpus.parallel(40, LANGUAGES)
    encoder = toy_encoder()
    batch = BatchMaker([corpus], HybridSampler([corpus], config), encoder, config).make(0)
    word = encoder.transformer.embeddings.word_embeddings.weight
    with torch.no_grad():
        word[5:] = float("inf")
    before = [parameter.clone() for parameter in encoder.parameters()]
    temperature = Temperature(config, encoder.device)
    stepper = Stepper(encoder, temperature, make_optimizer(encoder, temperature, config), config)
    with pytest.raises(DivergedError, match="not finite at step 7: lower learning_rate or raise temperature"):
        stepper.step(batch, 6)
    assert all(torch.equal(a, b) for a, b in zip(before, encoder.parameters(), strict=True))


def test_biases_norms_and_the_temperature_are_not_decayed() -> None:
    encoder = toy_encoder()
    config = TrialConfig(weight_decay=0.3, temperature_learning_rate=1e-2)
    temperature = Temperature(config, encoder.device)
    decayed, spared, learned = make_optimizer(encoder, temperature, config).param_groups
    assert [group["weight_decay"] for group in (decayed, spared, learned)] == [0.3, 0, 0]
    assert learned["params"] == [temperature.log]
    assert all(parameter.ndim > 1 for parameter in decayed["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(list(encoder.parameters()))


@pytest.mark.parametrize(
    "changes", [{}, {"gradient_caching": True}, {"gradient_checkpointing": True}, {"lora": {"rank": 4}}], ids=str
)
def test_padded_batches_have_the_loss_and_gradient_of_those_without_padding(changes: dict[str, Any]) -> None:
    (loss, gradient), (padded_loss, padded_gradient) = (
        gradients_of_one_step(packed=packed, micro_batch_tokens=200, **changes) for packed in (True, False)
    )
    assert loss == pytest.approx(padded_loss, abs=1e-5)
    assert difference(gradient, padded_gradient) < 1e-4


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_padded_batches_have_the_gradient_of_a_cached_step_with_the_same_dropout(dropout: float) -> None:
    plain, cached = (
        gradients_of_one_step(packed=False, dropout=dropout, gradient_caching=caching) for caching in (False, True)
    )
    assert cached[0] == pytest.approx(plain[0], abs=1e-5)
    assert difference(cached[1], plain[1]) < 1e-4


def test_the_temperature_moves_at_a_learning_rate_of_its_own() -> None:
    """Adam's first update is as large as the learning rate, whatever the gradient."""
    settings = {"learning_rate": 1e-4, "temperature_learning_rate": 1e-2, "weight_decay": 0, "warmup": 0, "steps": 10}
    config = TrialConfig.model_validate(settings | {"batch_size": 4, "micro_batch_tokens": 512})
    corpus, encoder = ToyCorpus.parallel(40, LANGUAGES), toy_encoder()
    batch = BatchMaker([corpus], HybridSampler([corpus], config), encoder, config).make(0)
    temperature = Temperature(config, encoder.device)
    before = [[p.detach().clone() for p in module.parameters()] for module in (encoder, temperature)]
    Stepper(encoder, temperature, make_optimizer(encoder, temperature, config), config).step(batch, 0)
    moved = [
        max(float((p.detach() - old).abs().max()) for p, old in zip(module.parameters(), held, strict=True))
        for module, held in zip((encoder, temperature), before, strict=True)
    ]
    assert moved == pytest.approx([1e-4, 1e-2], rel=1e-2)


def step_with_an_unused_parameter(changes: dict[str, Any]) -> None:
    config = TrialConfig.model_validate({"batch_size": 4, "steps": 10, "micro_batch_tokens": 512} | changes)
    corpus, encoder = ToyCorpus.parallel(40, LANGUAGES), toy_encoder()
    encoder.transformer.encoder.register_parameter("mask_emb", nn.Parameter(torch.zeros(1, 32)))
    batch = BatchMaker([corpus], HybridSampler([corpus], config), encoder, config).make(0)
    temperature = Temperature(config, encoder.device)
    Stepper(encoder, temperature, make_optimizer(encoder, temperature, config), config).step(batch, 0)


@pytest.mark.parametrize("changes", [{}, {"gradient_caching": True}], ids=["plain", "gradient caching"])
def test_several_workers_refuse_a_model_with_a_parameter_that_it_does_not_use(
    run_in_group: RunInGroup, changes: dict[str, Any]
) -> None:
    run_in_group(1, step_with_an_unused_parameter, changes)
    sentence = (
        "resources.workers: BertModel does not use its parameter transformer.encoder.mask_emb here, and 2 workers "
        "cannot train such a model: set workers to 1, or choose another backbone"
    )
    with pytest.raises(ExecutionError, match=sentence):
        run_in_group(2, step_with_an_unused_parameter, changes)
