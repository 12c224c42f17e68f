"""Turn a planned batch into tensors, in the background while the previous step runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from study.ahead import ahead
from study.batching import batches_by_length, share_of, training_tokens
from study.config import TrialConfig
from study.corpora import check_negatives
from study.distributed import rank, world_size
from study.model.encoder import Encoder
from study.model.tokens import Tokens, move
from study.training.false_negatives import RowKeys, false_negatives
from study.training.sampler import HybridSampler
from tasks.schema import Corpus, Rows


@dataclass(frozen=True)
class Batch:
    """This rank's share of one global batch. B queries, M passages (positives first, then hard negatives).

    A of the queries come in a second language version too, for the alignment loss; without that loss A is 0.
    """

    alpha: float
    """The probability with which the kind of the batch, or of each pair, was drawn."""
    micro_batches: list[Tokens]
    """Queries and passages mixed, sorted by length."""
    order: Tensor
    """Row of each text (queries, passages, second versions) in the concatenated micro-batches, shape (B + M + A,)."""
    queries: int
    versions_A: Tensor
    """Which queries have a second version, int64."""
    false_negatives_P2: Tensor
    """The number of one of the queries, and of a passage of all ranks that answers it too; int64."""

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on `device`."""
        return replace(
            self,
            micro_batches=[tokens.to(device) for tokens in self.micro_batches],
            order=move(self.order, device),
            versions_A=move(self.versions_A, device),
            false_negatives_P2=move(self.false_negatives_P2, device),
        )

    def split(self, embedding_RD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the embeddings of queries (B, D), passages (M, D) and second versions (A, D)."""
        ordered = embedding_RD[self.order]
        passages = len(ordered) - self.queries - len(self.versions_A)
        query_BD, passage_MD, version_AD = ordered.split([self.queries, passages, len(self.versions_A)])
        return query_BD, passage_MD, version_AD


class BatchMaker:
    """Reads and tokenizes this rank's share of any step's batch."""

    def __init__(
        self, corpora: Sequence[Corpus], sampler: HybridSampler, encoder: Encoder, config: TrialConfig
    ) -> None:
        check_negatives(corpora, config.hard_negatives)
        self._corpora, self._sampler, self._encoder = corpora, sampler, encoder
        self._hard_negatives, self._masks = config.hard_negatives, config.mask_false_negatives
        self._token_budget = config.micro_batch_tokens or training_tokens(encoder.device)

    def make(self, step: int) -> Batch:
        """Return the batch of `step`."""
        whole = self._sampler.batch(step)
        corpus = self._corpora[whole.corpus]
        every = [
            pair._replace(negatives=pair.negatives[: self._hard_negatives])
            for pair in corpus.pairs(whole.rows, whole.query_languages, whole.passage_languages)
        ]
        # By characters: counting the tokens of all ranks' pairs would take as long as their tokenization.
        lengths = [len(pair.query) + len(pair.passage) + sum(map(len, pair.negatives)) for pair in every]
        shares = [share_of(lengths, number, world_size()) for number in range(world_size())]
        share = shares[rank()]
        plan, pairs = whole.take(share), [every[place] for place in share]
        token_ids = self._encoder.tokenize([pair.query for pair in pairs], "query")
        passages = [pair.passage for pair in pairs] + [text for pair in pairs for text in pair.negatives]
        token_ids += self._encoder.tokenize(passages, "passage")
        versions = [number for number, language in enumerate(plan.version_languages) if language]
        languages = [language for language in plan.version_languages if language]
        token_ids += self._encoder.tokenize(
            [pair.query for pair in corpus.pairs(plan.rows[versions], languages, languages)], "query"
        )
        tokens = [len(ids) for ids in token_ids]
        groups = list(batches_by_length(tokens, self._token_budget, padded=self._encoder.pads))
        order = torch.empty(len(token_ids), dtype=torch.int64)
        order[torch.from_numpy(np.concatenate(groups))] = torch.arange(len(token_ids))
        micro_batches = [self._encoder.collate([token_ids[index] for index in group]) for group in groups]
        versions_A = torch.tensor(versions, dtype=torch.int64)
        answering_P2 = torch.empty((0, 2), dtype=torch.int64)
        if self._masks:
            known = _known_passages(corpus, whole.rows, {text for pair in every for text in pair.negatives})
            answering_P2 = torch.from_numpy(false_negatives(every, corpus.keys(whole.rows), known, shares, rank()))
        return Batch(plan.alpha, micro_batches, order, len(pairs), versions_A, answering_P2)

    def ahead(self, first: int, last: int) -> Iterator[Batch]:
        """Yield the batches of steps `first` to `last` - 1, each made while the step before it runs."""
        return ahead(self.make, range(first, last))


def _known_passages(corpus: Corpus, rows: Rows, negatives: Collection[str]) -> dict[str, set[RowKeys]]:
    """Return which negatives are passages of rows, in any language, with the keys of query and passage of such rows."""
    if not negatives:
        return {}
    keys = corpus.keys(rows)
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows.tolist()):
        for language in corpus.row_languages(row):
            places.setdefault(language, []).append(place)
    known: dict[str, set[RowKeys]] = {}
    for language, having in places.items():
        languages = [language] * len(having)
        for place, pair in zip(having, corpus.pairs(rows[having], languages, languages), strict=True):
            if pair.passage in negatives:
                known.setdefault(pair.passage, set()).add((int(keys.queries[place]), int(keys.passages[place])))
    return known
