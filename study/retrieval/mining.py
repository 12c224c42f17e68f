"""Mine hard negatives for a training corpus: the passages of the corpus that a model ranks highest for a query.

Positive-aware, as TopK-PercPos of NV-Retriever (arXiv 2407.15831, section 3.3): a candidate that scores above a
fraction of the positive's score is likely to be relevant too, and is dropped. So is every passage that the corpus pairs
with the query in any row, in any language, and every one with the text of such a passage or of a negative that scores
higher (`tasks.same_text` says when two queries or passages are one). The fraction applies to raw cosines: a model
trained at a low temperature has them in a narrow range (multilingual E5: most above .7) and keeps hard candidates only
with a fraction near 1.

Shapes: Q rows of a block, K candidates of a row, N negatives of a row, P passages, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from study.retrieval.answers import Answers
from study.retrieval.candidates import Candidates, MiningError, rows_in
from study.retrieval.encode import Encoding, TextEncoder, encode_together
from study.retrieval.search import Hits, TopK
from tasks.formats.identity import Version, components
from tasks.schema import Corpus, Rows

DRAWN = 64
"""Passages drawn at random per negative for a row that lacks some; those that score low enough are taken first."""


@dataclass(frozen=True)
class Rule:
    """Which candidates become negatives."""

    negatives: int = 4
    """N, per row and language."""
    depth: int = 100
    """K, the number of best candidates to choose from."""
    share: float = 0.95
    """Candidates that score above this fraction of the positive's score are dropped: 0.95 leaves out what scores above
    the positive less a twentieth of its absolute value."""
    multilingual: bool = False
    """Whether to search the passages of all languages, not only those of the query's language."""


@dataclass(frozen=True)
class Mined:
    """The negatives of some rows in one language."""

    language: str
    row_Q: Rows
    number_QN: Rows
    """Candidates, hardest first."""
    too_close: int
    """Number of candidates that were dropped for their score."""
    random: int
    """Number of negatives drawn at random, because too few candidates were left."""
    above: int
    """Number of these that score above the share all the same, because too few passages score below it."""
    replaced: int = 0
    """Number of negatives that the rows have in the corpus, in place of which these come."""


