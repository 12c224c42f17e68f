"""From a backbone's name to an encoder: one loading path for built-in models, folders and hub ids.

Pooling, heads and prompts come from the model's sentence-transformers files where it has them, else from its family;
the trial's own settings win over both. Weights are safetensors; no code from a model folder is ever run.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import MODEL_MAPPING, AutoConfig, AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from study.config import BUILTIN, Pooling, TrialConfig
from study.training import builtin
from study.training.encoder import Dense, Encoder, Kind, TextForm
from tasks import hub
from tasks.errors import UserError

POOLINGS: dict[str, Pooling] = {"mean": "mean", "cls": "first"}
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "Tanh": nn.Tanh,
    "Identity": nn.Identity,
    "GELU": nn.GELU,
    "ReLU": nn.ReLU,
}


class BackboneError(UserError):
    """A backbone that cannot be used, in one sentence that says what to do."""


class Family(NamedTuple):
    """What a model without sentence-transformers files wants, known by a word in its name."""

    word: str
    pooling: Pooling
    query_prefix: str
    passage_prefix: str


FAMILIES = (
    Family("labse", "pooler", "", ""),  # arXiv 2007.01852: first token, dense, tanh
    Family("e5", "mean", "query: ", "passage: "),  # arXiv 2402.05672
    Family("bge-m3", "first", "", ""),  # arXiv 2402.03216
)
PAPER = Family("", "mean", "Query: ", "Passage: ")
"""XLM-R, mBERT and whatever else is a plain transformer: as arXiv 2408.10536 trains it."""


@dataclass(frozen=True)
class Backbone:
    """A resolved backbone: everything that decides what an embedding is, besides the weights."""

    folder: Path
    pooling: Pooling
    query_prefix: str
    passage_prefix: str
    dense: tuple[Path, ...] = ()
    """Folders of the dense layers applied after pooling."""

    def describe(self) -> dict[str, str]:
        """Return what every result prints."""
        return {
            "pooling": self.pooling + " + dense" * len(self.dense),
            "query_prefix": self.query_prefix,
            "passage_prefix": self.passage_prefix,
        }


def resolve(config: TrialConfig) -> Backbone:
    """Find the model's folder, fetching it if it is a hub id, and settle pooling, heads and prefixes.

    Raises:
        BackboneError: the name is neither built in, nor a folder, nor on the hub; or its files ask for the unknown.
    """
    folder = _folder(config.backbone)
    modules = folder / "modules.json"
    found = _from_modules(folder, modules) if modules.is_file() else _from_family(folder, config.backbone)
    changed = {
        "pooling": config.pooling,
        "query_prefix": config.query_prefix,
        "passage_prefix": config.passage_prefix,
        "dense": () if config.pooling else None,
    }
    return Backbone(**{**vars(found), **{key: value for key, value in changed.items() if value is not None}})


def load_encoder(config: TrialConfig, device: torch.device, *, bf16: bool = False) -> Encoder:
    """Return the trial's encoder on `device`, its weights as the backbone has them."""
    backbone = resolve(config)
    disable_progress_bar()  # half a second of bars between our own lines
    try:
        transformer = _transformer(backbone)
        tokenizer = AutoTokenizer.from_pretrained(backbone.folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise BackboneError(f"backbone '{config.backbone}' cannot be loaded from {backbone.folder}: {error}") from error
    limit = _longest(transformer.config)
    forms: dict[Kind, TextForm] = {
        "query": TextForm(backbone.query_prefix, min(config.max_query_tokens, limit)),
        "passage": TextForm(backbone.passage_prefix, min(config.max_passage_tokens, limit)),
    }
    heads = [_dense(path) for path in backbone.dense]
    return Encoder(transformer, tokenizer, backbone.pooling, heads, forms, bf16=bf16).to(device)


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


def _folder(name: str) -> Path:
    if name.startswith(BUILTIN):
        return builtin.folder(name)
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser().resolve()
    return hub.model_folder(name)


def _from_family(folder: Path, name: str) -> Backbone:
    base = name.rstrip("/").rpartition("/")[2].lower()
    family = next((family for family in FAMILIES if family.word in base), PAPER)
    return Backbone(folder, family.pooling, family.query_prefix, family.passage_prefix)


def _from_modules(folder: Path, modules: Path) -> Backbone:
    pooling: Pooling = "mean"
    dense: list[Path] = []
    for module in json.loads(modules.read_text("utf-8")):
        kind = module["type"].rpartition(".")[2]
        path = folder / module["path"]
        if kind == "Pooling":
            pooling = _pooling(path)
        elif kind == "Dense":
            dense.append(path)
        elif kind not in {"Transformer", "Normalize"}:
            raise BackboneError(
                f"{modules} asks for a '{kind}' module; known are Transformer, Pooling, Dense, Normalize"
            )
    prompts = _prompts(folder)
    passage = prompts.get("passage", prompts.get("document", ""))
    return Backbone(folder, pooling, prompts.get("query", ""), passage, tuple(dense))


def _pooling(path: Path) -> Pooling:
    settings = json.loads((path / "config.json").read_text("utf-8"))
    modes = [settings["pooling_mode"]] if "pooling_mode" in settings else _legacy_modes(settings)
    if len(modes) != 1 or modes[0] not in POOLINGS or not settings.get("include_prompt", True):
        raise BackboneError(
            f"{path / 'config.json'} asks for pooling {modes}; known are {sorted(POOLINGS)} over all tokens"
        )
    return POOLINGS[modes[0]]


def _legacy_modes(settings: Mapping[str, Any]) -> list[str]:
    names = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
    on = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value]
    return [names.get(key, key) for key in on]


def _prompts(folder: Path) -> dict[str, str]:
    path = folder / "config_sentence_transformers.json"
    prompts: dict[str, str] = json.loads(path.read_text("utf-8")).get("prompts") or {} if path.is_file() else {}
    return prompts


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
    # RoBERTa-like models number positions from the padding id on.
    return (
        positions - model_config.pad_token_id - 1
        if model_config.model_type in {"roberta", "xlm-roberta"}
        else positions
    )
