"""Which pairs share a batch: hybrid batch sampling (arXiv 2408.10536, section 3), and mixing pair by pair.

`mixing: batch` is the paper's method. A batch is monolingual with probability `alpha`: one language, drawn uniformly,
on both sides. Otherwise it is cross-lingual: within each pair the query and the passage differ in language, and
languages vary over the batch. `alpha=1` is X-X-mono and `alpha=0` is X-Y of LAReQA (arXiv 2004.05484, section 4).

`mixing: pair` draws for each pair instead: the passage is in the query's language with probability `alpha`, and
languages vary over the batch either way. `alpha=1` is X-X of LAReQA, `alpha=0` is X-Y again.

The batch of step s is a pure function of (seed, s), the same on every rank; each rank takes its share. So `alpha` means
the same at every world size, and resuming needs no sampler state. Trials that share a seed draw the same rows of a
complete parallel corpus whatever `alpha` and `mixing` are, so that differences between them are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from study.config import TrialConfig
from study.config_sections import CorpusConfig
from study.config_values import Schedule, fraction_done, value_at
from study.training.permutation import permuted
from tasks.plugins import TaskError
from tasks.schema import Corpus, Rows

Kind = Literal["monolingual", "crosslingual", "mixed"]
"""`mixed`: the kind was drawn for each pair."""
Shares = npt.NDArray[np.float64]
REDRAWS = 100
_CHUNK = 4096
PAIR_STREAM, VERSION_STREAM = 1, 2
"""Separate the random numbers that choose each pair's kind, and each query's second version, from all others."""


@dataclass(frozen=True)
class BatchPlan:
    """The rows and languages of a batch, before any text is read. B pairs."""

    kind: Kind
    alpha: float
    """The probability with which this batch's kind, or that of each pair, was drawn."""
    corpus: int
    """Index into the sampler's corpora."""
    rows: Rows
    """Shape (B,)."""
    query_languages: tuple[str, ...]
    passage_languages: tuple[str, ...]
    version_languages: tuple[str | None, ...] = ()
    """For the alignment loss, another language of each row; None where it has no other. Empty without that loss."""

    def take(self, places: Rows) -> BatchPlan:
        """Return the part of this batch at these places (indices into B)."""
        return replace(
            self,
            rows=self.rows[places],
            query_languages=tuple(self.query_languages[place] for place in places),
            passage_languages=tuple(self.passage_languages[place] for place in places),
            version_languages=tuple(self.version_languages[place] for place in places if self.version_languages),
        )


