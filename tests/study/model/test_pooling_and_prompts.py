"""Backbones in the layout their authors published, with small random weights: every file by its own name.

File names and contents are those of the hub's repositories; sentence-transformers, which most of them were published
for, is the oracle of what their files mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertModel,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLMRobertaModel,
)

from study.config import TrialConfig
from study.model.backbone import load_encoder
from study.model.pooling_and_prompts import BackboneError, resolve
from tests.toy_encoder import byte_tokenizer

CPU = torch.device("cpu")
WIDTH = 32
BERT = {"vocab_size": 260, "hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2} | {
    "intermediate_size": 64
}
ROBERTA = BERT | {"max_position_embeddings": 514, "pad_token_id": 1, "type_vocab_size": 1}
DISTILBERT = {"vocab_size": 260, "dim": WIDTH, "n_layers": 1, "n_heads": 2, "hidden_dim": 64}
MODELS: Mapping[str, tuple[type[PreTrainedModel], Any]] = {
    "xlm-roberta-base": (XLMRobertaForMaskedLM, XLMRobertaConfig.from_dict(ROBERTA)),
    "bert-base-multilingual-cased": (BertForMaskedLM, BertConfig.from_dict(BERT)),
    "distilbert-base-multilingual-cased": (DistilBertForMaskedLM, DistilBertConfig.from_dict(DISTILBERT)),
    "LaBSE": (BertModel, BertConfig.from_dict(BERT)),
    "multilingual-e5-small": (BertModel, BertConfig.from_dict(BERT)),
    "multilingual-e5-base": (XLMRobertaModel, XLMRobertaConfig.from_dict(ROBERTA)),
    "bge-m3": (XLMRobertaModel, XLMRobertaConfig.from_dict(ROBERTA)),
    "paraphrase-multilingual-MiniLM-L12-v2": (BertModel, BertConfig.from_dict(BERT)),
    "distiluse-base-multilingual-cased-v2": (DistilBertModel, DistilBertConfig.from_dict(DISTILBERT)),
}
MODULES = {
    "LaBSE": ("Transformer", "Pooling", "Dense", "Normalize"),
    "multilingual-e5-small": ("Transformer", "Pooling", "Normalize"),
    "multilingual-e5-base": ("Transformer", "Pooling", "Normalize"),
    "bge-m3": ("Transformer", "Pooling", "Normalize"),
    "paraphrase-multilingual-MiniLM-L12-v2": ("Transformer", "Pooling"),
    "distiluse-base-multilingual-cased-v2": ("Transformer", "Pooling", "Dense"),
}
VERSIONS = {"__version__": {"sentence_transformers": "2.2.2", "transformers": "4.33.0", "pytorch": "2.1.2+cu121"}}
TEXTS = ["ใครเขียนบทกวีนี้", "北京是中国的首都。", "ما هي عملة تايلاند؟"]


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")


def published(name: str, root: Path) -> Path:
    """The model's folder under its own name."""
    folder = root / name
    kind, settings = MODELS[name]
    torch.manual_seed(0)
    kind(settings).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    modules = MODULES.get(name, ())
    if not modules:
        return folder
    paths = ["", *(f"{i}_{module}" for i, module in enumerate(modules[1:], start=1))]
    types = [f"sentence_transformers.models.{module}" for module in modules]
    listed = [{"idx": i, "name": str(i), "path": paths[i], "type": kind} for i, kind in enumerate(types)]
    write(folder / "modules.json", listed)
    write(folder / "sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": False})
    if "e5" not in name:  # these alone were published without this file; it states no prompts in the others
        write(folder / "config_sentence_transformers.json", VERSIONS)
    first = name in {"LaBSE", "bge-m3"}
    modes = {"pooling_mode_cls_token": first, "pooling_mode_mean_tokens": not first, "pooling_mode_max_tokens": False}
    pooling = {"word_embedding_dimension": WIDTH, **modes, "pooling_mode_mean_sqrt_len_tokens": False}
    write(folder / "1_Pooling" / "config.json", pooling)
    if "Dense" in modules:
        dense = {"in_features": WIDTH, "out_features": 16, "bias": True}
        activation = {"activation_function": "torch.nn.modules.activation.Tanh"}
        write(folder / "2_Dense" / "config.json", dense | activation)
        held = nn.Linear(WIDTH, 16).state_dict()
        save_file({f"linear.{key}": value for key, value in held.items()}, folder / "2_Dense" / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("name", "pooling", "query", "passage"),
    [
        ("xlm-roberta-base", "mean", "Query: ", "Passage: "),
        ("bert-base-multilingual-cased", "mean", "Query: ", "Passage: "),
        ("distilbert-base-multilingual-cased", "mean", "Query: ", "Passage: "),
        ("LaBSE", "first + dense", "", ""),
        ("multilingual-e5-small", "mean", "query: ", "passage: "),
        ("multilingual-e5-base", "mean", "query: ", "passage: "),
        ("bge-m3", "first", "", ""),
        ("paraphrase-multilingual-MiniLM-L12-v2", "mean", "", ""),
        ("distiluse-base-multilingual-cased-v2", "mean + dense", "", ""),
    ],
)
def test_a_published_backbone_gets_the_pooling_and_prompts_of_its_authors(
    tmp_path: Path, name: str, pooling: str, query: str, passage: str
) -> None:
    found = resolve(TrialConfig(backbone=str(published(name, tmp_path))))
    assert found.describe() == {"pooling": pooling, "query_prefix": query, "passage_prefix": passage}


