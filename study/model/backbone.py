"""From a backbone's name to an encoder: one loading path for built-in models, folders and hub ids.

Weights are safetensors, and no code from a model's folder is ever run. A model whose files lack some of its weights is
refused: transformers would draw them at random.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import normalizers
from torch import Tensor, nn
from transformers import MODEL_MAPPING, AutoConfig, AutoTokenizer
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from study.config import Precision, TrialConfig
from study.model import cpu
from study.model.encoder import Dense, Encoder, Kind, Normalize, TextForm
from study.model.lora import add_adapters
from study.model.model_files import (
    CONFIG,
    TOKENIZER_CONFIG,
    WEIGHTS,
    BackboneError,
    BackboneFilesError,
    read_json,
    read_shapes,
    stated,
    weight_files,
)
from study.model.pooling import POOLINGS
from study.model.pooling_and_prompts import Backbone, resolve
from study.model.sentence_transformers_files import POOLED, Head
from tasks.errors import NodeError

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "Tanh": nn.Tanh,
    "Identity": nn.Identity,
    "GELU": nn.GELU,
    "ReLU": nn.ReLU,
}
_READING = (OSError, MemoryError, SafetensorError, JSONDecodeError)
"""Errors of what this machine holds, and not of what the model is."""
SMALLEST_VOCABULARY = 0.5
"""Share of a model's token embeddings that its tokenizer must use; one that uses fewer belongs to another model."""


def uses_bf16(precision: Precision, device: torch.device) -> bool:
    """Return whether the transformer runs in bfloat16 on this device.

    Raises:
        NodeError: `bf16` on a GPU that does not compute in it, as before Ampere.
    """
    if device.type != "cuda":
        return precision == "bf16"
    computes = torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" and not computes:
        raise NodeError(
            f"precision bf16: {torch.cuda.get_device_name(device)} does not compute in bfloat16; set precision to auto "
            "or fp32"
        )
    return computes if precision == "auto" else precision == "bf16"


def used_precision(precision: Precision, device: torch.device) -> Precision:
    """Return `bf16` or `fp32`, whichever the transformer runs in on this device.

    Raises:
        NodeError: see `uses_bf16`.
    """
    return "bf16" if uses_bf16(precision, device) else "fp32"


def load_encoder(config: TrialConfig, device: torch.device) -> Encoder:
    """Return the trial's encoder on `device`, with the backbone's own weights.

    Raises:
        BackboneError: the backbone cannot be used.
        NodeError: see `uses_bf16`.
    """
    bf16 = uses_bf16(config.precision, device)
    backbone = resolve(config)
    encoder = _encoder(config, backbone, _transformer(backbone), bf16=bf16)
    encoder.check_room()
    if device.type == "cpu" and not config.compile:
        cpu.use_onednn(encoder, bf16=bf16)
    if device.type == "cuda":
        # cuDNN's attention prepares itself for every new shape of a padded batch: a step of 32 pairs took 0.19 s, and
        # 0.05 s where its shape was known (experiments/2026-11-27-gpu).
        torch.backends.cuda.enable_cudnn_sdp(False)
        # Some containers turn TF32 on in their environment, and fp32 would be another precision there.
        torch.set_float32_matmul_precision("highest")
    return encoder.to(device)


def check_backbone(config: TrialConfig, *, room: bool = True) -> Backbone:
    """Refuse whatever `load_encoder` would refuse, from the shapes of the transformer's weights and not their values.

    This takes a fraction of a second and hardly any memory, whatever the size of the model.

    Args:
        config: the trial.
        room: whether prefixes that leave no room for text are refused too.

    Raises:
        BackboneError: the backbone cannot be used.
    """
    backbone = resolve(config)
    shapes = {name: shape for file in weight_files(backbone.folder) for name, shape in read_shapes(file).items()}
    zero = torch.zeros(())
    weights = {name: zero.expand(shape) for name, shape in shapes.items()}
    encoder = _encoder(config, backbone, _transformer(backbone, weights))
    if room:
        encoder.check_room()
    return backbone


