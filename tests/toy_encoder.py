"""A real transformer, two layers deep, that reads bytes: any script, no tokenizer to train."""

from __future__ import annotations

from collections.abc import Callable

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from study.model.encoder import Encoder, TextForm

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, between <s> and </s>."""
    vocabulary = {token: index for index, token in enumerate(SPECIAL + sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    fast: Callable[..., PreTrainedTokenizerFast] = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def toy_encoder(*, dropout: float = 0.0, pooling: str = "mean", seed: int = 0, packed: bool = True) -> Encoder:
    """The same weights for the same seed, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        transformer = BertModel(
            BertConfig.from_dict(
                {
                    "vocab_size": len(SPECIAL) + 256,
                    "hidden_size": 32,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 2,
                    "intermediate_size": 64,
                    "max_position_embeddings": 128,
                    "hidden_dropout_prob": dropout,
                    "attention_probs_dropout_prob": dropout,
                }
            )
        )
    forms = {"query": TextForm("Query: ", 64), "passage": TextForm("Passage: ", 64)}
    encoder = Encoder(transformer, byte_tokenizer(), pooling, [], forms)  # type: ignore[arg-type]  # the keys are kinds
    return encoder.pack() if packed else encoder
