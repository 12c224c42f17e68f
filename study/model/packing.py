"""Attention for batches without padding: texts lie one after the other, and each attends to itself alone.

A step of training mixes queries of ten tokens with passages of hundreds, and padding to the longest text computes up to
four times their tokens (`experiments/2026-11-27-packing`). Without padding, linear layers compute what there is.

Positions, which every architecture counts in its own way, begin anew with each text. So the transformers that can do
this are listed; all others get padded batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface

from study.model.tokens import Positions, Spans

NAME = "texts_one_after_the_other"
_COUNTS_FROM_PADDING = {"bert": False, "roberta": True, "xlm-roberta": True}
"""By model type: whether positions begin after the padding token's id, or at 0."""
_ALIGNMENT = 8
"""The width of a head is a multiple of it, or the kernel for GPUs refuses its states in bfloat16."""
_RANDOM_NUMBERS = 2**31 - 1
"""Where dropout needs padded texts, it numbers random numbers, one a score, in 32 bits. Beyond these its backward pass
would drop others than its forward pass did (pytorch/pytorch#188015, and the headers of torch 2.13).
"""
_PADDED = 2
"""Most tokens of a run of padded texts, over those without padding."""
_FLASH_SINCE = (8, 0)
"""The compute capability of the first GPUs that PyTorch's flash attention runs on."""


def use_packing(transformer: Any) -> Positions | None:
    """Let a transformer attend within the spans of a batch without padding; it then takes no other batches.

    Returns:
        How it numbers tokens; None if it needs padded batches.
    """
    settings = transformer.config
    if settings.model_type not in _COUNTS_FROM_PADDING or settings.is_decoder:
        return None
    counts_from_padding = _COUNTS_FROM_PADDING[settings.model_type]
    padding = transformer.embeddings.padding_idx if counts_from_padding else None
    if counts_from_padding and padding is None:
        return None
    if settings.hidden_size // settings.num_attention_heads % _ALIGNMENT:
        return None
    transformer.set_attn_implementation(NAME)
    if settings._attn_implementation != NAME:  # noqa: SLF001 - has no public name; transformers only warns
        return None
    return Positions(padding)


