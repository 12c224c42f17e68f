from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import T5Config, T5EncoderModel

from study.config import TrialConfig
from study.model.cpu import TouchedRows
from study.model.encoder import Encoder
from study.training.batch import BatchMaker
from study.training.loss import contrastive_loss
from study.training.sampler import HybridSampler
from study.training.schedules import Temperature
from study.training.step import Stepper, make_optimizer
from tests.toy_corpus import ToyCorpus
from tests.toy_encoder import byte_tokenizer, toy_encoder


@pytest.mark.parametrize("caching", [False, True])
def test_an_update_sees_the_dense_gradient_of_its_step_and_nothing_of_the_step_before(caching: bool) -> None:
    config = TrialConfig(
        batch_size=4, steps=10, temperature=0.2, max_grad_norm=1e9, gradient_caching=caching, micro_batch_tokens=100
    )
    corpus = ToyCorpus.parallel(40, ("ar", "th", "zh"))
    encoder = toy_encoder()
    maker = BatchMaker([corpus], HybridSampler([corpus], config), encoder, config)
    temperature = Temperature(config, encoder.device)
    optimizer = make_optimizer(encoder, temperature, config)
    stepper = Stepper(encoder, temperature, optimizer, config)
    weight = encoder.transformer.get_input_embeddings().weight
    held: list[Tensor] = []
    optimizer.register_step_pre_hook(lambda *_: held.append(weight.grad.clone()))
    for step in range(3):
        batch, alone = maker.make(step), deepcopy(encoder)
        alone.transformer.get_input_embeddings().sparse = False
        assert len(batch.micro_batches) > 1
        query_BD, passage_MD, _ = batch.split(alone(batch.micro_batches, [0] * len(batch.micro_batches)))
        contrastive_loss(query_BD, passage_MD, 0.2, batch.false_negatives_P2).backward()
        stepper.step(batch, step)
        torch.testing.assert_close(held[-1], alone.transformer.get_input_embeddings().weight.grad)
        assert (held[-1] == 0).all(dim=1).any()


def test_embeddings_under_two_names_as_t5_has_them_are_sparse_under_both_and_left_to_the_study_by_ddp() -> None:
    shape = {"vocab_size": 260, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    forms = toy_encoder().forms
    encoder = Encoder(T5EncoderModel(T5Config.from_dict(shape)), byte_tokenizer(), "mean", [], forms).eval()
    ids = encoder.tokenize(["ใคร", "北京"], "query")
    encoder.embed(ids).sum().backward()
    weight = encoder.transformer.get_input_embeddings().weight
    dense = weight.grad.clone()
    weight.grad = None
    rows = TouchedRows(encoder, TrialConfig())
    encoder.embed(ids).sum().backward()
    assert weight.grad.is_sparse
    rows.densify()
    torch.testing.assert_close(weight.grad, dense)
    names = {"transformer.shared.weight", "transformer.encoder.embed_tokens.weight"}
    left_out: Any = encoder._ddp_params_and_buffers_to_ignore
    assert set(left_out) == names