class HybridSampler:
    """Plans the global batch of any step.

    Args:
        corpora: the corpora that `config` names, in its order.
        config: the trial, whose corpus weights, `alpha`, `mixing`, `batch_size`, `steps` and `seed` decide the batches.

    Raises:
        TaskError: a corpus has fewer distinct passages than a batch, or cannot serve the cross-lingual pairs that
            `alpha` asks for.
    """

    def __init__(self, corpora: Sequence[Corpus], config: TrialConfig) -> None:
        self._corpora, self._alpha, self._mixing = corpora, config.alpha, config.mixing
        self._batch_size, self._steps, self._seed = config.batch_size, config.steps, config.seed
        self._needs_versions = config.alignment_weight > 0
        self._monolingual_shares, self._crosslingual_shares = corpus_shares(corpora, config.corpora)
        alphas = (self._alpha.start, self._alpha.end) if isinstance(self._alpha, Schedule) else (self._alpha,)
        self._may_be_monolingual, self._may_be_crosslingual = max(alphas) > 0, min(alphas) < 1
        self._check()

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language that batches may have, sorted; cross-lingual ones use only rows in two or more languages."""
        drawn = {
            language
            for corpus in self._corpora
            for language in corpus.languages
            if self._may_be_monolingual or _share_rows(corpus.rows(language), corpus.rows())
        }
        return tuple(sorted(drawn))

    @property
    def unused(self) -> tuple[str, ...]:
        """Names of corpora that no batch is drawn from: all batches are cross-lingual, and no row has two languages."""
        if self._may_be_monolingual:
            return ()
        return tuple(c.name for c, share in zip(self._corpora, self._crosslingual_shares, strict=True) if not share)

    def batch(self, step: int) -> BatchPlan:
        """Return the global batch of `step` (from 0)."""
        plan = self._pairs(step)
        return replace(plan, version_languages=self._versions(plan, step)) if self._needs_versions else plan

    def _pairs(self, step: int) -> BatchPlan:
        rng = np.random.default_rng([self._seed, step])
        alpha = value_at(self._alpha, fraction_done(step, self._steps))
        is_monolingual = rng.random() < alpha
        # With mixing by pair every corpus serves both kinds (see _check), so the shares are the same.
        shares = self._monolingual_shares if is_monolingual else self._crosslingual_shares
        index = int(np.searchsorted(np.cumsum(shares) / shares.sum(), rng.random(), side="right"))
        # Drawn in every case, so that all later draws start from the same state whatever alpha and mixing are.
        language = self._corpora[index].languages[int(rng.integers(len(self._corpora[index].languages)))]
        if self._mixing == "pair":
            return self._mixed(step, index, alpha, rng)
        corpus = self._corpora[index]
        candidates = corpus.rows(language) if is_monolingual else corpus.rows()
        rows = self._distinct(corpus, candidates, self._stream(index, candidates, step), rng)
        if is_monolingual:
            languages = (language,) * len(rows)
            return BatchPlan("monolingual", alpha, index, rows, languages, languages)
        query_languages, passage_languages = zip(*(_two_languages(corpus, int(row), rng) for row in rows), strict=True)
        return BatchPlan("crosslingual", alpha, index, rows, query_languages, passage_languages)

    def _mixed(self, step: int, index: int, alpha: float, rng: np.random.Generator) -> BatchPlan:
        """Return a batch whose pairs are each monolingual with probability `alpha`."""
        corpus = self._corpora[index]
        is_monolingual_B = np.random.default_rng([self._seed, step, PAIR_STREAM]).random(self._batch_size) < alpha
        candidates: Sequence[int] | Rows = range(len(corpus))
        rows = self._stream(index, candidates, step)
        if not is_monolingual_B.all():
            candidates = corpus.rows()  # a row drawn in place of a repeated one has to serve either kind
            rows = np.where(is_monolingual_B, rows, self._stream(index, candidates, step))
        rows = self._distinct(corpus, candidates, rows, rng)
        query_languages, other_languages = zip(*(_two_languages(corpus, int(row), rng) for row in rows), strict=True)
        passage_languages = np.where(is_monolingual_B, query_languages, other_languages)
        return BatchPlan("mixed", alpha, index, rows, query_languages, tuple(map(str, passage_languages)))

    def _versions(self, plan: BatchPlan, step: int) -> tuple[str | None, ...]:
        """Return for each query another language that its row has, drawn uniformly."""
        rng = np.random.default_rng([self._seed, step, VERSION_STREAM])
        corpus, drawn = self._corpora[plan.corpus], rng.random(len(plan.rows))
        others = [
            [language for language in corpus.row_languages(int(row)) if language != own]
            for row, own in zip(plan.rows, plan.query_languages, strict=True)
        ]
        return tuple(
            of_row[int(number * len(of_row))] if of_row else None for of_row, number in zip(others, drawn, strict=True)
        )

    def _stream(self, index: int, candidates: Sequence[int] | Rows, step: int) -> Rows:
        """Return this step's rows: epochs of a shuffle, each row at most once per epoch, whole batches only."""
        batches_per_epoch = len(candidates) // self._batch_size
        epoch, batch = divmod(step, batches_per_epoch)
        positions = np.arange(batch * self._batch_size, (batch + 1) * self._batch_size)
        return _taken(candidates, permuted(positions, len(candidates), (self._seed, index, epoch)))

    def _distinct(self, corpus: Corpus, candidates: Sequence[int] | Rows, rows: Rows, rng: np.random.Generator) -> Rows:
        """Replace rows whose passage is already in the batch by others drawn at random."""
        for _ in range(REDRAWS):
            keys = corpus.keys(rows).passages
            _, first = np.unique(keys, return_index=True)
            repeated = np.setdiff1d(np.arange(len(rows)), first)
            if len(repeated) == 0:
                return rows
            rows = rows.copy()
            rows[repeated] = _taken(candidates, rng.integers(len(candidates), size=len(repeated)))
        # Few passages are left that are not in the batch: take each row whose passage is new.
        everything = _taken(candidates, rng.permutation(len(candidates)))
        _, first = np.unique(corpus.keys(everything).passages, return_index=True)
        assert len(first) >= len(rows), "`_check_rows` has counted the passages"
        return everything[np.sort(first)[: len(rows)]]

    def _check(self) -> None:
        for corpus in self._corpora:
            self._check_rows(corpus)
        names = ", ".join(f"'{corpus.name}'" for corpus in self._corpora)
        if self._may_be_crosslingual and not self._crosslingual_shares.any():
            raise TaskError(
                f"alpha {self._alpha} asks for cross-lingual batches, but {names} has no row in two languages; "
                "add a parallel corpus or set alpha to 1"
            )
        if self._mixing == "pair" and self._may_be_crosslingual and not self._crosslingual_shares.all():
            raise TaskError(
                f"mixing 'pair' with alpha {self._alpha} draws both kinds of pairs in every batch, but not every "
                f"corpus of {names} has rows in two languages; leave out those that have none, or set mixing to 'batch'"
            )

        if self._needs_versions and not self._crosslingual_shares.any():
            raise TaskError(
                f"alignment_weight compares a query with its version in another language, but {names} has no row in "
                "two languages; add a parallel corpus or set alignment_weight to 0"
            )

    def _check_rows(self, corpus: Corpus) -> None:
        """Check that batches of distinct passages can be drawn from all rows that batches are drawn from."""
        everywhere, aligned = "in all languages", "in two or more languages"
        drawn: dict[str, Sequence[int] | Rows] = {}
        if self._mixing == "pair":
            drawn[everywhere] = range(len(corpus))
        elif self._may_be_monolingual:
            drawn = {f"in '{language}'": corpus.rows(language) for language in corpus.languages}
        if self._may_be_crosslingual and len(corpus.rows()):
            drawn[aligned] = corpus.rows()
        passages = {where: _passages(corpus, rows, self._batch_size) for where, rows in drawn.items()}
        fewest, where = min(((count, where) for where, count in passages.items()), default=(self._batch_size, ""))
        if fewest < self._batch_size:
            otherwise = {everywhere: "", aligned: ", or set alpha to 1"}.get(where, ", or leave the language out")
            raise TaskError(
                f"corpus '{corpus.name}' has {fewest} distinct passages in {len(drawn[where])} rows {where}, fewer "
                f"than batch_size {self._batch_size}: set batch_size to {fewest} or less{otherwise}"
            )


