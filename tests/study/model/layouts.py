"""Public models in the layout they are published in, with small random weights: each file by its own name and keys.

Nothing is downloaded: file names and contents follow the repositories on the hub, apart from sizes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from tests.study.model.layout_tokenizers import TOKENIZERS

WIDTH = 32
BERT: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "initializer_range": 0.2,
}
ROBERTA = BERT | {"max_position_embeddings": 514, "type_vocab_size": 1, "pad_token_id": 1}
LONG_ROBERTA = ROBERTA | {"max_position_embeddings": 8194}
DISTILBERT = {"dim": WIDTH, "n_layers": 1, "n_heads": 2, "hidden_dim": 48, "initializer_range": 0.2}
T5 = {"d_model": WIDTH, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2}
DECODER = BERT | {"num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 32_768}
MODERN = BERT | {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1} | {"sep_token_id": 2}
VERSIONS = {"__version__": {"sentence_transformers": "2.2.2", "transformers": "4.33.0", "pytorch": "2.1.2+cu121"}}
INSTRUCTION = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
OTHER_PROMPTS = {
    "web_search_query": f"{INSTRUCTION} ",
    "sts_query": "Instruct: Retrieve semantically similar text.\nQuery: ",
    "bitext_query": "Instruct: Retrieve parallel sentences.\nQuery: ",
}
GEMMA_PROMPTS = {
    "query": "task: search result | query: ",
    "document": "title: none | text: ",
    "BitextMining": "task: search result | query: ",
    "Clustering": "task: clustering | query: ",
}
LEGACY_MODES = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


@dataclass(frozen=True)
class Layout:
    """A public model's folder."""

    architecture: str
    """The class whose weights are published."""
    config: Mapping[str, Any]
    tokenizer: str
    modules: str = ""
    """Of `modules.json`, by their initials: Transformer, Pooling, Dense, Normalize. Empty without that file."""
    pooling: str = "mean_tokens"
    """The mode that is on, in the keys of sentence-transformers 2."""
    dense: Sequence[tuple[int, bool, str]] = ()
    """Width, bias and activation of each dense layer."""
    limit: int | None = 512
    """`max_seq_length`; None without `sentence_bert_config.json`."""
    files: Mapping[str, Any] = field(default_factory=dict)
    """Other JSON files, whole."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Keys of `config.json` that transformers does not write."""
    finish: Callable[[Path], None] | None = None
    """A last change to the folder."""

    def write(self, folder: Path) -> Path:
        """Write the folder and return it."""
        folder.mkdir(parents=True)
        TOKENIZERS[self.tokenizer](folder)
        pieces = len(transformers.AutoTokenizer.from_pretrained(folder))
        kind: Any = getattr(transformers, self.architecture)
        torch.manual_seed(0)
        model = kind(kind.config_class(**self.config, **({"vocab_size": pieces} if self.tokenizer != "canine" else {})))
        model.save_pretrained(folder)
        update(folder / "config.json", self.changes)
        if self.modules:
            self._write_sentence_transformers_files(folder)
        for name, value in self.files.items():
            write(folder / name, value)
        if self.finish:
            self.finish(folder)
        return folder

    def _write_sentence_transformers_files(self, folder: Path) -> None:
        names = {"T": "Transformer", "P": "Pooling", "D": "Dense", "N": "Normalize"}
        kinds = [names[initial] for initial in self.modules]
        paths = ["" if kind == "Transformer" else f"{index}_{kind}" for index, kind in enumerate(kinds)]
        listed = [
            {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for index, (kind, path) in enumerate(zip(kinds, paths, strict=True))
        ]
        write(folder / "modules.json", listed)
        if self.limit:
            write(folder / "sentence_bert_config.json", {"max_seq_length": self.limit, "do_lower_case": False})
        modes = {f"pooling_mode_{mode}": mode == self.pooling for mode in LEGACY_MODES}
        width = WIDTH
        for kind, path in zip(kinds, paths, strict=True):
            if kind == "Pooling":
                write(folder / path / "config.json", {"word_embedding_dimension": WIDTH, **modes})
        dense = [path for kind, path in zip(kinds, paths, strict=True) if kind == "Dense"]
        for path, (size, bias, activation) in zip(dense, self.dense, strict=True):
            settings = {"in_features": width, "out_features": size, "bias": bias}
            write(folder / path / "config.json", settings | {"activation_function": f"torch.nn.modules.{activation}"})
            linear = nn.Linear(width, size, bias=bias).state_dict()
            save_file({f"linear.{key}": value for key, value in linear.items()}, folder / path / "model.safetensors")
            width = size


def write(path: Path, value: Any) -> None:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")


def update(path: Path, changes: Mapping[str, Any]) -> None:
    """Change keys of a JSON file."""
    write(path, json.loads(path.read_text("utf-8")) | dict(changes))


def rename_weights(folder: Path, rename: Callable[[str], str]) -> None:
    """Give the weights other names."""
    weights = load_file(folder / "model.safetensors")
    save_file({rename(key): value for key, value in weights.items()}, folder / "model.safetensors", {"format": "pt"})


def _old_bert_names(folder: Path) -> None:
    rename_weights(folder, lambda key: key.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"))


def _without_prefix(folder: Path) -> None:
    rename_weights(folder, lambda key: key.removeprefix("model."))


def _transformer_in_a_folder_of_its_own(folder: Path) -> None:
    inner = folder / "0_Transformer"
    inner.mkdir()
    for file in list(folder.glob("*")):
        if file.is_file() and file.name not in {"modules.json", "config_sentence_transformers.json"}:
            file.rename(inner / file.name)
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    modules[0]["path"] = "0_Transformer"
    write(folder / "modules.json", modules)


def _pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _custom_module(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    modules[0] |= {"type": "custom_st.Transformer", "kwargs": ["task"]}
    write(folder / "modules.json", modules)


def _unlink(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


PROMPTS = "config_sentence_transformers.json"
_xlmr = partial(Layout, "XLMRobertaModel", ROBERTA, "xlm-roberta")
_bert = partial(Layout, "BertModel", BERT, "bert cased")
_e5 = partial(_xlmr, "TPN")
_gte = partial(Layout, "GteModel", BERT | {"pad_token_id": 1}, "xlm-roberta long", "TPN", "cls_token", limit=8192)
_long = partial(Layout, "XLMRobertaModel", LONG_ROBERTA, "xlm-roberta long", "TPN", "cls_token", limit=8192)
_qwen2_code = {"AutoModel": "modeling_qwen.Qwen2Model", "AutoModelForCausalLM": "modeling_qwen.Qwen2ForCausalLM"}
_gte_code = {
    "AutoConfig": "configuration_hf_alibaba_nlp_gte.GteConfig",
    "AutoModel": "modeling_hf_alibaba_nlp_gte.GteModel",
}
_eurobert_code = {
    "AutoConfig": "configuration_eurobert.EuroBertConfig",
    "AutoModel": "modeling_eurobert.EuroBertModel",
    "AutoModelForMaskedLM": "modeling_eurobert.EuroBertForMaskedLM",
}


def _code(repository: str, names: str) -> dict[str, Any]:
    config, model = names.split()
    return {"auto_map": {"AutoConfig": f"{repository}--{config}", "AutoModel": f"{repository}--{model}"}}


LAYOUTS: dict[str, Layout] = {
    # Plain transformers, published with the head they were pretrained with.
    "FacebookAI/xlm-roberta-base": Layout("XLMRobertaForMaskedLM", ROBERTA, "xlm-roberta"),
    "google-bert/bert-base-multilingual-cased": Layout(
        "BertForPreTraining", BERT, "bert cased", finish=_old_bert_names
    ),
    "distilbert/distilbert-base-multilingual-cased": Layout("DistilBertForMaskedLM", DISTILBERT, "bert cased"),
    "google/mt5-base": Layout("MT5ForConditionalGeneration", T5, "t5"),
    "answerdotai/ModernBERT-base": Layout("ModernBertForMaskedLM", MODERN, "modern"),
    "EuroBERT/EuroBERT-210m": Layout(
        "EuroBertForMaskedLM", MODERN | {"num_key_value_heads": 1}, "modern", changes={"auto_map": _eurobert_code}
    ),
    "jhu-clsp/mmBERT-base": Layout("ModernBertForMaskedLM", MODERN, "gemma long"),
    "microsoft/mdeberta-v3-base": Layout(
        "DebertaV2ForMaskedLM",
        BERT
        | {"position_buckets": 32, "relative_attention": True, "type_vocab_size": 0, "pos_att_type": ["p2c", "c2p"]}
        | {"norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False},
        "deberta",
    ),
    "Qwen/Qwen3-0.6B-Base": Layout("Qwen3ForCausalLM", DECODER, "qwen"),
    "facebook/mcontriever-msmarco": Layout("BertModel", BERT, "bert cased"),
    "mine/flagembedding-run": Layout("XLMRobertaModel", LONG_ROBERTA, "xlm-roberta long"),
    # Published for sentence-transformers.
    "sentence-transformers/LaBSE": _bert(
        "TPDN", "cls_token", [(WIDTH, True, "activation.Tanh")], 256, {PROMPTS: VERSIONS}
    ),
    "intfloat/multilingual-e5-small": Layout("BertModel", BERT, "xlm-roberta", "TPN"),
    "intfloat/multilingual-e5-base": _e5(),
    "intfloat/multilingual-e5-large": _e5(files={PROMPTS: VERSIONS}),
    "intfloat/multilingual-e5-large-instruct": _e5(files={PROMPTS: VERSIONS}),
    "BAAI/bge-m3": _long(files={PROMPTS: VERSIONS}),
    "BAAI/bge-small-en-v1.5": Layout(
        "BertModel",
        BERT,
        "bert cased",
        "TPN",
        "cls_token",
        files={PROMPTS: VERSIONS, "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": True}},
    ),
    "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2": Layout(
        "BertModel", BERT, "xlm-roberta", "TP", limit=128, files={PROMPTS: VERSIONS}
    ),
    "sentence-transformers/paraphrase-multilingual-mpnet-base-v2": _xlmr("TP", limit=128, files={PROMPTS: VERSIONS}),
    "sentence-transformers/distiluse-base-multilingual-cased-v2": Layout(
        "DistilBertModel",
        DISTILBERT,
        "bert cased",
        "TPD",
        dense=[(16, True, "activation.Tanh")],
        limit=128,
        files={PROMPTS: VERSIONS},
    ),
    "sentence-transformers/all-MiniLM-L6-v2": Layout("BertModel", BERT, "bert uncased", "TPN", limit=256),
    "sentence-transformers/all-mpnet-base-v2": Layout(
        "MPNetForMaskedLM", BERT | {"max_position_embeddings": 514, "pad_token_id": 1}, "mpnet", "TPN", limit=384
    ),
    "sentence-transformers/gtr-t5-base": Layout(
        "T5EncoderModel", T5, "t5", "TPDN", dense=[(WIDTH, False, "linear.Identity")], files={PROMPTS: VERSIONS}
    ),
    "sentence-transformers/sentence-t5-base": Layout(
        "T5EncoderModel", T5, "t5", "TPDN", dense=[(WIDTH, False, "linear.Identity")], limit=256
    ),
    "alibaba-nlp-community/gte-multilingual-base": _gte(),
    "mine/gte-saved-again": _gte(
        changes={
            "auto_map": {key: f"Snowflake/snowflake-arctic-embed-m-v2.0--{name}" for key, name in _gte_code.items()}
        },
    ),
    "Snowflake/snowflake-arctic-embed-l-v2.0": _long(files={PROMPTS: {"prompts": {"query": "query: "}}}),
    "Snowflake/snowflake-arctic-embed-m-v2.0": _gte(
        files={PROMPTS: {"prompts": {"query": "query: "}}},
        changes={"auto_map": _gte_code},
    ),
    "Qwen/Qwen3-Embedding-0.6B": Layout(
        "Qwen3ForCausalLM",
        DECODER,
        "qwen",
        "TPN",
        "lasttoken",
        limit=None,
        files={PROMPTS: {"prompts": {"query": INSTRUCTION, "document": ""}, "similarity_fn_name": "cosine"}},
        finish=_without_prefix,
    ),
    "intfloat/e5-mistral-7b-instruct": Layout(
        "MistralModel",
        DECODER | {"sliding_window": 4096},
        "llama",
        "TPN",
        "lasttoken",
        limit=4096,
        files={PROMPTS: {"prompts": OTHER_PROMPTS, "default_prompt_name": None}},
    ),
    "Linq-AI-Research/Linq-Embed-Mistral": Layout(
        "MistralModel", DECODER | {"sliding_window": 4096}, "llama", "TPN", "lasttoken", limit=4096
    ),
    "google/embeddinggemma-300m": Layout(
        "Gemma3TextModel",
        DECODER
        | {"use_bidirectional_attention": True, "sliding_window": 16, "max_position_embeddings": 2048}
        | {"num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"]},
        "gemma",
        "TPDDN",
        dense=[(48, False, "linear.Identity"), (WIDTH, False, "linear.Identity")],
        limit=2048,
        files={PROMPTS: {"prompts": GEMMA_PROMPTS, "similarity_fn_name": "cosine"}},
    ),
    "ibm-granite/granite-embedding-107m-multilingual": _xlmr("TPN", "cls_token", files={PROMPTS: VERSIONS}),
    "Muennighoff/SGPT-125M-weightedmean-msmarco-specb-bitfit": Layout(
        "GPTNeoModel",
        {"hidden_size": WIDTH, "num_layers": 1, "num_heads": 2, "attention_types": [[["global"], 1]]}
        | {"max_position_embeddings": 2048, "initializer_range": 0.2},
        "gpt2",
        "TP",
        "weightedmean_tokens",
        limit=300,
        files={PROMPTS: VERSIONS},
    ),
    "Alibaba-NLP/gte-modernbert-base": Layout("ModernBertModel", MODERN, "modern", "TP", "cls_token", limit=8192),
    # Layouts that no single model stands for.
    "mine/mixture-of-experts": Layout(
        "Qwen3MoeModel",
        DECODER | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
        "qwen",
        "TPN",
        "lasttoken",
    ),
    "mine/no-pooling-mode-on": _bert("TPN", "none of them"),
    "mine/normalized-before-dense": _bert("TPNDN", dense=[(16, True, "activation.Tanh")]),
    "mine/dot-of-normalized": _bert("TPN", files={PROMPTS: {"similarity_fn_name": "dot"}}),
    "mine/transformer-in-a-folder": _bert("TPN", limit=128, finish=_transformer_in_a_folder_of_its_own),
}
"""Models that the study loads."""

REFUSED: dict[str, tuple[Layout, str]] = {
    "Alibaba-NLP/gte-multilingual-base": (
        _gte(
            changes={"model_type": "new", **_code("Alibaba-NLP/new-impl", "configuration.NewConfig modeling.NewModel")},
        ),
        r"auto_map: the model needs code .*alibaba-nlp-community/gte-multilingual-base",
    ),
    "Alibaba-NLP/gte-Qwen2-1.5B-instruct": (
        Layout("Qwen2Model", DECODER, "qwen", "TPN", "lasttoken", changes={"auto_map": _qwen2_code}),
        "auto_map: the model needs code from its own folder, which is never run",
    ),
    "mine/gte-by-other-code": (
        _gte(
            changes={"auto_map": {"AutoConfig": "configuration.C", "AutoModel": "modeling_pooled.PooledGteModel"}},
        ),
        "auto_map: the model needs code from its own folder",
    ),
    "mine/qwen2-bidirectional-by-own-code": (
        Layout("Qwen2Model", DECODER, "qwen", "TPN", changes={"auto_map": _qwen2_code}),
        "auto_map: the model needs code from its own folder",
    ),
    "jinaai/jina-embeddings-v2-base-en": (
        _bert(
            "TP",
            limit=8192,
            changes=_code(
                "jinaai/jina-bert-implementation", "configuration_bert.JinaBertConfig modeling_bert.JinaBertModel"
            ),
        ),
        "auto_map: the model needs code",
    ),
    "jinaai/jina-embeddings-v3": (
        _xlmr(
            "TPN",
            changes=_code(
                "jinaai/xlm-roberta-flash-implementation",
                "configuration_xlm_roberta.XLMRobertaFlashConfig modeling_lora.XLMRobertaLoRA",
            ),
            finish=_custom_module,
        ),
        r"asks for 'custom_st\.Transformer', code from outside sentence-transformers, which is never run",
    ),
    "jinaai/jina-embeddings-v3-hf": (
        Layout("JinaEmbeddingsV3Model", ROBERTA, "xlm-roberta", "TPN"),
        "jina-embeddings-v3 model, whose adapters for queries and for passages lie in folders that the study does not",
    ),
    "nomic-ai/nomic-embed-text-v1.5": (
        Layout(
            "NomicBertModel",
            BERT,
            "bert uncased",
            "TP",
            limit=8192,
            changes=_code(
                "nomic-ai/nomic-bert-2048",
                "configuration_hf_nomic_bert.NomicBertConfig modeling_hf_nomic_bert.NomicBertModel",
            ),
        ),
        "auto_map: the model needs code",
    ),
    "nomic-ai/nomic-embed-text-v2-moe": (
        Layout(
            "NomicBertModel",
            BERT,
            "xlm-roberta",
            "TPN",
            files={PROMPTS: {"prompts": {"query": "search_query: ", "passage": "search_document: "}}},
            changes=_code(
                "nomic-ai/nomic-bert-2048",
                "configuration_hf_nomic_bert.NomicBertConfig modeling_hf_nomic_bert.NomicBertModel",
            ),
        ),
        "auto_map: the model needs code",
    ),
    "google/canine-s": (
        Layout("CanineModel", BERT | {"num_hash_buckets": 64, "max_position_embeddings": 256}, "canine"),
        r"no tokenizer vocabulary .*read characters or bytes cannot be used",
    ),
    "facebook/xmod-base": (
        Layout("XmodForMaskedLM", ROBERTA | {"languages": ["th_TH", "zh_CN"]}, "xlm-roberta"),
        "X-MOD model, which must know the language of each text",
    ),
    "facebook/mbart-large-50": (
        Layout(
            "MBartModel",
            {"d_model": WIDTH, "encoder_layers": 1, "decoder_layers": 1}
            | {"encoder_ffn_dim": 48, "decoder_ffn_dim": 48}
            | {"encoder_attention_heads": 2, "decoder_attention_heads": 2},
            "xlm-roberta",
        ),
        "model type 'mbart' has an encoder and a decoder",
    ),
    "BAAI/bge-m3 as pickle": (
        _long(files={PROMPTS: VERSIONS}, finish=_pickled),
        r"has no safetensors, .* SentenceTransformer\(\.\.\.\)\.save\(folder\)",
    ),
    "sentence-transformers/multi-qa-mpnet-base-dot-v1": (
        _bert("TP", files={PROMPTS: {"similarity_fn_name": "dot"}}),
        "similarity_fn_name 'dot' of embeddings that are not normalized",
    ),
    "mine/two-pooling-modes": (
        _bert("TPN", files={"1_Pooling/config.json": {"embedding_dimension": WIDTH, "pooling_mode": ["cls", "mean"]}}),
        "asks for pooling cls and mean: known are mean, weightedmean, cls, lasttoken, one at a time",
    ),
    "hkunlp/instructor-base": (
        _bert("TPN", files={"1_Pooling/config.json": {"pooling_mode": "mean", "include_prompt": False}}),
        "asks for pooling mean without the prompt's tokens",
    ),
    "mine/no-pooling-file": (
        _bert("TPN", finish=_unlink("1_Pooling/config.json")),
        r"no .*1_Pooling/config\.json: copy it too, or set pooling",
    ),
}
"""Models that the study refuses, and what it says."""