def _encoder(config: TrialConfig, backbone: Backbone, transformer: Any, *, bf16: bool = False) -> Encoder:
    forms: dict[Kind, TextForm] = {
        "query": TextForm(backbone.query_prefix, backbone.max_query_tokens),
        "passage": TextForm(backbone.passage_prefix, backbone.max_passage_tokens),
    }
    tokenizer = _tokenizer(backbone, transformer)
    heads = _heads(backbone.heads, transformer.config.get_text_config().hidden_size)
    encoder = Encoder(transformer, tokenizer, backbone.pooling, heads, forms, bf16=bf16)
    if not config.compile:  # a compiled transformer would be compiled anew for other lengths of texts
        encoder.pack()
    if config.lora:
        add_adapters(encoder, config.lora, config.seed)
    return encoder


def _transformer(backbone: Backbone, weights: Mapping[str, Tensor] | None = None) -> nn.Module:
    """Return the transformer with its own weights, or with those given under the names that its files use."""
    # transformers prints progress bars, and a table of the weights that are left out on purpose.
    disable_progress_bar()
    set_verbosity_error()
    folder, uses_pooler = backbone.folder, POOLINGS[backbone.pooling].uses_pooler
    try:
        settings = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if hasattr(settings, "use_cache"):
            settings.use_cache = False  # keys and values of all layers, which only the generation of text reads
        architecture = _architecture(folder, settings)
        known = inspect.signature(architecture).parameters
        # A pooler that nothing uses would never get a gradient.
        unused = {"add_pooling_layer": False} if "add_pooling_layer" in known and not uses_pooler else {}
        transformer, loading = architecture.from_pretrained(
            folder if weights is None else None,
            config=settings,
            state_dict=weights,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            **unused,
        )
    except BackboneError:
        raise
    except Exception as error:  # transformers raises many kinds for settings that it does not know
        reason = f"{type(error).__name__}: {' '.join(str(error).split()).partition('. ')[0]}"
        kind = BackboneFilesError if isinstance(error, _READING) else BackboneError
        raise kind(f"{folder} cannot be loaded by transformers {transformers.__version__}: {reason}") from error
    if uses_pooler and getattr(transformer, "pooler", None) is None:
        raise BackboneError(
            f"pooling: {type(transformer).__name__} in {folder} has no pooler of its own: choose another"
        )
    missing = [key for key in loading["missing_keys"] if uses_pooler or not key.startswith("pooler.")]
    _check_loaded(folder, missing, loading["mismatched_keys"])
    loaded: nn.Module = transformer
    return loaded


def _architecture(folder: Path, settings: Any) -> Any:
    """Return the class of the model, or of its encoder where it has an encoder and a decoder."""
    if type(settings) not in MODEL_MAPPING:
        raise BackboneError(f"{folder / CONFIG}: transformers has no encoder for model type '{settings.model_type}'")
    architecture: Any = MODEL_MAPPING[type(settings)]
    encoder = getattr(transformers, architecture.__name__.replace("Model", "EncoderModel"), None)
    if encoder is None and settings.is_encoder_decoder:
        raise BackboneError(
            f"{folder / CONFIG}: model type '{settings.model_type}' has an encoder and a decoder, and transformers "
            "cannot load the encoder alone: choose an encoder, or a model of T5's kind"
        )
    chosen = encoder or architecture
    if "attention_mask" not in inspect.signature(chosen.forward).parameters:
        raise BackboneError(
            f"{folder / CONFIG}: model type '{settings.model_type}' takes no attention mask, so that the "
            "embedding of a text would depend on the texts beside it: choose another"
        )
    if chosen.main_input_name != "input_ids" or settings.sub_configs.keys() & {"vision_config", "audio_config"}:
        raise BackboneError(
            f"{folder / CONFIG}: model type '{settings.model_type}' reads images or sound: choose a model of text alone"
        )
    return chosen


def _check_loaded(folder: Path, missing: list[str], mismatched: Any) -> None:
    """Refuse a model with missing or misshapen weights, which transformers would initialize at random."""
    if missing:
        raise BackboneError(
            f"the weights in {folder} lack {_some(missing)}, as {CONFIG} describes the model: they are of another "
            "model or are named for code of its own"
        )
    if mismatched:
        key, stored, expected = min(mismatched)
        raise BackboneError(
            f"{folder}: {key} has shape {tuple(stored)} where {CONFIG} asks for {tuple(expected)}: the files are of "
            "two models, so copy the model again"
        )