def corpus_shares(corpora: Sequence[Corpus], configs: Sequence[CorpusConfig]) -> tuple[Shares, Shares]:
    """Return each corpus's share of monolingual and of cross-lingual batches, relative to those of the others.

    Args:
        corpora: what `configs` name, in that order.
        configs: have the weights; in studies of earlier versions, those of some corpora.
    """
    weights = [corpus.weight for corpus in configs]
    shares = [len(c) if weight is None else weight for c, weight in zip(corpora, weights, strict=True)]
    parallel = [share if len(c.rows()) else 0 for c, share in zip(corpora, shares, strict=True)]
    return np.array(shares, dtype=float), np.array(parallel, dtype=float)


def _taken(candidates: Sequence[int] | Rows, positions: Rows) -> Rows:
    # A range is the identity: the rows of a complete parallel corpus are never listed.
    return positions if isinstance(candidates, range) else np.asarray(candidates)[positions]


def _share_rows(some: Sequence[int] | Rows, others: Sequence[int] | Rows) -> bool:
    if isinstance(some, range) or isinstance(others, range):  # of a complete parallel corpus: all rows
        return bool(len(some) and len(others))
    return bool(np.isin(some, others).any())


def _passages(corpus: Corpus, rows: Sequence[int] | Rows, enough: int) -> int:
    """Return how many distinct passages rows have, or `enough` where they have more."""
    seen: set[int] = set()
    for start in range(0, len(rows), _CHUNK):
        seen.update(corpus.keys(np.asarray(rows[start : start + _CHUNK])).passages.tolist())
        if len(seen) >= enough:
            return enough
    return len(seen)


def _two_languages(corpus: Corpus, row: int, rng: np.random.Generator) -> tuple[str, str]:
    """Return two languages of a row, different where it has two."""
    languages = corpus.row_languages(row)
    query = int(rng.integers(len(languages)))
    passage = (query + 1 + int(rng.integers(max(1, len(languages) - 1)))) % len(languages)
    return languages[query], languages[passage]
