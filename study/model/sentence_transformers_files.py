"""Read a model's files for sentence-transformers: modules, pooling, similarity and limits. Starts without torch.

Whatever they ask for that would change embeddings, and that the study does not do, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from study.model.model_files import CONFIG, TOKENIZER_CONFIG, BackboneError, name_words, read_json, stated
from study.model.pooling import POOLINGS

NUMBERED_FROM_PADDING = {
    *("roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert", "mpnet", "longformer", "luke"),
    "data2vec-text",
}
"""Model types that number positions from the padding id on, so that they have fewer than they state."""

SENTENCE_TRANSFORMERS = "config_sentence_transformers.json"
SENTENCE_BERT = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""Where sentence-transformers looks for the transformer's settings; only the first is written today."""
COMPLETE = "prompts_are_complete"
"""Our own key in an exported folder: an empty prompt there means none. Other tools write empty prompts by default."""
POOLED = "sentence_embedding"
"""sentence-transformers' name of the pooled vector, which modules after the pooling take and return."""
_OF_TEXT = {"method": "forward", "method_output_name": "last_hidden_state"}
"""How a transformer's output is made from a text, where `modality_config` says so."""
_LENGTHS = {"max_seq_length", "query_length", "document_length"}
_WITHOUT_EFFECT = {"modality_config", "unpad_inputs", "do_lower_case"} | _LENGTHS
"""Keys of `sentence_bert_config.json` that are read here, or that change no embedding of a text."""
_LOADING = {"attn_implementation", "torch_dtype", "dtype", "add_pooling_layer"}
"""Likewise, of its `model_args`."""


class Head(NamedTuple):
    """A module applied after pooling."""

    kind: str
    """`Dense` or `Normalize`."""
    path: Path


def split_modules(
    root: Path, modules: Sequence[Mapping[str, str]] | None
) -> tuple[Path, Path | None, tuple[Head, ...]]:
    """Return the transformer's folder, the pooling's file, and the modules after pooling in their order.

    Args:
        root: the model's folder.
        modules: what `modules.json` lists; None without that file.

    Raises:
        BackboneError: a module is unknown or needs code of its own, or embeddings are not to be compared by cosine.
    """
    folder, pooling, heads = root, None, []
    for module in modules or ():
        package, _, kind = module["type"].rpartition(".")
        if package.partition(".")[0] != "sentence_transformers":
            raise BackboneError(
                f"{root / 'modules.json'} asks for '{module['type']}', code from outside sentence-transformers, which "
                "is never run: choose another model"
            )
        path = root / module["path"]
        if kind == "Transformer":
            folder = path
        elif kind == "Pooling":
            pooling = path / "config.json"
        elif kind in {"Dense", "Normalize"}:
            _check_place(root, kind, path, pooling)
            heads.append(Head(kind, path))
        else:
            raise BackboneError(
                f"{root / 'modules.json'} asks for a '{kind}' module: known are Transformer, Pooling, Dense, Normalize"
            )
    _check_similarity(root, heads)
    while heads and heads[-1].kind == "Normalize":  # the encoder normalizes in any case
        heads.pop()
    return folder, pooling, tuple(heads)


def _check_place(root: Path, kind: str, path: Path, pooling: Path | None) -> None:
    """Refuse a module that does not take the pooled vector and return it."""
    if pooling is None:
        raise BackboneError(
            f"{root / 'modules.json'} has a '{kind}' module before the Pooling, and the study knows them after it alone"
        )
    if kind == "Normalize":
        settings = read_json(path / CONFIG)
        for key in ("module_input_name", "module_output_name"):
            if settings.get(key) not in (None, POOLED):
                raise BackboneError(
                    f"{path / CONFIG}: {key} is {settings[key]!r}, and the study knows '{POOLED}' alone"
                )


