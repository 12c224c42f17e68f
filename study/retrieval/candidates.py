"""The distinct passages of a training corpus as candidates for hard negatives, their embeddings shared over processes.

Candidates are numbered language after language. Their embeddings lie in a file of each process's own, mapped into
memory, so their number is bounded by the disk: 384 wide, a million take 1.5 GB.

Shapes: P candidates, N candidates of a block, Q candidates asked for, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from study.distributed import rank, sum_over_ranks, world_size
from study.retrieval.encode import Encoding, TextEncoder, encode
from tasks.schema import Corpus, Rows


class Candidates:
    """Every passage once in each of its languages."""

    def __init__(self, corpus: Corpus, rows: Rows) -> None:
        """Find the passages of `rows`, ascending; nothing is encoded yet."""
        self._corpus = corpus
        self._first: dict[str, int] = {}
        keys, of_rows = [], []
        size = 0
        for language in corpus.languages:
            held = rows_in(corpus, rows, language)
            distinct, first = np.unique(corpus.keys(held).passages, return_index=True)
            self._first[language] = size
            size += len(distinct)
            keys.append(distinct)
            of_rows.append(held[first])
        self.key_P: Rows = np.concatenate(keys)
        """The passage's identity; ascending within a language."""
        self._row_P: Rows = np.concatenate(of_rows)
        self._language_P = np.repeat(np.arange(len(keys)), [len(held) for held in keys])
        self._ends = dict(zip(self._first, [*list(self._first.values())[1:], size], strict=True))
        self._share: npt.NDArray[np.float32] | None = None

    def numbers(self, language: str | None) -> range:
        """Return the candidates of a language; of all languages without one."""
        return range(self._first[language], self._ends[language]) if language else range(len(self.key_P))

    def number_of(self, language: str, keys: Rows) -> Rows:
        """Return the candidates, in one language, that have these identities."""
        held = self.numbers(language)
        return held.start + np.searchsorted(self.key_P[held.start : held.stop], keys)

    def texts(self, numbers: Rows) -> list[str]:
        """Return the texts of candidates."""
        languages = [self._corpus.languages[i] for i in self._language_P[numbers]]
        return [pair.passage for pair in self._corpus.pairs(self._row_P[numbers], languages, languages)]

    def encode(self, encoder: TextEncoder, encoding: Encoding, folder: Path) -> None:
        """Encode this process's share of the candidates, every W-th, into a file in `folder`."""
        mine = np.arange(rank(), len(self.key_P), world_size())
        file = folder / f"candidates-{rank()}.f32"
        self._share = np.memmap(file, np.float32, "w+", shape=(max(1, len(mine)), encoder.width))
        for start in range(0, len(mine), encoding.block_size):
            block = mine[start : start + encoding.block_size]
            passage_ND = encode(encoder, self.texts(block), "passage", encoding.token_budget)
            self._share[start : start + len(block)] = passage_ND.float().cpu().numpy()

    def blocks(self, language: str | None, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield embeddings (N, D) and numbers (N,) of this process's share of `numbers(language)`."""
        held = self.numbers(language)
        first, end = (-(-(number - rank()) // world_size()) for number in (held.start, held.stop))
        for start in range(max(0, first), end, size):
            stop = min(start + size, end)
            numbers = torch.arange(start, stop) * world_size() + rank()
            yield torch.from_numpy(self._embeddings()[start:stop]), numbers

    def embeddings(self, numbers: Rows, device: torch.device) -> Tensor:
        """Return the embeddings (Q, D) of candidates, the same in every process; all must ask for the same."""
        held = self._embeddings()
        mine = numbers % world_size() == rank()
        passage_QD = np.zeros((len(numbers), held.shape[1]), dtype=np.float32)
        passage_QD[mine] = held[numbers[mine] // world_size()]
        return sum_over_ranks(torch.from_numpy(passage_QD).to(device))

    def _embeddings(self) -> npt.NDArray[np.float32]:
        assert self._share is not None, "encode first"
        return self._share


def rows_in(corpus: Corpus, rows: Rows, language: str) -> Rows:
    """Return those of `rows`, ascending, that have a language."""
    held = corpus.rows(language)
    if isinstance(held, range):
        return rows if held else rows[:0]
    return np.intersect1d(rows, held, assume_unique=True)
