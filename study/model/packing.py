"""Attention for batches without padding: texts lie one after the other, and each attends to itself alone.

A step of training mixes queries of ten tokens with passages of hundreds: with 32 pairs of XQuAD-R, padding to the
longest text computes 1.4 times their tokens in micro-batches of 1,024 tokens and 3.9 times in one of 16,384. Without
padding, linear layers compute what there is.

Positions, which every architecture counts in its own way, begin anew with each text. So the transformers that can do
this are listed; all others get padded batches.
"""

from __future__ import annotations

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


def use_packing(transformer: Any) -> Positions | None:
    """Let a transformer attend within the spans of a batch without padding; it then takes no other batches.

    Returns:
        How it numbers tokens; None if it needs padded batches.
    """
    settings = transformer.config
    if settings.model_type not in _COUNTS_FROM_PADDING or settings.is_decoder:
        return None
    transformer.set_attn_implementation(NAME)
    return Positions(transformer.embeddings.padding_idx if _COUNTS_FROM_PADDING[settings.model_type] else None)


def attend(
    module: torch.nn.Module,  # noqa: ARG001 - transformers passes it to every attention function
    *states: Tensor | None,
    spans: Spans,
    scaling: float,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[Tensor, None]:
    """Return what each token gathers from the tokens of its own text, (1, T, H, D).

    Args:
        module: the attention layer.
        states: queries, keys and values (1, H, T, D) of H heads of width D; None, as there is no mask.
        spans: where each text lies.
        scaling: factor of the scores.
        dropout: probability.
        others: what does not concern attention among all tokens of a text.
    """
    query, key, value, mask = states
    assert mask is None, "a batch without padding has no mask"
    assert others.get("sliding_window") is None, "a token attends to its whole text"
    assert query is not None
    assert key is not None
    assert value is not None
    attention = _in_one_kernel if query.device.type == "cuda" else _text_by_text
    return attention(query, key, value, spans, scaling=scaling, dropout=dropout), None


def _in_one_kernel(
    query: Tensor, key: Tensor, value: Tensor, spans: Spans, *, scaling: float, dropout: float
) -> Tensor:
    longest, bounds_B1 = max(spans.lengths), spans.bounds_B1
    gathered: Tensor = torch.ops.aten._efficient_attention_forward(  # noqa: SLF001 - with bounds it has no public name
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        bias=None,
        cu_seqlens_q=bounds_B1,
        cu_seqlens_k=bounds_B1,
        max_seqlen_q=longest,
        max_seqlen_k=longest,
        dropout_p=dropout,
        custom_mask_type=0,
        compute_log_sumexp=torch.is_grad_enabled(),
        scale=scaling,
    )[0]
    return gathered


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
