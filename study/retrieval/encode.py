"""Texts to embeddings: each distinct text once, in batches of similar length and bounded size.

Shapes: N texts, B texts of a batch, L tokens of its longest text, D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from study.distributed import gather_rows, rank, world_size

Kind = Literal["query", "passage"]
Rows = npt.NDArray[np.int64]


class TextEncoder(Protocol):
    """What retrieval asks of an encoder (`study.training.encoder` holds the real one)."""

    @property
    def device(self) -> torch.device:
        """Where embeddings are made and returned."""
        ...

    @property
    def width(self) -> int:
        """D, the length of an embedding."""
        ...

    def eval(self) -> object:
        """Switch dropout off."""
        ...

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        """Return each text's token ids: prefix and special tokens added, truncated."""
        ...

    def embed(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """Return the float32 unit-norm embeddings (B, D) of one padded batch, in the encoder's own precision."""
        ...


def encode(encoder: TextEncoder, texts: Sequence[str], kind: Kind, token_budget: int) -> Tensor:
    """Return the float32 unit-norm embeddings (N, D) of this process's texts, in their order, without gradient.

    Args:
        encoder: makes the embeddings; left in evaluation mode.
        texts: any number of texts, even none; repeated ones are encoded once and so get equal embeddings.
        kind: which prefix the encoder adds.
        token_budget: most tokens of one batch, padding included; a text longer than that makes a batch of its own.
    """
    encoder.eval()
    distinct = list(dict.fromkeys(texts))
    token_ids = encoder.tokenize(distinct, kind)
    distinct_UD = torch.empty((len(distinct), encoder.width), device=encoder.device)
    with torch.no_grad():
        for batch in batches_by_length([len(ids) for ids in token_ids], token_budget):
            distinct_UD[torch.from_numpy(batch)] = encoder.embed([token_ids[i] for i in batch])
    place = {text: i for i, text in enumerate(distinct)}
    return distinct_UD[torch.tensor([place[text] for text in texts], dtype=torch.int64, device=encoder.device)]


def encode_together(encoder: TextEncoder, texts: Sequence[str], kind: Kind, token_budget: int) -> Tensor:
    """Return the embeddings (N, D) of `texts`, the same in every process, on every process; each encodes its share."""
    mine = encode(encoder, [texts[i] for i in share(texts)], kind, token_budget)
    dealt = np.concatenate([share(texts, r) for r in range(world_size())])
    embedding_ND = torch.empty((len(texts), encoder.width), device=encoder.device)
    embedding_ND[torch.from_numpy(dealt)] = gather_rows(mine)
    return embedding_ND


def share(texts: Sequence[str], of_rank: int | None = None) -> Rows:
    """Return which of `texts` a rank (default: this one) encodes: every W-th by length, so that shares weigh alike."""
    order = np.argsort([len(text) for text in texts], kind="stable").astype(np.int64)
    return order[rank() if of_rank is None else of_rank :: world_size()]


def batches_by_length(lengths: Sequence[int], token_budget: int) -> Iterator[Rows]:
    """Yield batches of row numbers, longest rows first, whose padded size is at most `token_budget` tokens.

    Longest first, so that a batch that does not fit into memory fails at once and not at the end.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, token_budget // lengths[order[start]])
        yield order[start : start + size]
        start += size
