"""Folders of backbones, sound at first and then damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bad_inputs.case import DRY_RUN, SPACE, BadInput, Templates, copied, files, written
from tests.bad_inputs.changes import LFS, WEB_PAGE, Change, as_folder, as_json, both, cut, overwritten, removed, updated

MODEL = "model"
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
TOKENIZER_CONFIG, MODULES = "tokenizer_config.json", "modules.json"
POOLING = "1_Pooling/config.json"


def _header(text: str) -> Change:
    """Return what writes weights with this header and no values."""
    content = text.encode()
    return overwritten(WEIGHTS, len(content).to_bytes(8, "little") + content)


def _modules(*kinds: tuple[str, str]) -> Change:
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": kind} for number, (kind, path) in enumerate(kinds)
    ]
    return as_json(MODULES, listed)


TRANSFORMER = ("sentence_transformers.models.Transformer", "")
POOLED = ("sentence_transformers.models.Pooling", "1_Pooling")
DAMAGES: dict[str, Change] = {
    "nothing but a README": both(removed(CONFIG, WEIGHTS, TOKENIZER), overwritten("README.md", "# โมเดล\n")),
    "config missing": removed(CONFIG),
    "config empty": overwritten(CONFIG, ""),
    "config cut": cut(CONFIG, 100),
    "config of zeros": overwritten(CONFIG, bytes(500)),
    "config in UTF-16": overwritten(CONFIG, '{"model_type": "xlm-roberta"}'.encode("utf-16")),
    "config a list": as_json(CONFIG, [1]),
    "config a folder": as_folder(CONFIG),
    "config without a kind": as_json(CONFIG, {}),
    "config of an unknown kind": updated(CONFIG, model_type="โมเดล"),
    "config of no kind": updated(CONFIG, model_type=None),
    "config of a number": updated(CONFIG, model_type=3),
    "config of a model of images": updated(CONFIG, model_type="vit"),
    "config of a translator": updated(CONFIG, model_type="mbart"),
    "config of X-MOD": updated(CONFIG, model_type="xmod"),
    "config with code of its own": updated(CONFIG, auto_map={"AutoModel": "evil.Model"}),
    "config with code as a text": updated(CONFIG, auto_map="evil.Model"),
    "config quantized": updated(CONFIG, quantization_config={"bits": 4}),
    "config of another width": updated(CONFIG, hidden_size=256),
    "config of a negative width": updated(CONFIG, hidden_size=-1),
    "config of a width in words": updated(CONFIG, hidden_size="กว้าง"),
    "config of width 0": updated(CONFIG, hidden_size=0),
    "config of more layers": updated(CONFIG, num_hidden_layers=4),
    "config of a million layers": updated(CONFIG, num_hidden_layers=10**6),
    "config of heads that do not divide": updated(CONFIG, num_attention_heads=7),
    "config of another vocabulary": updated(CONFIG, vocab_size=100),
    "config of a vocabulary of 10^12": updated(CONFIG, vocab_size=10**12),
    "config of an unknown activation": updated(CONFIG, hidden_act="กระโดด"),
    "config of positions in words": updated(CONFIG, max_position_embeddings="มาก"),
    "config of no positions": updated(CONFIG, max_position_embeddings=0),
    "config with architectures as a number": updated(CONFIG, architectures=3),
    "config with a padding id in words": updated(CONFIG, pad_token_id="เติม"),
    "weights missing": removed(WEIGHTS),
    "weights empty": overwritten(WEIGHTS, b""),
    "weights cut in the header": cut(WEIGHTS, 100),
    "weights cut": cut(WEIGHTS, 100_000),
    "weights of zeros": overwritten(WEIGHTS, bytes(4096)),
    "weights a pointer": overwritten(WEIGHTS, LFS),
    "weights a page": overwritten(WEIGHTS, WEB_PAGE),
    "weights a pickle": overwritten(WEIGHTS, b"\x80\x04\x95" + bytes(200)),
    "weights a folder": as_folder(WEIGHTS),
    "weights with a header of 2^60 bytes": overwritten(WEIGHTS, (2**60).to_bytes(8, "little") + b"{}"),
    "weights with a list as header": _header("[1, 2]"),
    "weights with a tensor that is a number": _header('{"encoder.weight": 3}'),
    "weights with a tensor without a place": _header('{"encoder.weight": {"dtype": "F32", "shape": [1]}}'),
    "weights with offsets in words": _header('{"a": {"dtype": "F32", "shape": [1], "data_offsets": ["ก", "ข"]}}'),
    "weights with a negative shape": _header('{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}'),
    "weights with an unknown type": _header('{"a": {"dtype": "Q9", "shape": [0], "data_offsets": [0, 0]}}'),
    "weights with nothing": _header("{}"),
    "weights of another model": _header('{"a.b": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}'),
    "index of a missing file": both(
        removed(WEIGHTS), as_json(f"{WEIGHTS}.index.json", {"weight_map": {"a": "b.safetensors"}})
    ),
    "index of nothing": both(removed(WEIGHTS), as_json(f"{WEIGHTS}.index.json", {"weight_map": {}})),
    "index with a list": both(removed(WEIGHTS), as_json(f"{WEIGHTS}.index.json", {"weight_map": ["a"]})),
    "index with a number": both(removed(WEIGHTS), as_json(f"{WEIGHTS}.index.json", {"weight_map": {"a": 3}})),
    "index that leads outside": both(
        removed(WEIGHTS), as_json(f"{WEIGHTS}.index.json", {"weight_map": {"a": "../../x"}})
    ),
    "tokenizer missing": removed(TOKENIZER),
    "tokenizer empty": overwritten(TOKENIZER, ""),
    "tokenizer cut": cut(TOKENIZER, 2000),
    "tokenizer a list": as_json(TOKENIZER, []),
    "tokenizer an object": as_json(TOKENIZER, {"a": 1}),
    "tokenizer a pointer": overwritten(TOKENIZER, LFS),
    "tokenizer without words": as_json(
        TOKENIZER, {"version": "1.0", "added_tokens": [], "model": {"type": "Unigram", "vocab": []}}
    ),
    "tokenizer a folder": as_folder(TOKENIZER),
    "tokenizer config cut": cut(TOKENIZER_CONFIG, 20),
    "tokenizer config a list": as_json(TOKENIZER_CONFIG, [1]),
    "tokenizer config without padding": as_json(TOKENIZER_CONFIG, {"tokenizer_class": "PreTrainedTokenizerFast"}),
    "tokenizer config with a limit in words": updated(TOKENIZER_CONFIG, model_max_length="ยาว"),
    "tokenizer config with code of its own": updated(TOKENIZER_CONFIG, auto_map={"AutoTokenizer": ["evil.T", None]}),
    "modules cut": overwritten(MODULES, '[{"idx": 0,'),
    "modules an object": as_json(MODULES, {"0": "Transformer"}),
    "modules without a type": as_json(MODULES, [{"idx": 0, "path": ""}]),
    "modules with a number as type": as_json(MODULES, [{"idx": 0, "path": "", "type": 3}]),
    "modules with a number as path": as_json(MODULES, [{"idx": 0, "path": 3, "type": TRANSFORMER[0]}]),
    "modules with code of their own": _modules(TRANSFORMER, ("evil.Module", "1")),
    "modules of an unknown kind": _modules(TRANSFORMER, ("sentence_transformers.models.CNN", "1_CNN")),
    "modules without a pooling": _modules(TRANSFORMER),
    "modules whose pooling is missing": _modules(TRANSFORMER, POOLED),
    "modules whose transformer is missing": _modules((TRANSFORMER[0], "0_Transformer"), POOLED),
    "pooling of an unknown kind": both(_modules(TRANSFORMER, POOLED), as_json(POOLING, {"pooling_mode": "max"})),
    "pooling of a number": both(_modules(TRANSFORMER, POOLED), as_json(POOLING, {"pooling_mode": 3})),
    "pooling of nested lists": both(_modules(TRANSFORMER, POOLED), as_json(POOLING, {"pooling_mode": [["cls"]]})),
    "pooling that is a list": both(_modules(TRANSFORMER, POOLED), as_json(POOLING, ["mean"])),
    "pooling that is cut": both(_modules(TRANSFORMER, POOLED), overwritten(POOLING, '{"pooling')),
    "prompts that are a list": as_json("config_sentence_transformers.json", {"prompts": ["query: "]}),
    "prompts that are numbers": as_json("config_sentence_transformers.json", {"prompts": {"query": 3}}),
    "similarity that is unknown": as_json("config_sentence_transformers.json", {"similarity_fn_name": "euclidean"}),
    "similarity that is a number": as_json("config_sentence_transformers.json", {"similarity_fn_name": 3}),
    "dimensions cut": as_json("config_sentence_transformers.json", {"truncate_dim": 8}),
    "adapters alone": both(removed(CONFIG), as_json("adapter_config.json", {"base_model_name_or_path": "a/b"})),
    "adapters that are cut": both(removed(CONFIG), overwritten("adapter_config.json", "{")),
}
WITH_MODULES: dict[str, Change] = {
    "limit in words": as_json("sentence_bert_config.json", {"max_seq_length": "ยาว"}),
    "limit as a list": as_json("sentence_bert_config.json", {"max_seq_length": [256]}),
    "limit that is cut": overwritten("sentence_bert_config.json", "{"),
    "a task the study does not do": as_json("sentence_bert_config.json", {"transformer_task": "fill-mask"}),
    "arguments as a list": as_json("sentence_bert_config.json", {"model_args": [1]}),
    "modality as a list": as_json("sentence_bert_config.json", {"modality_config": ["message"]}),
    "dense without weights": as_json("2_Dense/config.json", {"in_features": 128, "out_features": 8}),
    "dense without a size": both(
        as_json("2_Dense/config.json", {}), overwritten("2_Dense/model.safetensors", (2).to_bytes(8, "little") + b"{}")
    ),
    "dense of another activation": as_json(
        "2_Dense/config.json", {"in_features": 128, "out_features": 8, "activation_function": "os.system"}
    ),
    "dense that is a list": as_json("2_Dense/config.json", [1]),
}
DENSE = ("sentence_transformers.models.Dense", "2_Dense")


def inputs() -> Iterator[BadInput]:
    """Yield evaluations, dry runs and mining of damaged backbones."""
    evaluate = ("evaluate", MODEL, "--option", "languages=[th, zh]")
    for name, change in DAMAGES.items():
        yield BadInput("checkpoint", name, evaluate, _prepared(change))
    with_dense = both(_modules(TRANSFORMER, POOLED, DENSE), as_json(POOLING, {"pooling_mode": "mean"}))
    for name, change in WITH_MODULES.items():
        changed = (
            both(with_dense, change)
            if name.startswith("dense")
            else both(both(_modules(TRANSFORMER, POOLED), as_json(POOLING, {"pooling_mode": "mean"})), change)
        )
        yield BadInput("checkpoint of sentence-transformers", name, evaluate, _prepared(changed))
    space = files({SPACE: written({"backbone": MODEL})})
    for name in (
        "weights cut",
        "tokenizer cut",
        "config cut",
        "config of another width",
        "modules cut",
        "index of a missing file",
    ):
        yield BadInput("checkpoint in a search space", name, DRY_RUN, _prepared(DAMAGES[name], space))
        yield BadInput("checkpoint for mining", name, ("mine", MODEL, "factbook"), _prepared(DAMAGES[name]))
    targets = files({SPACE: written({"backbone": MODEL, "lora": {"targets": ["nonsense"]}})})
    yield BadInput(
        "checkpoint in a search space", "adapters of an unknown layer", DRY_RUN, _prepared(lambda _: None, targets)
    )
    for name in (CONFIG, WEIGHTS, TOKENIZER):
        forbidden = _prepared(lambda folder, name=name: (folder / name).chmod(0))  # type: ignore[misc]
        yield BadInput("checkpoint", f"{name} may not be read", evaluate, forbidden, permission=True)


def _prepared(
    change: Change, also: Callable[[Path, Templates], None] | None = None
) -> Callable[[Path, Templates], None]:
    def prepare(folder: Path, templates: Templates) -> None:
        change(copied(templates.model, folder / MODEL))
        if also:
            also(folder, templates)

    return prepare
