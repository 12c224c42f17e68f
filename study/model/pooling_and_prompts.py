"""What a backbone wants done with its token states and its texts: pooling, dense layers, prompts. Starts without torch.

Pooling and dense layers come from the model's sentence-transformers files where it has them, else from its family.
Prompts come from these files where they state any, else from the family: multilingual E5 is published with such files
that say nothing of the prompts it was trained with. The trial's own settings win over both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from study.config import BUILTIN, Pooling, TrialConfig, backbone_folder
from tasks.errors import UserError

POOLINGS: dict[str, Pooling] = {"mean": "mean", "cls": "first"}


class BackboneError(UserError):
    """A backbone that cannot be used, in one sentence that says what to do."""


class Family(NamedTuple):
    """What a model wants that its files do not state, known by a word in its name."""

    word: str
    pooling: Pooling
    query_prefix: str
    passage_prefix: str


_INSTRUCTION = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
FAMILIES = (
    Family("labse", "pooler", "", ""),  # arXiv 2007.01852: first token, dense, tanh
    Family("e5-large-instruct", "mean", _INSTRUCTION, ""),  # arXiv 2402.05672, section 4
    Family("e5", "mean", "query: ", "passage: "),  # arXiv 2402.05672
    Family("bge-m3", "first", "", ""),  # arXiv 2402.03216
)
PAPER = Family("", "mean", "Query: ", "Passage: ")
"""XLM-R, mBERT, DistilBERT and whatever else is a plain transformer: as arXiv 2408.10536 trains it."""


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
    folder, family = _folder(config.backbone), _family(config.backbone)
    modules = folder / "modules.json"
    if modules.is_file():
        found = _from_modules(folder, modules, family)
    else:
        family = family or PAPER
        found = Backbone(folder, family.pooling, family.query_prefix, family.passage_prefix)
    changed = {
        "pooling": config.pooling,
        "query_prefix": config.query_prefix,
        "passage_prefix": config.passage_prefix,
        "dense": () if config.pooling else None,
    }
    return Backbone(**{**vars(found), **{key: value for key, value in changed.items() if value is not None}})


def _folder(name: str) -> Path:
    if name.startswith(BUILTIN):
        from study.model import builtin  # noqa: PLC0415 - torch takes seconds: only where there is one to write

        return builtin.folder(name)
    if folder := backbone_folder(name):
        return folder
    from tasks.data import hub  # noqa: PLC0415 - imports an HTTP client: only for models of the hub

    return hub.model_folder(name)


def _family(name: str) -> Family | None:
    base = name.rstrip("/").rpartition("/")[2].lower()
    return next((family for family in FAMILIES if family.word in base), None)


def _from_modules(folder: Path, modules: Path, family: Family | None) -> Backbone:
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
    return Backbone(folder, pooling, *_prompts(folder, family), tuple(dense))


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


def _prompts(folder: Path, family: Family | None) -> tuple[str, str]:
    """Return the prompts of a query and of a passage."""
    path = folder / "config_sentence_transformers.json"
    stated: dict[str, str] = json.loads(path.read_text("utf-8")).get("prompts") or {} if path.is_file() else {}
    if family and not stated.keys() & {"query", "passage", "document"}:
        return family.query_prefix, family.passage_prefix
    return stated.get("query", ""), stated.get("passage", stated.get("document", ""))
