"""How a backbone pools, which prompts it puts before texts, and how many tokens it reads. Starts without torch.

Pooling, dense layers and limits come from the model's sentence-transformers files. So do prompts, unless these files
state none: multilingual E5, for example, is published without the prompts it was trained with, which its name then
tells. What the files do not state is assumed, and `Backbone.assumed` says so. The trial's own settings win over all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from study.config import BUILTIN, TrialConfig, backbone_folder
from study.model import model_files
from study.model.model_files import BackboneError, read_json
from study.model.pooling import POOLINGS


class Family(NamedTuple):
    """Models that need what their files do not state, recognized by words of their name."""

    title: str
    words: frozenset[str]
    pooling: str | None
    """Where there are no files; None follows the architecture."""
    query_prefix: str
    passage_prefix: str


_INSTRUCTION = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
FAMILIES = (
    Family("LaBSE (arXiv 2007.01852)", frozenset({"labse"}), "pooler", "", ""),
    Family("E5-instruct (arXiv 2402.05672, section 4)", frozenset({"e5", "instruct"}), None, _INSTRUCTION, ""),
    Family("E5 (arXiv 2402.05672)", frozenset({"e5"}), "mean", "query: ", "passage: "),
    Family("BGE-M3 (arXiv 2402.03216)", frozenset({"bge", "m3"}), "first", "", ""),
)
PAPER = Family("arXiv 2408.10536", frozenset(), None, "Query: ", "Passage: ")
"""How arXiv 2408.10536 trains XLM-R, mBERT and other plain transformers."""

NUMBERED_FROM_PADDING = {
    *("roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert", "mpnet", "longformer", "luke"),
    "data2vec-text",
}
"""Model types that number positions from the padding id on, so that they have fewer than they state."""

SENTENCE_BERT, SENTENCE_TRANSFORMERS = "sentence_bert_config.json", "config_sentence_transformers.json"
_LENGTHS = {"max_seq_length", "query_length", "document_length"}
_WITHOUT_EFFECT = {"modality_config", "module_output_name", "unpad_inputs", "do_lower_case"} | _LENGTHS
"""Keys of `sentence_bert_config.json` that are read here, or that change no embedding of a text."""
_LOADING = {"attn_implementation", "torch_dtype", "dtype", "add_pooling_layer"}
"""Likewise, of its `model_args`."""


class Head(NamedTuple):
    """A module applied after pooling."""

    kind: str
    """`Dense` or `Normalize`."""
    path: Path


@dataclass(frozen=True)
class Backbone:
    """Everything that decides what an embedding is, besides the weights."""

    folder: Path
    """Of the transformer and its tokenizer."""
    pooling: str
    """A key of `POOLINGS`."""
    query_prefix: str
    passage_prefix: str
    max_query_tokens: int
    """The trial's limit or the model's own, whichever is smaller; likewise for passages."""
    max_passage_tokens: int
    heads: tuple[Head, ...] = ()
    lower_case: bool = False
    """Lowercase every text, whatever the tokenizer does."""
    assumed: tuple[str, ...] = ()
    """What the model's files do not state and this study assumed, one line each."""

    def describe(self) -> dict[str, Any]:
        """Return what every result prints."""
        shown: dict[str, Any] = {
            "pooling": " + ".join([self.pooling, *(head.kind.lower() for head in self.heads)]),
            "query_prefix": self.query_prefix,
            "passage_prefix": self.passage_prefix,
            "max_query_tokens": self.max_query_tokens,
            "max_passage_tokens": self.max_passage_tokens,
        }
        snapshot = model_files.snapshot_of(self.folder)
        if snapshot:
            shown["revision"] = snapshot.commit
        return shown | ({"assumed": list(self.assumed)} if self.assumed else {})


def lines(name: str, description: Mapping[str, Any]) -> list[str]:
    """Return what a terminal shows of `Backbone.describe`: one line, and one for each assumption."""
    about = ", ".join(f"{key} {value!r}" for key, value in description.items() if key != "assumed")
    return [f"{name}: {about}", *(f"{name}: {line}" for line in description.get("assumed", ()))]