class Miner:
    """Mines a corpus block by block; all processes call its methods together and get the same results."""

    def __init__(self, encoder: TextEncoder, corpus: Corpus, rule: Rule, encoding: Encoding) -> None:
        """Find the candidates; encode nothing yet.

        Raises:
            MiningError: a language has too few passages, or too few that do not answer some query.
        """
        self._encoder, self._corpus, self._rule, self._encoding = encoder, corpus, rule, encoding
        every = np.arange(len(corpus))
        self.rows: Rows = np.sort(np.unique(corpus.text_keys(every), return_index=True)[1])
        self.copies = np.setdiff1d(every, self.rows, assume_unique=True)
        """Rows that are not mined, because an earlier row has the same texts."""
        self.candidates = Candidates(corpus, self.rows)
        known = corpus.components(every)
        # The corpus compares texts as they are: a question in capitals would have the other's answer as a negative.
        queries = components(len(corpus), [Version(every, known.queries), *self.candidates.queries])
        self._answers = Answers(known._replace(queries=queries), self.candidates)
        for language in corpus.languages:
            self._check_enough(language)

    def _check_enough(self, language: str) -> None:
        """Refuse a query that more passages answer than would leave enough of the others."""
        pool, wanted = self.candidates.distinct(self._pool(language)), self._rule.negatives
        sentence = f"corpus '{self._corpus.name}' has too few passages in '{language}' for {wanted} negatives a query"
        if len(pool) <= wanted:
            raise MiningError(f"{sentence}: ask for fewer with --negatives")
        rows = rows_in(self._corpus, self.rows, language)
        for row in rows[len(pool) - self._answers.most_Q[self._answers.query_R[rows]] < wanted].tolist():
            others = int((~self._answers.hold(self._answers.query_R[row], pool)).sum())
            if others < wanted:
                (name,) = self._corpus.ids(np.array([row]))
                raise MiningError(
                    f"{sentence}: only {others} do not answer that of row '{name}'; ask for fewer with --negatives"
                )

    def _pool(self, language: str) -> str | None:
        """Return the language whose passages are searched for queries in `language`; None for all."""
        return None if self._rule.multilingual else language

    def prepare(self, folder: Path) -> None:
        """Encode all candidates into files in `folder`."""
        self.candidates.encode(self._encoder, self._encoding, folder)

    def blocks(self) -> Iterator[list[Mined]]:
        """Yield the negatives of a block of rows, language by language."""
        for start in range(0, len(self.rows), self._encoding.block_size):
            block = self.rows[start : start + self._encoding.block_size]
            by_language = ((language, rows_in(self._corpus, block, language)) for language in self._corpus.languages)
            yield [self._mined(language, rows) for language, rows in by_language if len(rows)]

    def _mined(self, language: str, row_Q: Rows) -> Mined:
        languages = [language] * len(row_Q)
        pairs = self._corpus.pairs(row_Q, languages, languages)
        queries, replaced = [pair.query for pair in pairs], sum(len(pair.negatives) for pair in pairs)
        query_QD = encode_together(self._encoder, queries, "query", self._encoding.token_budget).float()
        own_Q = self.candidates.number_of(language, row_Q)
        positive_Q = (query_QD * self.candidates.embeddings(own_Q, query_QD.device)).sum(dim=1).cpu().numpy()
        search = TopK(query_QD, self._rule.depth)
        for passage_ND, number_N in self.candidates.blocks(self._pool(language), self._encoding.block_size):
            search.add(passage_ND[:, None], number_N)
        # Where the positive's cosine is negative, the share of it would be above it.
        share_Q = np.where(positive_Q < 0, 2 - self._rule.share, self._rule.share).astype(positive_Q.dtype)
        mined = self._chosen(language, row_Q, query_QD, share_Q * positive_Q, search.best())
        return replace(mined, replaced=replaced)

    def _chosen(
        self, language: str, row_Q: Rows, query_QD: Tensor, highest_Q: npt.NDArray[np.floating[Any]], hits: Hits
    ) -> Mined:
        found_QK = hits.key_QK >= 0
        known_QK = self._answers.hold(self._answers.query_R[row_Q][:, None], np.maximum(hits.key_QK, 0))
        close_QK = hits.score_QK > highest_Q[:, None]
        kept_QK = found_QK & ~known_QK & ~close_QK
        kept_QK &= ~_repeated(np.where(kept_QK, self.candidates.text_P[hits.key_QK], -1))
        best_QN = np.argsort(~kept_QK, axis=1, kind="stable")[:, : self._rule.negatives]
        number_QN = np.take_along_axis(np.where(kept_QK, hits.key_QK, -1), best_QN, axis=1)
        missing = self._rule.negatives - number_QN.shape[1]
        number_QN = np.pad(number_QN, ((0, 0), (0, max(0, missing))), constant_values=-1)
        lacking_QN = number_QN < 0
        above = 0
        for place in np.flatnonzero(lacking_QN.any(axis=1)).tolist():
            number_QN[place, lacking_QN[place]], too_high = self._random(
                language, int(row_Q[place]), query_QD[place], float(highest_Q[place]), number_QN[place]
            )
            above += too_high
        too_close = int((found_QK & ~known_QK & close_QK).sum())
        return Mined(language, row_Q, number_QN, too_close, int(lacking_QN.sum()), above)

    def _random(self, language: str, row: int, query_D: Tensor, highest: float, number_N: Rows) -> tuple[Rows, int]:
        """Draw the passages that `number_N` lacks from those that neither answer the query nor score above `highest`.

        Seeded by the row; no two have the same text. Where too few of those drawn are such, the lowest that do not
        answer the query are taken.

        Returns:
            The passages, and how many of them score above `highest`.
        """
        pool, query = self.candidates.distinct(self._pool(language)), self._answers.query_R[row]
        text_P = self.candidates.text_P
        # So many that even if all answers and all of `number_N` are among them enough are left.
        most = DRAWN * self._rule.negatives + int(self._answers.most_Q[query])
        drawn = pool[np.random.default_rng(row).choice(len(pool), size=min(len(pool), most), replace=False)]
        chosen_texts = text_P[number_N[number_N >= 0]]
        drawn = drawn[~self._answers.hold(query, drawn) & ~np.isin(text_P[drawn], chosen_texts)]
        score_N = (self.candidates.embeddings(drawn, query_D.device) @ query_D).cpu().numpy()
        too_high, wanted = score_N > highest, int((number_N < 0).sum())
        # Those that score low enough as they were drawn, then the others from the lowest on.
        chosen = np.lexsort((np.where(too_high, score_N, 0), too_high))[:wanted]
        assert len(chosen) == wanted, "checked before"
        return drawn[chosen], int(too_high[chosen].sum())


def _repeated(text_QK: Rows) -> npt.NDArray[np.bool_]:
    """Return which texts stand further left in their row too; -1 is none."""
    order_QK = np.argsort(text_QK, axis=1, kind="stable")
    sorted_QK = np.take_along_axis(text_QK, order_QK, axis=1)
    repeated_QK = np.zeros(text_QK.shape, dtype=np.bool_)
    np.put_along_axis(repeated_QK, order_QK[:, 1:], sorted_QK[:, 1:] == sorted_QK[:, :-1], axis=1)
    return repeated_QK & (text_QK >= 0)