@pytest.mark.parametrize("name", MODULES)
def test_a_backbone_published_for_sentence_transformers_embeds_as_it_does_there(tmp_path: Path, name: str) -> None:
    folder = published(name, tmp_path)
    ours = load_encoder(TrialConfig(backbone=str(folder)), CPU).eval()
    theirs = SentenceTransformer(str(folder), device="cpu")
    with torch.no_grad():
        embedding_BD = ours.embed(ours.tokenize(TEXTS, "query"))
    prompt = ours.forms["query"].prefix
    expected = theirs.encode(TEXTS, prompt=prompt, normalize_embeddings=True, convert_to_tensor=True)
    torch.testing.assert_close(embedding_BD, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "name", ["xlm-roberta-base", "bert-base-multilingual-cased", "distilbert-base-multilingual-cased"]
)
def test_the_body_of_a_masked_language_model_is_loaded_from_under_its_head(tmp_path: Path, name: str) -> None:
    folder = published(name, tmp_path)
    kind, _ = MODELS[name]
    body = kind.from_pretrained(folder).base_model.eval()
    encoder = load_encoder(TrialConfig(backbone=str(folder)), CPU).eval()
    ids = encoder.tokenize(TEXTS[:1], "passage")
    expected = nn.functional.normalize(body(torch.tensor(ids)).last_hidden_state.mean(1), dim=-1)
    torch.testing.assert_close(encoder.embed(ids), expected, atol=1e-6, rtol=0)


def test_prompts_that_files_state_win_over_the_familys_even_empty_ones(tmp_path: Path) -> None:
    folder = published("multilingual-e5-small", tmp_path)
    write(folder / "config_sentence_transformers.json", VERSIONS | {"prompts": {"query": "", "document": ""}})
    found = resolve(TrialConfig(backbone=str(folder)))
    assert (found.query_prefix, found.passage_prefix) == ("", "")


def test_bge_m3_whose_weights_are_pickled_is_refused_with_how_to_write_them_anew(tmp_path: Path) -> None:
    folder = published("bge-m3", tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BackboneError, match=r"it has no safetensors, .* SentenceTransformer\(\.\.\.\)\.save\(folder\)"):
        load_encoder(TrialConfig(backbone=str(folder)), CPU)


def test_a_backbone_that_needs_code_of_its_own_is_refused_in_our_own_words(tmp_path: Path) -> None:
    folder = published("bge-m3", tmp_path)
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    auto_map = {"AutoConfig": "configuration.NewConfig", "AutoModel": "modeling.NewModel"}
    write(folder / "config.json", settings | {"model_type": "new", "auto_map": auto_map})
    with pytest.raises(BackboneError, match="needs code from its own folder, which is never run"):
        load_encoder(TrialConfig(backbone=str(folder)), CPU)
