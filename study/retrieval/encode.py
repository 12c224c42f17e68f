"""Texts to embeddings: each distinct text of a block once, in batches of similar length and bounded size.

Shapes: N texts, V windows of a passage, M windows of all passages, B texts of a batch, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from study.ahead import ahead
from study.batching import batches_by_length, encoding_tokens
from study.distributed import gather_rows, rank, world_size
from study.model.tokens import move
from tasks.errors import UserError
from tasks.schema import Rows

Kind = Literal["query", "passage"]
TokenIds = Sequence[int]
TEXTS_AHEAD = 1_024
"""Texts that are tokenized while as many are embedded, so that neither a GPU nor the tokenizer waits for the other."""
Windows = Callable[[Sequence[str]], list[list[list[int]]]]
"""Cuts passages into overlapping windows of token ids, each with prefix and special tokens, one or more per passage."""


class TextEncoder(Protocol):
    """The interface that retrieval needs of an encoder; `study.model.encoder` implements it."""

    @property
    def device(self) -> torch.device:
        """Where embeddings are made and returned."""
        ...

    @property
    def width(self) -> int:
        """D, the length of an embedding."""
        ...

    @property
    def pads(self) -> bool:
        """Whether a batch is padded to its longest text."""
        ...

    def eval(self) -> object:
        """Switch dropout off."""
        ...

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        """Return each text's token ids: prefix and special tokens added, truncated."""
        ...

    def embed(self, token_ids: Sequence[TokenIds]) -> Tensor:
        """Return the float32 unit-norm embeddings (B, D) of one batch, in the encoder's own precision."""
        ...


@dataclass(frozen=True)
class Encoding:
    """How texts become embeddings."""

    token_budget: int | None = None
    """Most tokens per batch, padding included; a longer text is a batch by itself. Suits the device unless given."""
    block_size: int = 8_192
    """Texts that a process encodes at a time, which bounds its memory."""
    windows: Windows | None = None
    """Scores a passage by its best window (localized relevance matching, arXiv 2112.11031); None scores its start."""


Embedded = Callable[[int], None]
"""Called with the number of texts, or windows, of each batch that was embedded."""


class Group(NamedTuple):
    """Passages of equally many windows."""

    index_N: Rows
    """Which of the texts at hand."""
    passage_NVD: Tensor


def encode(
    encoder: TextEncoder,
    texts: Sequence[str],
    kind: Kind,
    token_budget: int | None,
    embedded: Embedded | None = None,
) -> Tensor:
    """Return the float32 unit-norm embeddings (N, D) of this process's texts, in their order, without gradient.

    Args:
        encoder: makes the embeddings; left in evaluation mode.
        texts: any number of texts, even none; repeated ones are encoded once and so get equal embeddings.
        kind: which prefix the encoder adds.
        token_budget: see `Encoding`.
        embedded: called after every batch.
    """
    longest_first = _longest_first(texts)
    token_ids = ahead(lambda part: encoder.tokenize(part, kind), _parts(texts, longest_first))
    embedding_ND = _embeddings(encoder, token_ids, token_budget, embedded)
    return embedding_ND[move(torch.from_numpy(np.argsort(longest_first)), encoder.device)]


def encode_together(
    encoder: TextEncoder,
    texts: Sequence[str],
    kind: Kind,
    token_budget: int | None,
    embedded: Embedded | None = None,
) -> Tensor:
    """Return the embeddings (N, D) of `texts`, the same in every process, on every process; each encodes its share."""
    mine = encode(encoder, [texts[i] for i in share(texts)], kind, token_budget, embedded)
    dealt = np.concatenate([share(texts, r) for r in range(world_size())])
    embedding_ND = torch.empty((len(texts), encoder.width), device=encoder.device)
    embedding_ND[torch.from_numpy(dealt)] = gather_rows(mine)
    return embedding_ND


def encode_passages(
    encoder: TextEncoder,
    texts: Sequence[str],
    encoding: Encoding,
    kind: Kind = "passage",
    embedded: Embedded | None = None,
) -> Iterator[Group]:
    """Yield the embeddings of these passages, grouped by their number of windows.

    Each has one window unless `encoding.windows` is set and they are encoded as passages. Then the windows of
    `TEXTS_AHEAD` passages are in memory at a time, as a long one may have hundreds.
    """
    if encoding.windows is None or kind == "query":
        passage_ND = encode(encoder, texts, kind, encoding.token_budget, embedded)
        yield Group(np.arange(len(texts)), passage_ND[:, None])
        return
    longest_first = _longest_first(texts)
    first = 0
    for part in ahead(encoding.windows, _parts(texts, longest_first)):
        index_N, count_N = longest_first[first : first + len(part)], np.array([len(of_text) for of_text in part])
        window_MD = _embeddings(
            encoder, [[ids for of_text in part for ids in of_text]], encoding.token_budget, embedded
        )
        first_N = np.cumsum(count_N) - count_N
        for count in np.unique(count_N):
            alike = np.flatnonzero(count_N == count)
            yield Group(index_N[alike], window_MD[torch.from_numpy(first_N[alike, None] + np.arange(count))])
        first += len(part)


def share(texts: Sequence[str], of_rank: int | None = None) -> Rows:
    """Return which of `texts` a rank (default: this one) encodes: every W-th by length, for equal shares of work."""
    order = np.argsort([len(text) for text in texts], kind="stable").astype(np.int64)
    return order[rank() if of_rank is None else of_rank :: world_size()]


def _longest_first(texts: Sequence[str]) -> Rows:
    """Return the texts by their characters, so that those of a part are about as long."""
    return np.argsort([-len(text) for text in texts], kind="stable").astype(np.int64)


def _parts(texts: Sequence[str], order: Rows) -> Iterator[list[str]]:
    for start in range(0, len(order), TEXTS_AHEAD):
        yield [texts[i] for i in order[start : start + TEXTS_AHEAD]]


def _embeddings(
    encoder: TextEncoder,
    parts: Iterable[Sequence[TokenIds]],
    token_budget: int | None,
    embedded: Embedded | None,
) -> Tensor:
    """Return the embeddings of texts whose token ids come in parts, each text's once.

    Raises:
        UserError: one is not finite; no passage scores above NaN, so that whatever is ranked by it would come first.
    """
    encoder.eval()
    budget = token_budget or encoding_tokens(encoder.device)
    number: dict[tuple[int, ...], int] = {}
    number_N: list[int] = []
    order_U = [np.empty(0, dtype=np.int64)]
    embedding_UD = [torch.empty((0, encoder.width), device=encoder.device)]
    with torch.no_grad():
        for part in parts:
            new = list(dict.fromkeys(ids for ids in map(tuple, part) if ids not in number))
            for batch in batches_by_length([len(ids) for ids in new], budget, padded=encoder.pads):
                embedding_UD.append(encoder.embed([new[i] for i in batch]))
                order_U.append(len(number) + batch)
                if embedded:
                    embedded(len(batch))
            number |= {ids: len(number) + i for i, ids in enumerate(new)}
            number_N += [number[tuple(ids)] for ids in part]
    row_U = np.argsort(np.concatenate(order_U))
    all_UD = torch.cat(embedding_UD)
    if not all_UD.isfinite().all():
        raise UserError(
            "the model's embeddings are not finite (NaN or infinity): its weights are damaged or training diverged"
        )
    return all_UD[move(torch.from_numpy(row_U[number_N]), encoder.device)]
