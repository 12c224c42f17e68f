"""Two small backbones that need no download, written once per machine as ordinary Hugging Face folders.

Weights are random under a fixed seed; the tokenizer is a Unigram model trained on the factbook's training split. One
has the layout of XLM-R (a plain transformer), the other that of LaBSE (sentence-transformers files: first token, dense
layer, tanh). Both are loaded like any other model.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from study.config import BUILTIN, BUILTIN_BACKBONES
from tasks.corpora import factbook
from tasks.data.cache import cache_folder, once

VERSION = "1"
"""Part of the folder's name. Increase it whenever the content changes."""
SEED = 20240810
VOCABULARY = 8_000
WIDTH, LAYERS, HEADS, POSITIONS = 128, 1, 4, 258
XLMR_SPREAD, LABSE_SPREAD = 0.02, 0.08
"""Standard deviation of the initial weights. With BERT's 0.02 the first token, on which the LaBSE layout relies, hardly
depends on the other tokens; with 0.08 it learns (monolingual dev mAP after 400 steps at 3e-3: 0.02 and 0.14)."""
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
SPECIAL_NAMES = ("bos", "pad", "eos", "unk")


def folder(name: str) -> Path:
    """Return the folder of a built-in backbone, which is written on the first call on a machine.

    Several processes may call this at once: one of them writes, and the folder appears complete or not at all.
    """
    assert name in BUILTIN_BACKBONES, name
    target = cache_folder() / "builtin" / f"{name.removeprefix(BUILTIN)}-{VERSION}"
    return once(target, lambda partial: _write(name, partial))


def _write(name: str, target: Path) -> None:
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(target)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        if name == "builtin/xlmr-tiny":
            shape = _shape(len(tokenizer), XLMR_SPREAD)
            _write_model(XLMRobertaModel(XLMRobertaConfig.from_dict(shape), add_pooling_layer=False), target)
        else:
            shape = _shape(len(tokenizer), LABSE_SPREAD)
            _write_model(BertModel(BertConfig.from_dict(shape), add_pooling_layer=False), target)
            _write_sentence_transformers_files(target)


def _write_model(model: PreTrainedModel, target: Path) -> None:
    # `save_pretrained` would write on rank 0 of a process group only, and any rank may be the one that writes here.
    model.config.architectures = [type(model).__name__]
    (target / "config.json").write_text(model.config.to_json_string(), "utf-8")
    save_file(model.state_dict(), target / "model.safetensors", metadata={"format": "pt"})


def _texts() -> Iterator[str]:
    corpus = factbook.load()
    rows = np.arange(len(corpus))
    for language in corpus.languages:
        for pair in corpus.pairs(rows, [language] * len(rows), [language] * len(rows)):
            yield pair.query
            yield pair.passage


def _tokenizer() -> PreTrainedTokenizerFast:
    normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer = Tokenizer(models.Unigram(_pieces(map(normalizer.normalize_str, _texts())), SPECIAL.index("<unk>")))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    begin, end = SPECIAL.index("<s>"), SPECIAL.index("</s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", begin), ("</s>", end)]
    )
    fast: Callable[..., PreTrainedTokenizerFast] = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=tokenizer,
        model_max_length=POSITIONS - 2,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )


def _pieces(texts: Iterator[str]) -> list[tuple[str, float]]:
    """Return pieces and log probabilities. Unlike `tokenizers`, SentencePiece trains the same model every time."""
    written = io.BytesIO()
    special: dict[str, int | str] = {f"{name}_id": index for index, name in enumerate(SPECIAL_NAMES)}
    special |= {f"{name}_piece": piece for name, piece in zip(SPECIAL_NAMES, SPECIAL, strict=True)}
    train: Callable[..., None] = SentencePieceTrainer.train
    train(
        sentence_iterator=texts,
        model_writer=written,
        model_type="unigram",
        vocab_size=VOCABULARY,
        character_coverage=1.0,
        normalization_rule_name="identity",
        split_digits=True,
        num_threads=1,
        minloglevel=2,
        **special,
    )
    model = SentencePieceProcessor(model_proto=written.getvalue())
    return [(model.id_to_piece(index), model.get_score(index)) for index in range(model.get_piece_size())]


def _shape(vocabulary: int, spread: float) -> dict[str, int | float]:
    return {
        "vocab_size": vocabulary,
        "type_vocab_size": 1,
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": WIDTH,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": spread,
        "max_position_embeddings": POSITIONS,
        "bos_token_id": SPECIAL.index("<s>"),
        "pad_token_id": SPECIAL.index("<pad>"),
        "eos_token_id": SPECIAL.index("</s>"),
    }


def _write_sentence_transformers_files(target: Path) -> None:
    kinds = ("Transformer", "Pooling", "Dense", "Normalize")
    modules = []
    for index, kind in enumerate(kinds):
        path = "" if kind == "Transformer" else f"{index}_{kind}"
        modules.append({"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"})
        (target / path).mkdir(exist_ok=True)
    dense = {"in_features": WIDTH, "out_features": WIDTH, "bias": True}
    _write_json(target / "modules.json", modules)
    _write_json(target / "sentence_bert_config.json", {"max_seq_length": POSITIONS - 2, "do_lower_case": False})
    _write_json(target / "1_Pooling" / "config.json", {"embedding_dimension": WIDTH, "pooling_mode": "cls"})
    _write_json(
        target / "2_Dense" / "config.json", {**dense, "activation_function": "torch.nn.modules.activation.Tanh"}
    )
    linear = nn.Linear(WIDTH, WIDTH)
    save_file(
        {f"linear.{key}": value for key, value in linear.state_dict().items()}, target / "2_Dense" / "model.safetensors"
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
