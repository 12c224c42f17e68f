"""Exports an encoder as a sentence-transformers folder with the same embeddings.

The files are written here, in the layout of sentence-transformers 2, which all later versions read, so that the library
is no dependency. That layout has one length limit for all texts, while the study has one for queries and one for
passages: the folder gets the longer one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from tokenizers import normalizers
from torch import Tensor, nn

from study.model.encoder import Dense, Encoder
from study.model.lora import merged_weights
from study.model.pooling import POOLINGS
from study.model.sentence_transformers_files import COMPLETE
from tasks.errors import UserError

CARD = "README.md"
ROTARY_BASES = {
    "modernbert": {"full_attention": "global_rope_theta", "sliding_attention": "local_rope_theta"},
    "gemma3_text": {"full_attention": "rope_theta", "sliding_attention": "rope_local_base_freq"},
}
"""Model types with a base for each kind of layer, and the keys that transformers 4 reads these under."""
LANGUAGE_MEANS = "language_means.safetensors"
"""Mean passage embedding by language, and `all`, the mean of these means."""


class ExportError(UserError):
    """An encoder that cannot be exported, or a folder that cannot be written."""


def export(encoder: Encoder, folder: Path, card: str, language_means: Mapping[str, Tensor] | None = None) -> None:
    """Write a folder that `SentenceTransformer(folder)` and `backbone: <folder>` both load.

    Args:
        encoder: its weights are written in fp32, adapters merged into them.
        folder: must not exist; it appears complete or not at all. Its parents are made.
        card: the model card, Markdown.
        language_means: written beside the model as `LANGUAGE_MEANS`, if given.

    Raises:
        ExportError: the folder exists, or the transformer's own pooler is not a dense layer with tanh.
    """
    if folder.exists():
        raise ExportError(f"{folder} exists: choose another --output, or remove it")
    heads = [*_pooler(encoder), *encoder.heads]
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    encoder.transformer.save_pretrained(partial, state_dict=merged_weights(encoder.transformer))
    encoder.tokenizer.save_pretrained(partial)
    for name in ("config.json", "tokenizer_config.json"):
        _remove_code(partial / name)
    _state_rotary_base(partial / "config.json")
    longest = max(form.max_tokens for form in encoder.forms.values())
    _write_json(
        partial / "sentence_bert_config.json",
        {"max_seq_length": longest, "do_lower_case": _lowercases(encoder.tokenizer)},
    )
    _write_json(
        partial / "config_sentence_transformers.json",
        {
            "model_type": "SentenceTransformer",
            "prompts": {"query": encoder.forms["query"].prefix, "document": encoder.forms["passage"].prefix},
            COMPLETE: True,
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )
    _write_modules(partial, encoder, heads)
    (partial / CARD).write_text(card, "utf-8")
    if language_means is not None:
        save_file(dict(language_means), partial / LANGUAGE_MEANS)
    partial.rename(folder)


def _remove_code(path: Path) -> None:
    """Remove `auto_map`, with which `trust_remote_code=True` would run other code than was evaluated."""
    settings = json.loads(path.read_text("utf-8"))
    settings.pop("auto_map", None)
    _write_json(path, settings)


def _state_rotary_base(path: Path) -> None:
    """Write the base of rotary positions where transformers 4, and servers built on it, look for it too.

    They ignore `rope_parameters` of transformers 5 without a word, and take the base that is usual for the type.
    """
    settings = json.loads(path.read_text("utf-8"))
    rotary = settings.get("rope_parameters") or {}
    if "rope_theta" in rotary:
        settings["rope_theta"] = rotary["rope_theta"]
        if rotary.get("rope_type", "default") != "default":
            settings["rope_scaling"] = rotary
    for layers, key in ROTARY_BASES.get(settings["model_type"], {}).items():
        settings[key] = rotary[layers]["rope_theta"]
    _write_json(path, settings)


def _lowercases(tokenizer: Any) -> bool:
    """Return whether a tokenizer lowercases: some classes lose a normalizer that was added when they are saved."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    parts: Any = normalizer if isinstance(normalizer, normalizers.Sequence) else [normalizer]
    return any(isinstance(part, normalizers.Lowercase) for part in parts)


def _pooler(encoder: Encoder) -> list[Dense]:
    """Return the transformer's own pooler as a dense layer over the first token, which it is."""
    if not POOLINGS[encoder.pooling].uses_pooler:
        return []
    pooler = encoder.transformer.pooler
    linear, activation = getattr(pooler, "dense", None), getattr(pooler, "activation", None)
    if not isinstance(linear, nn.Linear) or not isinstance(activation, nn.Tanh):
        raise ExportError(f"the pooler {type(pooler).__name__} cannot be exported: train with pooling mean or first")
    return [Dense(linear, activation)]


def _write_modules(folder: Path, encoder: Encoder, heads: list[Any]) -> None:
    kinds = ["Transformer", "Pooling", *(type(head).__name__ for head in heads), "Normalize"]
    paths = ["" if kind == "Transformer" else f"{index}_{kind}" for index, kind in enumerate(kinds)]
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    _write_json(folder / "modules.json", modules)
    for path in paths[1:]:
        (folder / path).mkdir()
    pooling = {
        "word_embedding_dimension": encoder.transformer.config.get_text_config().hidden_size,
        **{pooling.flag: pooling.flag == POOLINGS[encoder.pooling].flag for pooling in POOLINGS.values()},
    }
    _write_json(folder / paths[1] / "config.json", pooling)
    for path, head in zip(paths[2:], heads, strict=False):  # Normalize, the last, has no files
        if isinstance(head, Dense):
            _write_dense(folder / path, head)


def _write_dense(folder: Path, head: Dense) -> None:
    activation = type(head.activation)
    settings = {
        "in_features": head.linear.in_features,
        "out_features": head.linear.out_features,
        "bias": head.linear.bias is not None,
        "activation_function": f"{activation.__module__}.{activation.__qualname__}",
    }
    _write_json(folder / "config.json", settings)
    weights = {f"linear.{key}": value.detach().contiguous() for key, value in head.linear.state_dict().items()}
    save_file(weights, folder / "model.safetensors")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")