def _some(keys: list[str]) -> str:
    shown = ", ".join(sorted(keys)[:2])
    return shown if len(keys) <= 2 else f"{shown} and {len(keys) - 2} more"


def _tokenizer(backbone: Backbone, transformer: Any) -> Any:
    folder = backbone.folder
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises plain ones where a file is cut or cannot be read
        kind = BackboneFilesError if type(error) is Exception or isinstance(error, _READING) else BackboneError
        raise kind(f"the tokenizer in {folder} cannot be loaded: {' '.join(str(error).split())}") from error
    if not tokenizer.is_fast:
        raise BackboneError(
            f"the tokenizer in {folder} is not a fast one ({type(tokenizer).__name__}): choose another model"
        )
    rows = _token_embeddings(folder, transformer)
    if len(tokenizer) < SMALLEST_VOCABULARY * rows:
        raise BackboneError(
            f"the tokenizer in {folder} has {len(tokenizer):,} tokens and the model embeds {rows:,}: it is incomplete "
            "or another model's, so copy the tokenizer's files again"
        )
    if tokenizer.pad_token_id is None:
        raise BackboneError(f"{folder / TOKENIZER_CONFIG} names no pad_token, which batches need: write one there")
    if (largest := max([tokenizer.pad_token_id, *tokenizer("").input_ids])) >= rows:
        raise BackboneError(
            f"the tokenizer in {folder} adds or pads with token {largest:,}, and the model embeds {rows:,}: "
            "resize its embeddings (resize_token_embeddings), and save both"
        )
    if backbone.lower_case:
        backend = tokenizer.backend_tokenizer
        before = [] if backend.normalizer is None else [backend.normalizer]
        backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *before])
    return tokenizer


def _token_embeddings(folder: Path, transformer: Any) -> int:
    """Return how many tokens a transformer embeds."""
    try:
        embedding = transformer.get_input_embeddings()
    except NotImplementedError:
        embedding = None
    if not isinstance(embedding, nn.Embedding):
        raise BackboneError(
            f"{type(transformer).__name__} in {folder} has no table of token embeddings: choose another"
        )
    return embedding.num_embeddings


def _heads(heads: Sequence[Head], width: int) -> list[nn.Module]:
    """Return the modules after pooling, for vectors of the given width."""
    modules: list[nn.Module] = []
    for head in heads:
        if head.kind == "Normalize":
            modules.append(Normalize())
            continue
        dense = _dense(head)
        if dense.linear.in_features != width:
            raise BackboneError(f"{head.path / CONFIG} takes {dense.linear.in_features} features and gets {width}")
        width = dense.linear.out_features
        modules.append(dense)
    return modules


def _dense(head: Head) -> Dense:
    settings = read_json(head.path / CONFIG)
    function = stated(head.path / CONFIG, settings, "activation_function", str) or "torch.nn.modules.activation.Tanh"
    package, _, activation = function.rpartition(".")
    if activation not in ACTIVATIONS or not package.startswith("torch.nn."):
        raise BackboneError(
            f"{head.path / CONFIG} asks for activation '{activation}': known are {', '.join(sorted(ACTIVATIONS))}"
        )
    other = settings.keys() - {"in_features", "out_features", "bias", "activation_function"}
    asked = sorted(key for key in other if settings[key] not in (None, False, POOLED))
    if asked:
        raise BackboneError(f"{head.path / CONFIG} asks for {', '.join(asked)}, which the study does not do")
    weights = head.path / WEIGHTS
    if not weights.is_file():
        raise BackboneError(f"{head.path} has no {WEIGHTS}: other weight formats are not loaded")
    read_shapes(weights)
    try:
        linear = nn.Linear(settings["in_features"], settings["out_features"], bias=settings.get("bias", True))
        linear.load_state_dict({key.removeprefix("linear."): value for key, value in load_file(weights).items()})
    except (KeyError, TypeError, RuntimeError) as error:
        raise BackboneError(f"{weights} does not fit {CONFIG} beside it: {' '.join(str(error).split())}") from error
    return Dense(linear, ACTIVATIONS[activation]())
