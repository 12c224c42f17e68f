"""The files of a model's folder, read and checked before anything is loaded. Starts without torch.

Every problem is a `BackboneError` that names the file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from safetensors import SafetensorError, safe_open

from tasks.data.records import content_digest
from tasks.errors import UserError

Value = TypeVar("Value", str, float, dict[str, Any], list[Any])

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TOKENIZER_CONFIG = "tokenizer_config.json"
ADAPTERS = "adapter_config.json"
"""With it transformers adds adapters to a model, and freezes its weights."""
VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
)
"""Files that hold a vocabulary; transformers makes one up for a folder that has none of them."""
SAME_IN_TRANSFORMERS = {
    "gte": "modeling_hf_alibaba_nlp_gte.GteModel",
    "eurobert": "modeling_eurobert.EuroBertModel",
}
"""Model types and the code that an `auto_map` names for them which computes what transformers' own class computes."""
NATIVE_COPIES = {
    "Alibaba-NLP/new-impl": "models of alibaba-nlp-community, such as alibaba-nlp-community/gte-multilingual-base, are "
    "copies without own code"
}
"""Where a repository of code was moved into transformers: the copies of its models that need no code."""
_READ = ("*.json", "*.safetensors", "*.model", "*.txt", "*/config.json", "*/model.safetensors")
_OF_TRANSFORMER = (CONFIG, TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json", "merges.txt")
"""Files beside weights and vocabulary that decide what a transformer computes."""
_OF_ROOT = ("modules.json", "config_sentence_transformers.json", "*/config.json", "*/model.safetensors")
"""Files of a sentence-transformers folder that decide what becomes of its output."""
_LFS = b"version https://git-lfs"
_LAYERS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")
_SIZES = ("vocab_size", "hidden_size")


class Snapshot(NamedTuple):
    """A model of the hub at a commit."""

    name: str
    """`owner/name`."""
    commit: str


def snapshot_of(folder: Path) -> Snapshot | None:
    """Return the model and commit of a folder in the layout of the hub's cache, None for any other folder.

    The layout is `models--<owner>--<name>/snapshots/<commit>`; folders inside a snapshot belong to it.
    """
    for commit in (folder, *folder.parents):
        kind, _, name = commit.parent.parent.name.partition("--")
        if kind == "models" and commit.parent.name == "snapshots":
            return Snapshot(name.replace("--", "/"), commit.name)
    return None


def digest_of(root: Path, folder: Path) -> str:
    """Return 12 hexadecimal digits that identify the content of the files from which a model is loaded.

    Args:
        root: the model's folder.
        folder: the folder in it of the transformer and its tokenizer, which may be the same.
    """
    own = [folder / name for name in (*_OF_TRANSFORMER, *VOCABULARIES)]
    others = [file for pattern in _OF_ROOT for file in root.glob(pattern)]
    limits = folder.glob("sentence_*_config.json")
    read = {file for file in (*own, *limits, *weight_files(folder), *others) if file.is_file()}
    return content_digest(sorted(read))


class BackboneError(UserError):
    """A backbone that cannot be used, in one sentence that says what to do."""


class BackboneFilesError(BackboneError):
    """A backbone whose files this machine lacks or cannot read; another machine may have all of them."""

    resumable = True


def _lacking(folder: Path, text: str) -> BackboneError:
    """Return the error of a folder that lacks files: a copy may be incomplete, and a snapshot of the hub is not."""
    return BackboneError(text) if snapshot_of(folder) else BackboneFilesError(text)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or an empty one where there is no such file.

    Raises:
        BackboneError: the file holds something else.
    """
    value = _read(path) if path.is_file() else {}
    if not isinstance(value, dict):
        raise BackboneFilesError(
            f"{path} holds a {type(value).__name__} where an object is expected: copy the model again"
        )
    return value


_EXPECTED: Mapping[type, tuple[str, Any]] = {
    str: ("a text", str),
    float: ("a number", (int, float)),
    dict: ("an object", dict),
    list: ("a list", list),
}


def stated(path: Path, settings: Mapping[str, Any], key: str, kind: type[Value]) -> Value | None:
    """Return what a model's file says under a key; None where it says nothing.

    Args:
        path: the file, for messages.
        settings: its content.
        key: one of its keys.
        kind: what the value must be; numbers are `float`, whole ones too.

    Raises:
        BackboneError: the value is of another kind.
    """
    value: Any = settings.get(key)
    expected, accepted = _EXPECTED[kind]
    if value is not None and (not isinstance(value, accepted) or isinstance(value, bool)):
        raise BackboneError(f"{path}: {key} is {value!r} where {expected} is expected: copy the model again")
    checked: Value | None = value
    return checked


def read_modules(folder: Path) -> list[Mapping[str, str]] | None:
    """Return the `type` and `path` of each module of a sentence-transformers model, or None without `modules.json`.

    Raises:
        BackboneError: the file is damaged.
    """
    path = folder / "modules.json"
    if not path.is_file():
        return None
    modules = _read(path)
    if not isinstance(modules, list) or not all(
        isinstance(module, dict) and isinstance(module.get("type"), str) and isinstance(module.get("path"), str)
        for module in modules
    ):
        raise BackboneError(f"{path} is not a list of modules with a type and a path: copy the model again")
    return modules


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BackboneFilesError(f"{path} is not valid JSON ({error}): copy the model again") from None
    except OSError as error:
        raise BackboneFilesError(f"{path} cannot be read ({error.strerror}): copy the model again") from None


def check_files(root: Path, folder: Path) -> dict[str, Any]:
    """Return the transformer's settings, after refusing whatever can be refused without loading it.

    Args:
        root: the model's folder.
        folder: its transformer's folder, most often the same.

    Raises:
        BackboneError: the model needs its own code, files are missing or damaged, or its kind is not supported.
    """
    for pattern in _READ:
        for file in sorted(root.glob(pattern)):
            if file.is_file() and _starts_with(file, _LFS):
                raise BackboneFilesError(f"{file} is a git-lfs pointer in place of the file: run `git lfs pull`")
    if not (folder / CONFIG).is_file():
        raise _lacking(folder, _without_config(folder))
    settings = read_json(folder / CONFIG)
    if (folder / ADAPTERS).is_file():
        raise BackboneError(
            f"{folder} has an {ADAPTERS} beside the weights: merge the adapters into them (merge_and_unload), or "
            "remove their files if that has been done"
        )
    _check_code(folder / CONFIG, settings)
    _check_code(folder / TOKENIZER_CONFIG, read_json(folder / TOKENIZER_CONFIG))
    _check_kind(folder, settings)
    if not any((folder / name).is_file() for name in VOCABULARIES):
        raise _lacking(
            folder,
            f"{folder} has no tokenizer vocabulary (such as tokenizer.json): copy these files too; models that read "
            "characters or bytes cannot be used",
        )
    _check_size(folder / CONFIG, settings, [s for file in weight_files(folder) for s in read_shapes(file).values()])
    return settings


def _check_size(path: Path, settings: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]) -> None:
    """Refuse settings of a model that is much larger than its weights, as transformers would build all of it."""
    largest = max((size for shape in shapes for size in shape), default=0)
    for key, most in (*((key, len(shapes)) for key in _LAYERS), *((key, largest) for key in _SIZES)):
        value = stated(path, settings, key, float) or 0
        if value > most:
            raise BackboneError(
                f"{path}: {key} is {value:,}, more than the weights beside it hold ({most:,}): the files are of two "
                "models, so copy the model again"
            )


def name_words(root: Path) -> set[str]:
    """Return the words of a model's own name, in lower case: that on the hub, or of its folder."""
    snapshot = snapshot_of(root)
    name = snapshot.name.rpartition("/")[2] if snapshot else root.name
    return set(re.split(r"[^a-z0-9]+", name.lower()))


def _starts_with(file: Path, prefix: bytes) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(len(prefix)) == prefix
    except OSError as error:
        raise BackboneFilesError(f"{file} cannot be read ({error.strerror}): copy the model again") from None


def _without_config(folder: Path) -> str:
    if (folder / ADAPTERS).is_file():
        base = read_json(folder / ADAPTERS).get("base_model_name_or_path")
        return f"{folder} holds adapters for '{base}' alone: merge them into that model and name its folder"
    return f"{folder} has no {CONFIG}: name the folder of a transformers or sentence-transformers model"


def _check_code(path: Path, settings: Mapping[str, Any]) -> None:
    """Refuse a model whose class or tokenizer lies in its own folder or another repository."""
    own = stated(path, settings, "auto_map", dict) or {}
    needed = own.keys() & {"AutoConfig", "AutoModel", "AutoTokenizer"}
    same = SAME_IN_TRANSFORMERS.get(str(settings.get("model_type")))
    # A model that is saved again names the repository too, as in `owner/name--modeling_gte.GteModel`.
    code = str(own.get("AutoModel", "")).rpartition("--")[2]
    if not needed or (code == same and "AutoTokenizer" not in needed):
        return
    copies = [f" ({hint})" for repository, hint in NATIVE_COPIES.items() if repository in json.dumps(own)]
    raise BackboneError(
        f"{path} has an auto_map: the model needs code from its own folder, which is never run; choose a copy or "
        f"another model that transformers itself implements{''.join(copies)}"
    )


def _check_kind(folder: Path, settings: Mapping[str, Any]) -> None:
    kind = stated(folder / CONFIG, settings, "model_type", str)
    if kind == "xmod":
        raise BackboneError(
            f"{folder} is an X-MOD model, which must know the language of each text; the study does not tell it: "
            "choose a model with one set of weights for all languages"
        )
    if kind == "dpr":
        raise BackboneError(
            f"{folder} is a DPR model, whose class gives no vectors of tokens to pool: convert its weights to BERT's"
        )
    if kind == "jina_embeddings_v3":
        raise BackboneError(
            f"{folder} is a jina-embeddings-v3 model, whose adapters for queries and for passages lie in folders that "
            "the study does not load: choose another model, as the base alone is not what was published"
        )
    if settings.get("quantization_config"):
        raise BackboneError(
            f"{folder / CONFIG} has a quantization_config: quantized weights cannot be trained; choose the model in "
            "fp32, fp16 or bf16"
        )


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a transformer's weights.

    Raises:
        BackboneError: there are none in safetensors, or a listed one is missing.
    """
    index = folder / f"{WEIGHTS}.index.json"
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not index.is_file():
        raise _lacking(
            folder,
            f"{folder} has no safetensors, and other weight formats are never loaded: where you trust the model, write "
            "them once with SentenceTransformer(...).save(folder) and name that folder",
        )
    listed = stated(index, read_json(index), "weight_map", dict) or {}
    names = {name for name in listed.values() if isinstance(name, str)}
    if not names:
        raise BackboneFilesError(f"{index} lists no file: copy the model again")
    files = [folder / name for name in sorted(names)]
    for file in files:
        if not file.is_file():
            raise BackboneFilesError(f"{file} is missing, but {index.name} lists it: copy the model again")
    return files


def weight_bytes(folder: Path) -> int:
    """Return how many bytes a transformer's weights take in fp32, in which they are trained.

    Raises:
        BackboneError: a file is missing or damaged.
    """
    shapes = [shape for file in weight_files(folder) for shape in read_shapes(file).values()]
    return 4 * sum(math.prod(shape) for shape in shapes)


def read_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of a safetensors file, from its header.

    Raises:
        BackboneError: the file is cut or is something else.
    """
    try:
        with safe_open(file, "np") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118 - no dict
    except (OSError, SafetensorError) as error:
        raise BackboneFilesError(f"{file} is cut or not a safetensors file ({error}): copy it again") from None
