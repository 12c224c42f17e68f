"""Small tokenizers of the kinds that public models have, with the files that those models are published with."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertTokenizer,
    CanineTokenizer,
    DebertaV2Tokenizer,
    GemmaTokenizer,
    GPT2Tokenizer,
    LlamaTokenizer,
    MPNetTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
    T5Tokenizer,
    XLMRobertaTokenizer,
)

TEXTS = [
    "ใครเขียนบทกวีนี้",
    "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "北京是中国的首都。",
    "泰国的首都是哪里？",
    "ما هي عملة تايلاند؟",
    "القاهرة عاصمة مصر",
    "Ποια είναι η ΠΡΩΤΕΥΟΥΣΑ της Ελλάδας;",
    "Instruct: Given a web search query, retrieve relevant passages that answer the query",
    "Query: task: search result | query: title: none | text: passage: Passage: document",
]
BEGIN, PAD, END, UNKNOWN, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
Writer = Callable[[Path], Any]


def _characters() -> list[str]:
    return sorted(set("".join(TEXTS)) - {" "})


def _bert(folder: Path, *, kind: Any = BertTokenizer, special: tuple[str, ...] = (), **settings: Any) -> None:
    special = special or ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    letters = sorted({*_characters(), *"".join(_characters()).lower()})
    vocabulary = [*special, *letters, *(f"##{letter}" for letter in letters)]
    kind(vocab={piece: index for index, piece in enumerate(vocabulary)}, **settings).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")


def _mpnet(folder: Path) -> None:
    _bert(folder, kind=MPNetTokenizer, special=(BEGIN, PAD, END, "[UNK]", MASK), do_lower_case=True)


def _pieces(special: Mapping[str, int | str]) -> tuple[bytes, list[tuple[str, float]]]:
    """Train a SentencePiece model; return its file and its pieces."""
    written = io.BytesIO()
    train: Callable[..., None] = SentencePieceTrainer.train
    train(
        sentence_iterator=iter(TEXTS * 3),
        model_writer=written,
        vocab_size=160,
        hard_vocab_limit=False,
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
        **special,
    )
    model = SentencePieceProcessor(model_proto=written.getvalue())
    return written.getvalue(), [(model.id_to_piece(i), model.get_score(i)) for i in range(model.get_piece_size())]


def _xlm_roberta(folder: Path, limit: int = 512) -> None:
    file, pieces = _pieces({"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1})
    special = [(token, 0.0) for token in (BEGIN, PAD, END, UNKNOWN)]
    XLMRobertaTokenizer(vocab=[*special, *pieces[3:], (MASK, 0.0)], model_max_length=limit).save_pretrained(folder)
    (folder / "sentencepiece.bpe.model").write_bytes(file)


def _deberta(folder: Path) -> None:
    special = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3}
    file, pieces = _pieces({"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3} | _names(special))
    DebertaV2Tokenizer(vocab=[*pieces, ("[MASK]", 0.0)], unk_id=3).save_pretrained(folder)
    (folder / "spm.model").write_bytes(file)


def _names(special: Mapping[str, int]) -> dict[str, int | str]:
    return dict(zip(("pad_piece", "bos_piece", "eos_piece", "unk_piece"), special, strict=True))


def _t5(folder: Path) -> None:
    file, pieces = _pieces({"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1, "unk_piece": UNKNOWN})
    T5Tokenizer(vocab=pieces, extra_ids=0).save_pretrained(folder)
    (folder / "spiece.model").write_bytes(file)


def _bytes(special: list[str]) -> tuple[dict[str, int], Any, Tokenizer]:
    """Train a byte-level BPE model; return its vocabulary, its merges and itself."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    merges = [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]
    return tokenizer.get_vocab(), merges, tokenizer


def _qwen(folder: Path) -> None:
    """As Qwen3-Embedding has it: every text ends in <|endoftext|>, batches are padded at the start."""
    end = "<|endoftext|>"
    vocabulary, merges, _ = _bytes([end])
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=merges, padding_side="left", model_max_length=131_072)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, vocabulary[end])]
    )
    tokenizer.save_pretrained(folder)


def _gpt2(folder: Path) -> None:
    vocabulary, merges, _ = _bytes(["<|endoftext|>"])
    GPT2Tokenizer(vocab=vocabulary, merges=merges, pad_token="<|endoftext|>").save_pretrained(folder)


def _pieces_with_bytes(special: list[str]) -> dict[str, int]:
    letters = ["▁", *_characters()]
    return {piece: i for i, piece in enumerate([*special, *(f"<0x{byte:02X}>" for byte in range(256)), *letters])}


def _llama(folder: Path) -> None:
    """As e5-mistral-7b-instruct has it: every text ends in </s>."""
    vocabulary = _pieces_with_bytes([UNKNOWN, BEGIN, END])
    LlamaTokenizer(
        vocab=vocabulary, merges=[], add_bos_token=True, add_eos_token=True, pad_token=END, padding_side="left"
    ).save_pretrained(folder)


def _gemma(folder: Path, limit: int = 2048) -> None:
    vocabulary = _pieces_with_bytes([PAD, "<eos>", "<bos>", UNKNOWN, MASK])
    tokenizer = GemmaTokenizer(vocab=vocabulary, merges=[], model_max_length=limit)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 2), ("<eos>", 1)]
    )
    tokenizer.save_pretrained(folder)


def _modern(folder: Path) -> None:
    """As ModernBERT and EuroBERT have it: a class of the tokenizers library alone."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    _, _, backend = _bytes(special)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = ("pad_token", "cls_token", "sep_token", "unk_token", "mask_token")
    fast: Callable[..., PreTrainedTokenizerFast] = PreTrainedTokenizerFast
    fast(tokenizer_object=backend, model_max_length=8192, **dict(zip(names, special, strict=True))).save_pretrained(
        folder
    )


def _canine(folder: Path) -> None:
    CanineTokenizer().save_pretrained(folder)


TOKENIZERS: dict[str, Writer] = {
    "bert cased": lambda folder: _bert(folder, do_lower_case=False, model_max_length=512),
    "bert uncased": lambda folder: _bert(folder, do_lower_case=True, model_max_length=512),
    "mpnet": _mpnet,
    "xlm-roberta": _xlm_roberta,
    "xlm-roberta long": lambda folder: _xlm_roberta(folder, 8192),
    "deberta": _deberta,
    "t5": _t5,
    "qwen": _qwen,
    "gpt2": _gpt2,
    "llama": _llama,
    "gemma": _gemma,
    "gemma long": lambda folder: _gemma(folder, 8192),
    "modern": _modern,
    "canine": _canine,
}
