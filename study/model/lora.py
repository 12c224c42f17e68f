"""Low-rank adapters (LoRA, arXiv 2106.09685) through `peft`: a few percent of the weights, or fewer, are trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from study.config_sections import LoraConfig
from study.model.encoder import Encoder
from study.model.model_files import BackboneError
from tasks.plugins import nearest

ADAPTER = "default"


def add_adapters(encoder: Encoder, config: LoraConfig, seed: int) -> None:
    """Add adapters to linear layers of the transformer, and freeze all other weights of the encoder.

    Heads, and the transformer's own pooler, get no adapters. Adapters start at zero, so embeddings do not change yet.

    Args:
        encoder: changed in place.
        config: rank, scale and dropout of the adapters, and which layers get them.
        seed: of the adapters' initial weights.

    Raises:
        BackboneError: no linear layer has the name of a target, or the transformer has no linear layers.
    """
    import peft  # noqa: PLC0415 - takes seconds: only if there are adapters

    linear = [name for name, module in encoder.transformer.named_modules() if isinstance(module, nn.Linear)]
    layers = {name: name.rpartition(".")[2] for name in linear if not name.startswith("pooler.")}
    for target in config.targets or ():
        if target not in layers.values():
            known = nearest(target, set(layers.values()))
            raise BackboneError(f"lora.targets: the backbone has no linear layer called '{target}': {known}")
    if not layers:
        raise BackboneError(
            f"lora: {type(encoder.transformer).__name__} has no linear layers to adapt: leave lora out, or choose "
            "another backbone"
        )
    chosen = [name for name, last in layers.items() if config.targets is None or last in config.targets]
    settings = peft.LoraConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=chosen
    )
    encoder.requires_grad_(requires_grad=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # the same on every rank, and when a trial starts again
        peft.inject_adapter_in_model(settings, encoder.transformer, ADAPTER)


def merged_weights(transformer: nn.Module) -> dict[str, Tensor]:
    """Return the transformer's weights, its adapters merged into them, under the names of a model without adapters."""
    weights = {
        name.replace(".base_layer.", "."): weight
        for name, weight in transformer.state_dict().items()
        if ".lora_" not in name
    }
    for name, layer in transformer.named_modules():
        if hasattr(layer, "lora_A"):
            weights[f"{name}.weight"] = weights[f"{name}.weight"] + layer.get_delta_weight(ADAPTER)
    return weights