def attend(
    module: torch.nn.Module,  # noqa: ARG001 - transformers passes it to every attention function
    *states: Any,
    spans: Spans,
    scaling: float,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[Tensor, None]:
    """Return what each token gathers from the tokens of its own text, (1, T, H, D).

    Args:
        module: the attention layer.
        states: queries, keys and values (1, H, T, D) of H heads of width D; the mask, which is None.
        spans: where each text lies.
        scaling: factor of the scores.
        dropout: probability.
        others: what does not concern attention among all tokens of a text.
    """
    query, key, value, mask = states
    assert mask is None, "a batch without padding has no mask"
    assert others.get("sliding_window") is None, "a token attends to its whole text"
    attention = _on_gpu if query.device.type == "cuda" else _text_by_text
    return attention(query, key, value, spans, scaling=scaling, dropout=dropout), None


def _on_gpu(query: Tensor, key: Tensor, value: Tensor, spans: Spans, *, scaling: float, dropout: float) -> Tensor:
    """Attend in one kernel that takes the texts' bounds; with dropout in float32, pad the texts for attention alone.

    Two kernels take bounds: one for both precisions, and flash attention for bfloat16. The first cannot drop out: its
    forward pass drops the same scores of every head and text, and its backward pass others, so gradients would be wrong
    (measured with torch 2.11, `experiments/2026-11-27-gpu-dropout`).
    """
    if not dropout:
        return _efficient(query, key, value, spans, scaling=scaling)
    if query.dtype == torch.bfloat16 and torch.cuda.get_device_capability(query.device) >= _FLASH_SINCE:
        return _flash(query, key, value, spans, scaling=scaling, dropout=dropout)
    return _padded_in_runs(query, key, value, spans, scaling=scaling, dropout=dropout)


def _efficient(query: Tensor, key: Tensor, value: Tensor, spans: Spans, *, scaling: float) -> Tensor:
    longest = max(spans.lengths)
    gathered_1THD: Tensor = torch.ops.aten._efficient_attention_forward(  # noqa: SLF001 - has no public name
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        bias=None,
        cu_seqlens_q=spans.bounds_B1,
        cu_seqlens_k=spans.bounds_B1,
        max_seqlen_q=longest,
        max_seqlen_k=longest,
        dropout_p=0.0,
        custom_mask_type=0,
        compute_log_sumexp=torch.is_grad_enabled(),
        scale=scaling,
    )[0]
    return gathered_1THD


def _flash(query: Tensor, key: Tensor, value: Tensor, spans: Spans, *, scaling: float, dropout: float) -> Tensor:
    longest = max(spans.lengths)
    gathered_THD: Tensor = torch.ops.aten._flash_attention_forward(  # noqa: SLF001 - the public one has no dropout
        *(state[0].transpose(0, 1) for state in (query, key, value)),
        cum_seq_q=spans.bounds_B1,
        cum_seq_k=spans.bounds_B1,
        max_q=longest,
        max_k=longest,
        dropout_p=dropout,
        is_causal=False,
        return_debug_mask=False,
        scale=scaling,
    )[0]
    return gathered_THD[None]


def _padded_in_runs(
    query: Tensor, key: Tensor, value: Tensor, spans: Spans, *, scaling: float, dropout: float
) -> Tensor:
    """Attend to padded texts, in few runs of neighbours that are about as long, as batches have long texts first."""
    lengths, bounds_B1 = spans
    gathered: list[Tensor] = []
    start = 0
    for run in _apart(lengths, _RANDOM_NUMBERS // query.shape[1]):
        end = start + sum(lengths[run])
        own = Spans(lengths[run], bounds_B1[run.start : run.stop + 1] - start)
        query_run, key_run, value_run = (state[:, :, start:end] for state in (query, key, value))
        gathered.append(_padded(query_run, key_run, value_run, own, scaling=scaling, dropout=dropout))
        start = end
    return torch.cat(gathered)[None]


def _apart(lengths: Sequence[int], most: int) -> Iterator[slice]:
    """Yield runs of texts, as long as may be, that need few scores and little padding.

    A run's number of texts times the longest length squared is at most `most`; and padded, it is at most twice its
    tokens, or a batch of short queries behind one long passage would need many times its memory.
    """
    start = longest = tokens = 0
    for end, length in enumerate(lengths):
        assert length**2 <= most, f"a text of {length} tokens is too long for dropout of attention"
        longest, tokens, texts = max(longest, length), tokens + length, end + 1 - start
        if texts * longest**2 > most or texts * longest > _PADDED * tokens:
            yield slice(start, end)
            start, longest, tokens = end, length, length
    yield slice(start, len(lengths))


def _padded(query: Tensor, key: Tensor, value: Tensor, spans: Spans, *, scaling: float, dropout: float) -> Tensor:
    """Attend to texts that are padded to the longest; return (T, H, D)."""
    texts, longest, device = len(spans.lengths), max(spans.lengths), query.device
    lengths_B = spans.bounds_B1.diff()
    is_token_BL = torch.arange(longest, device=device) < lengths_B[:, None]
    moved_B = torch.arange(texts, device=device) * longest - spans.bounds_B1[:-1]
    tokens = query.shape[2]  # given, so that this process does not wait for the GPU to add it up
    place_T = torch.arange(tokens, device=device) + moved_B.repeat_interleave(lengths_B, output_size=tokens)
    query_BHLD, key_BHLD, value_BHLD = (
        state.new_zeros(texts * longest, state.shape[1], state.shape[3])
        .index_copy(0, place_T, state[0].transpose(0, 1))
        .unflatten(0, (texts, longest))
        .transpose(1, 2)
        for state in (query, key, value)
    )
    of_texts_BHLD = F.scaled_dot_product_attention(
        query_BHLD,
        key_BHLD,
        value_BHLD,
        attn_mask=is_token_BL[:, None, None],
        dropout_p=dropout,
        scale=scaling,
    )
    return of_texts_BHLD.transpose(1, 2).flatten(0, 1).index_select(0, place_T)


def _text_by_text(query: Tensor, key: Tensor, value: Tensor, spans: Spans, *, scaling: float, dropout: float) -> Tensor:
    """Attend in one call for neighbours of the same length, which have the same shape."""
    gathered: list[Tensor] = []
    start = 0
    for length, alike in groupby(spans.lengths):
        end = start + length * len(list(alike))
        query_BHLD, key_BHLD, value_BHLD = (
            state[0, :, start:end].unflatten(1, (-1, length)).transpose(0, 1) for state in (query, key, value)
        )
        of_texts = F.scaled_dot_product_attention(query_BHLD, key_BHLD, value_BHLD, dropout_p=dropout, scale=scaling)
        gathered.append(of_texts.transpose(1, 2).flatten(0, 1))
        start = end
    return torch.cat(gathered)[None]


AttentionInterface.register(NAME, attend)