def resolve(config: TrialConfig) -> Backbone:
    """Find the model's folder, downloading it if it is a hub id, check its files, and settle all that they decide.

    Raises:
        BackboneError: the model cannot be used; see `study.model.model_files.check_files`.
        TaskError: the name is neither built in, nor a folder, nor on the hub.
    """
    root = _folder(config.backbone)
    modules = model_files.read_modules(root)
    folder, pooling_file, heads = _modules(root, modules)
    settings = model_files.check_files(root, folder)
    family = _family(config.backbone)
    pooling = config.pooling or (_pooling(pooling_file) if modules else (family or PAPER).pooling)
    pooling = pooling or ("last" if _reads_left_to_right(settings) else "mean")
    query_prefix, passage_prefix, assumed = _prompts(root, family, config, with_files=modules is not None)
    if modules is None and not config.pooling:
        assumed.insert(0, f"no sentence-transformers files: assumed {pooling} pooling")
    sentence_bert = _sentence_bert(folder) if modules else {}
    limit = _limit(folder, settings, sentence_bert)
    return Backbone(
        folder,
        pooling,
        query_prefix,
        passage_prefix,
        min(config.max_query_tokens, limit, sentence_bert.get("query_length") or limit),
        min(config.max_passage_tokens, limit, sentence_bert.get("document_length") or limit),
        () if config.pooling else heads,
        bool(sentence_bert.get("do_lower_case")),
        () if config.backbone.startswith(BUILTIN) else tuple(assumed),
    )


def _folder(name: str) -> Path:
    if name.startswith(BUILTIN):
        from study.model import builtin  # noqa: PLC0415 - imports torch, which takes seconds

        return builtin.folder(name)
    if folder := backbone_folder(name):
        return folder
    from tasks.data import hub  # noqa: PLC0415 - imports an HTTP client: only for models of the hub

    return hub.model_folder(name)


def _family(backbone: str) -> Family | None:
    """Return the family whose words are all whole words of the model's own name."""
    words = set(re.split(r"[^a-z0-9]+", model_name(backbone).lower()))
    return next((family for family in FAMILIES if family.words <= words), None)


def model_name(backbone: str) -> str:
    """Return a model's own name: the last part of a path or hub id, except in the hub's cache.

    There a model lies in `models--owner--name/snapshots/<commit>`; a hub id may end in `@revision`.
    """
    parts = backbone.rstrip("/").split("/")
    if len(parts) > 2 and parts[-2] == "snapshots" and parts[-3].startswith("models--"):
        return parts[-3].rpartition("--")[2]
    return parts[-1].partition("@")[0]


def _modules(root: Path, modules: Sequence[Mapping[str, str]] | None) -> tuple[Path, Path | None, tuple[Head, ...]]:
    """Return the transformer's folder, the pooling's file, and what follows, in the order of `modules.json`."""
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
            heads.append(Head(kind, path))
        else:
            raise BackboneError(
                f"{root / 'modules.json'} asks for a '{kind}' module: known are Transformer, Pooling, Dense, Normalize"
            )
    _check_similarity(root, heads)
    while heads and heads[-1].kind == "Normalize":  # the encoder normalizes in any case
        heads.pop()
    return folder, pooling, tuple(heads)


def _check_similarity(root: Path, heads: Sequence[Head]) -> None:
    """Refuse embeddings that are not meant to be compared by their cosine."""
    path = root / SENTENCE_TRANSFORMERS
    settings = read_json(path)
    similarity = settings.get("similarity_fn_name") or "cosine"
    normalized = bool(heads) and heads[-1].kind == "Normalize"
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


def _pooling(path: Path | None) -> str:
    if path is None or not path.is_file():
        missing = "1_Pooling/config.json" if path is None else str(path)
        raise BackboneError(f"the model has a modules.json but no {missing}: copy it too, or set pooling")
    settings = read_json(path)
    stated = settings.get("pooling_mode") or [
        key for key, value in settings.items() if key.startswith("pooling_mode_") and value
    ]
    modes = [stated] if isinstance(stated, str) else stated or ["mean"]
    names = {name: key for key, pooling in POOLINGS.items() if not pooling.uses_pooler for name in pooling[1:3]}
    if len(modes) != 1 or modes[0] not in names or not settings.get("include_prompt", True):
        known = ", ".join(pooling.mode for pooling in POOLINGS.values() if not pooling.uses_pooler)
        without = "" if settings.get("include_prompt", True) else " without the prompt's tokens"
        raise BackboneError(
            f"{path} asks for pooling {' and '.join(map(str, modes))}{without}: known are {known}, one at a time and "
            "over all tokens; set pooling to train with another"
        )
    return names[modes[0]]