def _check_similarity(root: Path, heads: Sequence[Head]) -> None:
    """Refuse embeddings that are not meant to be compared by their cosine."""
    path = root / SENTENCE_TRANSFORMERS
    settings = read_json(path)
    similarity = stated(path, settings, "similarity_fn_name", str)
    normalized = bool(heads) and heads[-1].kind == "Normalize"
    if similarity is None and "dot" in name_words(root) and not normalized:
        raise BackboneError(
            f"{root} does not normalize its embeddings, and its name says that they are compared by dot product, where "
            f'the study compares by cosine: write "similarity_fn_name": "cosine" into {path.name} if that is what you '
            "want, or choose another model"
        )
    similarity = similarity or "cosine"
    if similarity != "cosine" and not (similarity == "dot" and normalized):
        raise BackboneError(
            f"{path} asks for similarity_fn_name '{similarity}' of embeddings that are not normalized, and the study "
            "compares by cosine: write cosine there if that is what you want, or choose another model"
        )
    if settings.get("truncate_dim"):
        raise BackboneError(f"{path} sets truncate_dim, and the study keeps all dimensions: remove it there")
    kind = settings.get("model_type") or "SentenceTransformer"
    if kind != "SentenceTransformer":
        raise BackboneError(f"{path} says that the model is a {kind}, which does not give one vector for a text")


def read_pooling(path: Path | None) -> str:
    """Return the pooling that a model's file asks for, a key of `POOLINGS`.

    Raises:
        BackboneError: there is no file, or it asks for a pooling that the study does not have.
    """
    if path is None or not path.is_file():
        missing = "1_Pooling/config.json" if path is None else str(path)
        raise BackboneError(f"the model has a modules.json but no {missing}: copy it too, or set pooling")
    settings = read_json(path)
    given = settings.get("pooling_mode") or [
        key for key, value in settings.items() if key.startswith("pooling_mode_") and value
    ]
    modes = [str(mode) for mode in (given if isinstance(given, list) else [given])] or ["mean"]
    names = {name: key for key, pooling in POOLINGS.items() if not pooling.uses_pooler for name in pooling[1:3]}
    if len(modes) != 1 or modes[0] not in names or not settings.get("include_prompt", True):
        known = ", ".join(pooling.mode for pooling in POOLINGS.values() if not pooling.uses_pooler)
        without = "" if settings.get("include_prompt", True) else " without the prompt's tokens"
        raise BackboneError(
            f"{path} asks for pooling {' and '.join(modes)}{without}: known are {known}, one at a time and "
            "over all tokens; set pooling to train with another"
        )
    return names[modes[0]]


def read_sentence_bert(folder: Path) -> dict[str, Any]:
    """Return the transformer's settings for sentence-transformers.

    Raises:
        BackboneError: they ask for something that changes embeddings and that the study does not do.
    """
    path = next((folder / name for name in SENTENCE_BERT if (folder / name).is_file()), folder / SENTENCE_BERT[0])
    settings = read_json(path)
    asked = {key for key, value in settings.items() if value and key not in _WITHOUT_EFFECT}
    if settings.get("transformer_task") == "feature-extraction":
        asked.remove("transformer_task")
    for key in {"model_args", "model_kwargs"} & asked:
        asked -= {key} if (stated(path, settings, key, dict) or {}).keys() <= _LOADING else set()
    modalities = stated(path, settings, "modality_config", dict) or {}
    if "message" in modalities:
        asked.add("modality_config: message")
    if modalities.get("text", _OF_TEXT) != _OF_TEXT:
        asked.add(f"modality_config: text {modalities['text']}")
    if settings.get("module_output_name") == "token_embeddings":
        asked.remove("module_output_name")
    for key in _LENGTHS:
        stated(path, settings, key, float)
    if asked:
        raise BackboneError(f"{path} asks for {', '.join(sorted(asked))}, which the study does not do")
    return settings


def token_limit(folder: Path, settings: Mapping[str, Any], sentence_bert: Mapping[str, Any]) -> int:
    """Return how many tokens the model reads: `max_seq_length`, or else what its tokenizer says, up to its positions.

    sentence-transformers reads `max_seq_length` even if its tokenizer says less.
    """
    file = folder / TOKENIZER_CONFIG
    tokenizer = stated(file, read_json(file), "model_max_length", float)
    limits = [sentence_bert.get("max_seq_length") or tokenizer, _positions(folder / CONFIG, settings)]
    return int(min(limit for limit in [*limits, 10**9] if limit and limit > 0))


def _positions(config: Path, settings: Mapping[str, Any]) -> float | None:
    relative = "relative_attention_num_buckets" in settings  # T5 states n_positions, which do not limit it
    positions = stated(config, settings, "max_position_embeddings", float) or (
        None if relative else stated(config, settings, "n_positions", float)
    )
    if positions and settings.get("model_type") in NUMBERED_FROM_PADDING:
        return positions - (stated(config, settings, "pad_token_id", float) or 0) - 1
    return positions
