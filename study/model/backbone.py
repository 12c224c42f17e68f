"""From a backbone's name to an encoder: one loading path for built-in models, folders and hub ids.

Weights are safetensors; no code from a model folder is ever run.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import MODEL_MAPPING, AutoConfig, AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from study.config import Precision, TrialConfig
from study.model import cpu
from study.model.encoder import Dense, Encoder, Kind, TextForm
from study.model.lora import add_adapters
from study.model.pooling_and_prompts import Backbone, BackboneError, resolve

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "Tanh": nn.Tanh,
    "Identity": nn.Identity,
    "GELU": nn.GELU,
    "ReLU": nn.ReLU,
}
NUMBERED_FROM_PADDING = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"}
"""Model types whose positions are numbered from the padding id on, so that they have fewer than they state."""


def uses_bf16(precision: Precision, device: torch.device) -> bool:
    """Return whether the transformer runs in bfloat16 on this device."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return precision == "bf16"


def load_encoder(config: TrialConfig, device: torch.device) -> Encoder:
    """Return the trial's encoder on `device`, with the backbone's own weights."""
    bf16 = uses_bf16(config.precision, device)
    backbone = resolve(config)
    # Bars, and a table of the weights we leave out on purpose, would stand between our own lines.
    disable_progress_bar()
    set_verbosity_error()
    try:
        transformer = _transformer(backbone)
        tokenizer = AutoTokenizer.from_pretrained(backbone.folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        reason = _reason(backbone.folder, error)
        raise BackboneError(
            f"backbone '{config.backbone}' cannot be loaded from {backbone.folder}: {reason}"
        ) from error
    limit = _longest(transformer.config)
    forms: dict[Kind, TextForm] = {
        "query": TextForm(backbone.query_prefix, min(config.max_query_tokens, limit)),
        "passage": TextForm(backbone.passage_prefix, min(config.max_passage_tokens, limit)),
    }
    heads = [_dense(path) for path in backbone.dense]
    encoder = Encoder(transformer, tokenizer, backbone.pooling, heads, forms, bf16=bf16)
    if config.lora:
        add_adapters(encoder, config.lora, config.seed)
    if not bf16 and not config.compile and cpu.is_faster(device):
        cpu.use_onednn(encoder)
    return encoder.to(device)


def _reason(folder: Path, error: Exception) -> str:
    if not any(folder.glob("*.safetensors")):
        return (
            "it has no safetensors, and other weight formats are never loaded; where you trust the model, write them "
            "once with SentenceTransformer(...).save(folder) and name that folder"
        )
    settings = folder / "config.json"
    if settings.is_file() and "auto_map" in json.loads(settings.read_text("utf-8")):
        return "it needs code from its own folder, which is never run; choose a backbone that transformers knows"
    return str(error)


def _transformer(backbone: Backbone) -> nn.Module:
    settings = AutoConfig.from_pretrained(backbone.folder, local_files_only=True, trust_remote_code=False)
    architecture: Any = MODEL_MAPPING[type(settings)]
    known = inspect.signature(architecture).parameters
    # A pooler that nothing uses would be made up where the checkpoint has none, and never get a gradient.
    unused = {"add_pooling_layer": False} if "add_pooling_layer" in known and backbone.pooling != "pooler" else {}
    transformer: nn.Module = AutoModel.from_pretrained(
        backbone.folder, config=settings, local_files_only=True, use_safetensors=True, dtype=torch.float32, **unused
    )
    return transformer


def _dense(path: Path) -> Dense:
    settings = json.loads((path / "config.json").read_text("utf-8"))
    activation = settings.get("activation_function", "torch.nn.modules.activation.Tanh").rpartition(".")[2]
    if activation not in ACTIVATIONS:
        raise BackboneError(
            f"{path / 'config.json'} asks for activation '{activation}'; known are {sorted(ACTIVATIONS)}"
        )
    weights = path / "model.safetensors"
    if not weights.is_file():
        raise BackboneError(f"{path} has no model.safetensors; other weight formats are not loaded")
    linear = nn.Linear(settings["in_features"], settings["out_features"], bias=settings.get("bias", True))
    linear.load_state_dict({key.removeprefix("linear."): value for key, value in load_file(weights).items()})
    return Dense(linear, ACTIVATIONS[activation]())


def _longest(model_config: Any) -> int:
    positions: int = getattr(model_config, "max_position_embeddings", 0) or 10**6
    numbered_from_padding = model_config.model_type in NUMBERED_FROM_PADDING
    return positions - model_config.pad_token_id - 1 if numbered_from_padding else positions
