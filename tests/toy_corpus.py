"""A corpus small enough to reason about, with rows that lack languages and passages that repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tasks.schema import Keys, Pair, Rows


@dataclass(frozen=True)
class ToyCorpus:
    """Row i asks question i in the languages given for it; `passage_of[i]` says which passage answers."""

    name: str
    languages_of: Sequence[tuple[str, ...]]
    passage_of: Sequence[int]
    negatives: int = 0
    revision: str = "toy"
    left_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parallel(cls, size: int, languages: tuple[str, ...], *, name: str = "toy", negatives: int = 0) -> ToyCorpus:
        """Every row in every language, every passage once."""
        return cls(name, [languages] * size, range(size), negatives)

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted(set().union(*self.languages_of)))

    @property
    def fewest_negatives(self) -> int:
        return self.negatives

    def __len__(self) -> int:
        return len(self.languages_of)

    def rows(self, language: str | None = None) -> Sequence[int] | Rows:
        held = [
            row
            for row, languages in enumerate(self.languages_of)
            if (language in languages if language else len(languages) > 1)
        ]
        return range(len(self)) if len(held) == len(self) else np.array(held, dtype=np.int64)

    def row_languages(self, row: int) -> tuple[str, ...]:
        return self.languages_of[row]

    def text_keys(self, rows: Rows) -> Rows:
        return rows

    def ids(self, rows: Rows) -> list[str]:
        return [str(row) for row in rows]

    def keys(self, rows: Rows) -> Keys:
        return Keys(rows.astype(np.int64), np.array([self.passage_of[row] for row in rows], dtype=np.int64))

    def components(self, rows: Rows) -> Keys:
        return self.keys(rows)

    def pairs(self, rows: Rows, query_languages: Sequence[str], passage_languages: Sequence[str]) -> list[Pair]:
        return [
            Pair(
                f"คำถาม {row} {query}",
                f"答案 {self.passage_of[row]} {passage}",
                tuple(f"خطأ {row} {passage} {index}" for index in range(self.negatives)),
            )
            for row, query, passage in zip(rows, query_languages, passage_languages, strict=True)
        ]
