"""Attention with dropout, computed again from the scores that it kept."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import torch
from torch import Tensor

from study.model.tokens import Spans

LENGTHS = [32, 20, 32, 7]
"""None longer than the width of a head, so that values can be the rows of an identity matrix."""
HEADS, WIDTH, DROPOUT, SCALING = 3, 32, 0.4, 0.2
Attention = Callable[..., Tensor]
"""Takes queries, keys and values (1, H, T, D), spans, `scaling` and `dropout`; returns (1, T, H, D)."""


def kept_scores(attention: Attention, query: Tensor, key: Tensor, spans: Spans) -> Tensor:
    """Return which scores the attention keeps with this seed, (H, T, D): a column for each token of the text."""
    identity = torch.eye(WIDTH, dtype=query.dtype, device=query.device)
    value = torch.cat([identity[:length] for length in LENGTHS]).expand(1, HEADS, -1, -1)
    torch.manual_seed(5)
    return attention(query, key, value, spans, scaling=SCALING, dropout=DROPOUT)[0].transpose(0, 1) != 0


def expected(states: list[Tensor], kept_HTD: Tensor) -> Tensor:
    """Return attention (1, T, H, D) to each text alone, with softmax and dropout written out."""
    query, key, value = (state[0].double() for state in states)
    gathered: list[Tensor] = []
    start = 0
    for length in LENGTHS:
        own = slice(start, start + length)
        weight_HLL = (SCALING * query[:, own] @ key[:, own].mT).softmax(dim=-1)
        weight_HLL = weight_HLL * kept_HTD[:, own, :length] / (1 - DROPOUT)
        gathered.append(weight_HLL @ value[:, own])
        start += length
    return torch.cat(gathered, dim=1).transpose(0, 1)[None]


def check(attention: Attention, device: str, dtype: torch.dtype, tolerance: float) -> None:
    """Compare outputs and the gradients of queries, keys and values; and that texts and heads drop different scores."""
    generator, tokens = torch.Generator().manual_seed(0), sum(LENGTHS)
    states = [
        torch.randn(1, HEADS, tokens, WIDTH, generator=generator).to(device, dtype).requires_grad_() for _ in range(3)
    ]
    bounds_B1 = torch.tensor([0, *accumulate(LENGTHS)], dtype=torch.int32, device=device)
    spans = Spans(LENGTHS, bounds_B1)
    with torch.no_grad():
        kept_HTD = kept_scores(attention, states[0], states[1], spans)
    first, third = kept_HTD[:, :32], kept_HTD[:, 52:84]  # two texts of the same length
    assert abs(first.double().mean().item() - (1 - DROPOUT)) < 0.05
    assert not torch.equal(first, third)
    assert not torch.equal(first[0], first[1])
    torch.manual_seed(5)
    found = attention(*states, spans, scaling=SCALING, dropout=DROPOUT)
    written_out = expected(states, kept_HTD)
    weight = torch.randn(found.shape, generator=generator, dtype=torch.float64).to(device)
    pairs = [(found.double(), written_out)]
    pairs += zip(*(torch.autograd.grad((out * weight).sum(), states) for out in (found, written_out)), strict=True)
    for actual, right in pairs:
        assert (actual.double() - right).norm() < tolerance * right.norm()
