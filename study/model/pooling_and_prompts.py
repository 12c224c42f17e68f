"""How a backbone pools, which prompts it puts before texts, and how many tokens it reads. Starts without torch.

Pooling, dense layers and limits come from the model's sentence-transformers files. So do prompts, unless these files
state none: multilingual E5, for example, is published without the prompts it was trained with, which its name then
tells. What the files do not state is assumed, and `Backbone.assumed` says so. The trial's own settings win over all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from study.config import BUILTIN, TrialConfig, backbone_folder
from study.model.model_files import (
    CONFIG,
    BackboneError,
    check_files,
    digest_of,
    name_words,
    read_json,
    read_modules,
    snapshot_of,
    stated,
)
from study.model.sentence_transformers_files import (
    COMPLETE,
    SENTENCE_TRANSFORMERS,
    Head,
    read_pooling,
    read_sentence_bert,
    split_modules,
    token_limit,
)


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
    Family("Contriever (arXiv 2112.09118)", frozenset({"contriever"}), "mean", "", ""),
    Family("mContriever (arXiv 2112.09118)", frozenset({"mcontriever"}), "mean", "", ""),
)
PAPER = Family("arXiv 2408.10536", frozenset(), None, "Query: ", "Passage: ")
"""How arXiv 2408.10536 trains XLM-R, mBERT and other plain transformers."""
WITHOUT_PROMPTS = tuple(
    frozenset(words.split())
    for words in (
        "paraphrase",
        "distiluse",
        "all minilm",
        "all mpnet",
        "gtr t5",
        "sentence t5",
        "gte",
        "granite embedding",
    )
)
"""Words of the names of models that are published with sentence-transformers files and need no prompts."""
NAMES = {"query": ("query",), "passage": ("document", "passage", "corpus")}
"""The names of the prompts that are read, the first one that is stated."""


@dataclass(frozen=True)
class Backbone:
    """Everything that decides what an embedding is, besides the weights."""

    folder: Path
    """Folder of the transformer and its tokenizer."""
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
    """Assumptions where the model's files state nothing, one line each."""

    def describe(self) -> dict[str, Any]:
        """Return what every result prints."""
        shown: dict[str, Any] = {
            "pooling": " + ".join([self.pooling, *(head.kind.lower() for head in self.heads)]),
            "query_prefix": self.query_prefix,
            "passage_prefix": self.passage_prefix,
            "max_query_tokens": self.max_query_tokens,
            "max_passage_tokens": self.max_passage_tokens,
        }
        snapshot = snapshot_of(self.folder)
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
    modules = read_modules(root)
    folder, pooling_file, heads = split_modules(root, modules)
    settings = check_files(root, folder)
    family = _family(root)
    pooling = config.pooling or ((family or PAPER).pooling if modules is None else read_pooling(pooling_file))
    pooling = pooling or ("last" if _reads_left_to_right(folder / CONFIG, settings) else "mean")
    query_prefix, passage_prefix, assumed = _prompts(root, family, config, with_files=modules is not None)
    if modules is None and not config.pooling:
        assumed.insert(0, f"no sentence-transformers files: assumed {pooling} pooling, compared by cosine")
    sentence_bert = {} if modules is None else read_sentence_bert(folder)
    limit = token_limit(folder, settings, sentence_bert)
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


def content_of(config: TrialConfig) -> str | None:
    """Return what identifies the files of a trial's backbone: the commit of a model of the hub, a digest of others'.

    None for a model that is built in, which its name identifies.
    """
    if config.backbone.startswith(BUILTIN):
        return None
    root = backbone_folder(config.backbone)
    if root is None:
        from tasks.data import hub  # noqa: PLC0415 - imports an HTTP client: only for models of the hub

        root = hub.model_folder(config.backbone, [CONFIG])
    snapshot = snapshot_of(root)
    return snapshot.commit if snapshot else digest_of(root, resolve(config).folder)


def _folder(name: str) -> Path:
    if name.startswith(BUILTIN):
        from study.model import builtin  # noqa: PLC0415 - imports torch, which takes seconds

        return builtin.folder(name)
    if folder := backbone_folder(name):
        return folder
    from tasks.data import hub  # noqa: PLC0415 - imports an HTTP client: only for models of the hub

    return hub.model_folder(name)


def _family(root: Path) -> Family | None:
    """Return the family whose words are all whole words of the model's own name."""
    words = name_words(root)
    return next((family for family in FAMILIES if family.words <= words), None)


def _reads_left_to_right(config: Path, settings: Mapping[str, Any]) -> bool:
    """Return whether only a text's last token has seen all others."""
    architecture = (stated(config, settings, "architectures", list) or [""])[0]
    return str(architecture).endswith("ForCausalLM") and settings.get("is_causal") is not False


def _prompts(root: Path, family: Family | None, config: TrialConfig, *, with_files: bool) -> tuple[str, str, list[str]]:
    """Return the prompts of a query and of a passage, and what was assumed for want of any."""
    path = root / SENTENCE_TRANSFORMERS
    settings = read_json(path)
    prompts = {name: prompt for name, prompt in (stated(path, settings, "prompts", dict) or {}).items() if prompt}
    for name, prompt in prompts.items():
        if not isinstance(prompt, str):
            raise BackboneError(f"{path} states a prompt '{name}' that is no text: correct it there")
    given = {"query": config.query_prefix, "passage": config.passage_prefix}
    found = {kind: next((prompts[name] for name in names if name in prompts), "") for kind, names in NAMES.items()}
    unread = ", ".join(name for name in prompts if name not in chain.from_iterable(NAMES.values()))
    assumed = list[str]()
    if settings.get(COMPLETE) is not True and not any(found.values()):
        found["query"], found["passage"], assumed = _assumed(root, family, unread, with_files=with_files)
    elif unread:
        assumed = [
            f"assumed no prompt of a {kind}; those named {unread} can be set with {kind}_prefix"
            for kind, prompt in found.items()
            if not prompt and given[kind] is None
        ]
    return (
        found["query"] if config.query_prefix is None else config.query_prefix,
        found["passage"] if config.passage_prefix is None else config.passage_prefix,
        assumed if None in given.values() else [],
    )


def _assumed(root: Path, family: Family | None, unread: str, *, with_files: bool) -> tuple[str, str, list[str]]:
    """Return the prompts of a model whose files state none under `NAMES`, and what was assumed."""
    if family is None and with_files:
        assumed = (
            "assumed no prompts, as its files state none: set query_prefix and passage_prefix if its card has some"
        )
        if unread:
            assumed = f"assumed no prompts; those named {unread} can be set with query_prefix and passage_prefix"
        known = not unread and any(words <= name_words(root) for words in WITHOUT_PROMPTS)
        return "", "", [] if known else [assumed]
    family = family or PAPER
    prompts = family.query_prefix, family.passage_prefix
    assumed = f"no stated prompts: assumed {prompts[0]!r} and {prompts[1]!r} as in {family.title}"
    return *prompts, [assumed] if any(prompts) or not with_files else []
