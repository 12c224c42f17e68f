"""Low-rank adapters (LoRA, arXiv 2106.09685) through `peft`: a few per cent of the weights, or less, are trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from study.config import LoraConfig
from study.model.encoder import Encoder
from study.model.model_files import BackboneError
from tasks.plugins import nearest

ADAPTER = "default"


def add_adapters(encoder: Encoder, config: LoraConfig, seed: int) -> None:
    """Put an adapter beside each linear layer asked for, and freeze every other weight of the encoder.

    The transformer's own pooler counts as a head: heads get none. Embeddings stay what they were, as adapters start at
    zero.

    Raises:
        BackboneError: a target that no linear layer is called.
    """
    import peft  # noqa: PLC0415 - takes seconds: only where there are adapters

    linear = [name for name, held in encoder.transformer.named_modules() if isinstance(held, nn.Linear)]
    layers = {name: name.rpartition(".")[2] for name in linear if not name.startswith("pooler.")}
    for target in config.targets or ():
        if target not in layers.values():
            known = nearest(target, set(layers.values()))
            raise BackboneError(f"lora.targets: the backbone has no linear layer called '{target}': {known}")
    chosen = [name for name, last in layers.items() if config.targets is None or last in config.targets]
    settings = peft.LoraConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=chosen
    )
    encoder.requires_grad_(requires_grad=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # the same on every rank, and when a trial starts again
        peft.inject_adapter_in_model(settings, encoder.transformer, ADAPTER)


def merged_weights(transformer: nn.Module) -> dict[str, Tensor]:
    """Return the transformer's weights with its adapters added to them, under the names they had without."""
    weights = {
        name.replace(".base_layer.", "."): weight
        for name, weight in transformer.state_dict().items()
        if ".lora_" not in name
    }
    for name, layer in transformer.named_modules():
        if hasattr(layer, "lora_A"):
            weights[f"{name}.weight"] = weights[f"{name}.weight"] + layer.get_delta_weight(ADAPTER)
    return weights
