"""The distinct passages of a training corpus as candidates for hard negatives, with embeddings spread over processes.

Candidates are numbered language after language. Each process keeps its share of the embeddings in a memory-mapped
file, so that the disk bounds their number: a million embeddings of width 384 take 1.5 GB.

Shapes: P candidates, N candidates of a block, Q candidates asked for, D width.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from study.distributed import rank, sum_over_ranks, world_size
from study.retrieval.encode import Encoding, TextEncoder, encode
from tasks.errors import UserError
from tasks.formats.identity import Version
from tasks.same_text import bare
from tasks.schema import Corpus, Rows

_ROWS_AT_ONCE = 4096


class MiningError(UserError):
    """A corpus that cannot be mined, or a file that cannot be written."""


class Candidates:
    """Every text of a passage once in each of its languages."""

    def __init__(self, corpus: Corpus, rows: Rows) -> None:
        """Read the passages of `rows`, ascending, to find the distinct ones; nothing is encoded yet."""
        self._corpus = corpus
        self._numbers: dict[str, range] = {}
        self._rows: dict[str, Rows] = {}
        self._number_of_row: dict[str, Rows] = {}
        of_rows: list[Rows] = []
        bare_P: list[Rows] = []
        self.queries: list[Version] = []
        """The rows' queries in each language, equal for those that are one to `tasks.same_text`."""
        size = 0
        for language in corpus.languages:
            own_rows = rows_in(corpus, rows, language)
            exact, without_form, query = _hashes(corpus, own_rows, language)
            _, first, text = np.unique(exact, return_index=True, return_inverse=True)
            self._numbers[language] = range(size, size + len(first))
            self._rows[language], self._number_of_row[language] = own_rows, size + text
            of_rows.append(own_rows[first])
            bare_P.append(without_form[first])
            self.queries.append(Version(own_rows, query))
            size += len(first)
        self._row_P: Rows = np.concatenate(of_rows)
        self._language_P = np.repeat(np.arange(len(of_rows)), [len(own_rows) for own_rows in of_rows])
        self.key_P: Rows = corpus.components(self._row_P).passages
        """The passage's identity, which its versions share."""
        self.text_P: Rows = np.unique(np.concatenate(bare_P), return_inverse=True)[1]
        """The text's number, in all languages the same for texts that are one to `tasks.same_text`."""
        self._distinct: dict[str | None, Rows] = {}
        self._share: npt.NDArray[np.float32] | None = None

    def numbers(self, language: str | None) -> range:
        """Return the candidates of a language; of all languages without one."""
        return self._numbers[language] if language else range(len(self.key_P))

    def distinct(self, language: str | None) -> Rows:
        """Return one of `numbers(language)` for each text, ascending."""
        if language not in self._distinct:
            numbers = self.numbers(language)
            first = np.unique(self.text_P[numbers.start : numbers.stop], return_index=True)[1]
            self._distinct[language] = numbers.start + np.sort(first)
        return self._distinct[language]

    def number_of(self, language: str, rows: Rows) -> Rows:
        """Return the candidates that are the passages of rows in one language."""
        return self._number_of_row[language][np.searchsorted(self._rows[language], rows)]

    def languages(self, numbers: Rows) -> list[str]:
        """Return the languages of candidates."""
        return [self._corpus.languages[i] for i in self._language_P[numbers]]

    def texts(self, numbers: Rows) -> list[str]:
        """Return the texts of candidates."""
        languages = self.languages(numbers)
        return [pair.passage for pair in self._corpus.pairs(self._row_P[numbers], languages, languages)]

    def encode(self, encoder: TextEncoder, encoding: Encoding, folder: Path) -> None:
        """Encode this process's share of the candidates, every W-th, into a file in `folder`.

        Raises:
            MiningError: the disk is too small.
        """
        mine = np.arange(rank(), len(self.key_P), world_size())
        file = folder / f"candidates-{rank()}.f32"
        shape = (max(1, len(mine)), encoder.width)
        _reserve(file, shape[0] * shape[1] * np.dtype(np.float32).itemsize)
        self._share = np.memmap(file, np.float32, "r+", shape=shape)
        for start in range(0, len(mine), encoding.block_size):
            block = mine[start : start + encoding.block_size]
            passage_ND = encode(encoder, self.texts(block), "passage", encoding.token_budget)
            self._share[start : start + len(block)] = passage_ND.float().cpu().numpy()

    def blocks(self, language: str | None, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield embeddings (N, D) and numbers (N,) of this process's share of `numbers(language)`."""
        numbers_of_language = self.numbers(language)
        first, end = (
            -(-(number - rank()) // world_size()) for number in (numbers_of_language.start, numbers_of_language.stop)
        )
        for start in range(max(0, first), end, size):
            stop = min(start + size, end)
            numbers = torch.arange(start, stop) * world_size() + rank()
            yield torch.from_numpy(self._embeddings()[start:stop]), numbers

    def embeddings(self, numbers: Rows, device: torch.device) -> Tensor:
        """Return the embeddings (Q, D) of candidates, the same in every process; all must ask for the same."""
        embeddings = self._embeddings()
        mine = numbers % world_size() == rank()
        passage_QD = np.zeros((len(numbers), embeddings.shape[1]), dtype=np.float32)
        passage_QD[mine] = embeddings[numbers[mine] // world_size()]
        return sum_over_ranks(torch.from_numpy(passage_QD).to(device))

    def _embeddings(self) -> npt.NDArray[np.float32]:
        assert self._share is not None, "encode first"
        return self._share


def _reserve(file: Path, size: int) -> None:
    """Make a file of `size` bytes that the disk has room for; a map of a file without ends the process by a signal."""
    try:
        with file.open("wb") as out:
            os.posix_fallocate(out.fileno(), 0, size)
    except OSError as error:
        free = shutil.disk_usage(file.parent).free
        raise MiningError(
            f"{file.parent} cannot take {size / 1e9:,.1f} GB of embeddings ({error.strerror}, {free / 1e9:,.1f} GB are "
            "free): make room, or name another place with --output"
        ) from None


def _hashes(corpus: Corpus, rows: Rows, language: str) -> tuple[Rows, Rows, Rows]:
    """Return hashes of each row's passage, as it is and as `bare` returns it, and of its query as `bare` returns it.

    They are the same in every process.
    """
    exact, without_form, query = (np.empty(len(rows), dtype=np.int64) for _ in range(3))
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows[start : start + _ROWS_AT_ONCE]
        pairs = corpus.pairs(part, [language] * len(part), [language] * len(part))
        own = slice(start, start + len(part))
        exact[own] = _digests(pair.passage for pair in pairs)
        without_form[own] = _digests(bare(pair.passage) for pair in pairs)
        query[own] = _digests(bare(pair.query) for pair in pairs)
    return exact, without_form, query


def _digests(texts: Iterable[str]) -> Rows:
    digests = (hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype=np.int64)


def rows_in(corpus: Corpus, rows: Rows, language: str) -> Rows:
    """Return the `rows`, ascending, that have a language."""
    available = corpus.rows(language)
    if isinstance(available, range):
        return rows if available else rows[:0]
    return np.intersect1d(rows, available, assume_unique=True)
