from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from study.config import BUILTIN_BACKBONES, BUILTIN_LAYERS, TrialConfig
from study.config_sections import LoraConfig
from study.model.backbone import load_encoder
from study.model.encoder import Encoder
from study.model.lora import add_adapters
from study.model.model_files import BackboneError
from study.model.sentence_transformers_folder import export
from study.training import checkpoint
from study.training.loop import Training
from tests.toy_corpus import ToyCorpus
from tests.toy_encoder import toy_encoder

CPU = torch.device("cpu")
TEXTS = ["กรุงเทพมหานคร", "北京是中国的首都。", "ما العملة؟"]


def config(backbone: str) -> TrialConfig:
    settings = {"backbone": backbone, "lora": {"rank": 4}, "batch_size": 8, "steps": 3, "learning_rate": 1e-1}
    return TrialConfig.model_validate(settings | {"max_query_tokens": 64, "max_passage_tokens": 64})


@pytest.mark.parametrize("backbone", BUILTIN_BACKBONES)
def test_the_linear_layers_of_built_in_backbones_are_those_that_are_known_without_torch(backbone: str) -> None:
    transformer = load_encoder(TrialConfig(backbone=backbone), CPU).transformer
    named = {name.rpartition(".")[2] for name, module in transformer.named_modules() if isinstance(module, nn.Linear)}
    assert named == set(BUILTIN_LAYERS)


def embeddings(encoder: Encoder) -> Tensor:
    with torch.no_grad():
        return encoder.eval().embed(encoder.tokenize(TEXTS, "query"))


def trained(backbone: str) -> Training:
    settings = config(backbone)
    held = Training(settings, load_encoder(settings, CPU), [ToyCorpus.parallel(40, ("ar", "th", "zh"))])
    assert len(list(held.run())) == 3
    return held


@pytest.mark.parametrize("backbone", ["builtin/xlmr-tiny", "builtin/labse-tiny"])
def test_adapters_start_at_the_backbones_own_embeddings(backbone: str) -> None:
    plain = load_encoder(TrialConfig(backbone=backbone), CPU)
    assert torch.equal(embeddings(load_encoder(config(backbone), CPU)), embeddings(plain))


@pytest.mark.parametrize("backbone", ["builtin/xlmr-tiny", "builtin/labse-tiny"])
def test_adapters_alone_are_trained_optimized_and_saved(tmp_path: Path, backbone: str) -> None:
    held = trained(backbone)
    plain = load_encoder(TrialConfig(backbone=backbone), CPU)
    moving = {name: p for name, p in held.encoder.named_parameters() if p.requires_grad}
    optimized = [p for group in held.optimizer.param_groups for p in group["params"]]
    assert moving
    assert all("lora_" in name for name in moving)
    assert {id(p) for p in optimized} == {id(p) for p in moving.values()}
    weights = held.encoder.state_dict()
    for name, weight in plain.state_dict().items():
        frozen = weights.get(name, weights.get(name.replace(".weight", ".base_layer.weight")))
        frozen = weights[name.replace(".bias", ".base_layer.bias")] if frozen is None else frozen
        assert torch.equal(frozen, weight), name
    checkpoint.save(tmp_path, held.encoder, held.optimizer, held.progress)
    assert load_file(tmp_path / checkpoint.WEIGHTS).keys() == moving.keys()


@pytest.mark.parametrize("backbone", ["builtin/xlmr-tiny", "builtin/labse-tiny"])
def test_an_export_has_the_adapters_merged_into_an_ordinary_model(tmp_path: Path, backbone: str) -> None:
    encoder = trained(backbone).encoder
    expected = embeddings(encoder)
    assert (expected - embeddings(load_encoder(config(backbone), CPU))).abs().max() > 0.01
    export(encoder, tmp_path / "model", "")
    assert torch.equal(embeddings(encoder), expected)
    again = load_encoder(TrialConfig(backbone=str(tmp_path / "model")), CPU)
    assert not any("lora" in name for name in again.state_dict())
    theirs = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    for other in (embeddings(again), torch.from_numpy(theirs.encode_query(TEXTS))):
        torch.testing.assert_close(other, expected, atol=1e-5, rtol=0)


def test_targets_choose_layers_by_their_last_name_and_the_pooler_never_has_one() -> None:
    every, some = toy_encoder(pooling="pooler"), toy_encoder(pooling="pooler")
    add_adapters(every, LoraConfig(), seed=0)
    add_adapters(some, LoraConfig(targets=("query", "value")), seed=0)
    layers = [
        {name.partition(".lora_")[0] for name, _ in held.named_parameters() if "lora_" in name}
        for held in (every, some)
    ]
    assert [len(held) for held in layers] == [2 * 6, 2 * 2]  # two layers of query, key, value and three dense ones
    assert not any("pooler" in name for held in layers for name in held)


def test_a_target_that_is_no_layer_is_refused_with_the_nearest() -> None:
    with pytest.raises(BackboneError, match=r"lora\.targets: .* no linear layer called 'querry': did you mean 'query'"):
        add_adapters(toy_encoder(), LoraConfig(targets=("querry",)), seed=0)


def test_adapters_are_scaled_by_alpha_over_rank_and_drop_out_their_input() -> None:
    encoder = toy_encoder()
    add_adapters(encoder, LoraConfig(rank=4, alpha=6, dropout=0.25), seed=0)
    layers: list[Any] = [module for module in encoder.modules() if hasattr(module, "lora_A")]
    assert [layer.scaling["default"] for layer in layers] == [6 / 4] * 2 * 6
    assert [layer.lora_dropout["default"].p for layer in layers] == [0.25] * 2 * 6