def _reads_left_to_right(settings: Mapping[str, Any]) -> bool:
    """Return whether only a text's last token has seen all others."""
    architecture = (settings.get("architectures") or [""])[0]
    return str(architecture).endswith("ForCausalLM") and settings.get("is_causal") is not False


def _prompts(root: Path, family: Family | None, config: TrialConfig, *, with_files: bool) -> tuple[str, str, list[str]]:
    """Return the prompts of a query and of a passage, and what was assumed for want of any."""
    path = root / SENTENCE_TRANSFORMERS
    stated = {name: prompt for name, prompt in (read_json(path).get("prompts") or {}).items() if prompt}
    for name, prompt in stated.items():
        if not isinstance(prompt, str):
            raise BackboneError(f"{path} states a prompt '{name}' that is no text: correct it there")
    query, passage, assumed = _stated_or_assumed(stated, family, with_files=with_files)
    given = config.query_prefix is not None and config.passage_prefix is not None
    return (
        query if config.query_prefix is None else config.query_prefix,
        passage if config.passage_prefix is None else config.passage_prefix,
        [] if given else assumed,
    )


def _stated_or_assumed(
    stated: Mapping[str, str], family: Family | None, *, with_files: bool
) -> tuple[str, str, list[str]]:
    passage = next((stated[name] for name in ("document", "passage", "corpus") if name in stated), "")
    if passage or "query" in stated:
        return stated.get("query", ""), passage, []
    if family is None and with_files:
        other = ", ".join(stated)
        assumed = f"assumed no prompts; those named {other} can be set with query_prefix and passage_prefix"
        return "", "", [assumed] if stated else []
    family = family or PAPER
    prompts = family.query_prefix, family.passage_prefix
    assumed = f"no stated prompts: assumed {prompts[0]!r} and {prompts[1]!r} as in {family.title}"
    return *prompts, [assumed] if any(prompts) or not with_files else []


def _sentence_bert(folder: Path) -> dict[str, Any]:
    """Return the transformer's settings for sentence-transformers.

    Raises:
        BackboneError: they ask for something that changes embeddings and that the study does not do.
    """
    path = folder / SENTENCE_BERT
    settings = read_json(path)
    asked = {key for key, value in settings.items() if value and key not in _WITHOUT_EFFECT}
    if settings.get("transformer_task") == "feature-extraction":
        asked.remove("transformer_task")
    for key in {"model_args", "model_kwargs"} & asked:
        asked -= {key} if settings[key].keys() <= _LOADING else set()
    if "message" in (settings.get("modality_config") or {}):
        asked.add("modality_config: message")
    if asked:
        raise BackboneError(f"{path} asks for {', '.join(sorted(asked))}, which the study does not do")
    return settings


def _limit(folder: Path, settings: Mapping[str, Any], sentence_bert: Mapping[str, Any]) -> int:
    """Return how many tokens the model reads: the smallest of all limits that its files state."""
    tokenizer = read_json(folder / model_files.TOKENIZER_CONFIG)
    limits = [sentence_bert.get("max_seq_length"), tokenizer.get("model_max_length"), _positions(settings)]
    return int(min(limit for limit in [*limits, 10**9] if limit and limit > 0))


def _positions(settings: Mapping[str, Any]) -> int | None:
    relative = "relative_attention_num_buckets" in settings  # T5 states n_positions, which do not limit it
    positions: int | None = settings.get("max_position_embeddings") or (
        None if relative else settings.get("n_positions")
    )
    if positions and settings.get("model_type") in NUMBERED_FROM_PADDING:
        return positions - int(settings.get("pad_token_id") or 0) - 1
    return positions
