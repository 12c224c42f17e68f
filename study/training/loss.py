"""InfoNCE over every rank's passages, false negatives left out (arXiv 2408.10536, section 3); an alignment loss.

B local queries, A of them in a second language version, M local passages (B positives, then the hard negatives),
N = M x world size, K keys of a passage, D width.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
import torch.nn.functional as F
from torch import Tensor

from study.distributed import gather_with_gradient, rank
from study.model.tokens import move
from tasks.schema import Keys, Pair

NO_KEY = -1


@dataclass(frozen=True)
class Identities:
    """Keys of this rank's queries and passages that reveal false negatives. int64."""

    queries_B: Tensor
    passages_MK: Tensor
    """Equal for the versions of a passage in all languages. A hard negative has the keys of all rows of the batch whose
    passage it is; places without a key hold NO_KEY."""
    texts_M: Tensor
    """Equal for equal texts."""
    answers_MK: Tensor
    """The keys of the queries that a passage is paired with, likewise."""

    @classmethod
    def of(cls, pairs: Sequence[Pair], keys: Keys, known: Mapping[str, Collection[tuple[int, int]]]) -> Identities:
        """Return the keys of a batch whose passages are ordered positives first, then the negatives of each pair.

        Args:
            pairs: this rank's pairs.
            keys: of their rows.
            known: hard negatives of all ranks that are passages, in any language, of rows of all ranks, as mined ones
                are -> the keys of query and passage of every such row; the same on all ranks. They are no negatives of
                queries that they answer.
        """
        negatives = [text for pair in pairs for text in pair.negatives]
        every = [[pair] for pair in zip(keys.queries.tolist(), keys.passages.tolist(), strict=True)]
        every += [[*known.get(text, ())] for text in negatives]
        most = max(map(len, known.values()), default=1)  # the same on all ranks, which a gather needs
        padded = [[*answered, *[(NO_KEY, NO_KEY)] * (most - len(answered))] for answered in every]
        keys_MK2 = torch.tensor(padded, dtype=torch.int64)
        texts = torch.tensor([_text_key(text) for text in [pair.passage for pair in pairs] + negatives])
        assert texts.dtype == torch.int64
        return cls(torch.from_numpy(keys.queries), keys_MK2[:, :, 1], texts, keys_MK2[:, :, 0])

    def to(self, device: torch.device) -> Identities:
        """Return the same keys on `device`."""
        keys = (self.queries_B, self.passages_MK, self.texts_M, self.answers_MK)
        return Identities(*(move(tensor, device) for tensor in keys))


def contrastive_loss(
    query_BD: Tensor,
    passage_MD: Tensor,
    temperature: float | Tensor,
    identities: Identities | None = None,
    margin: float | None = None,
) -> Tensor:
    """Return the mean over local queries of -log softmax(cosine / temperature) at the query's own passage.

    Args:
        query_BD: unit-norm embeddings of this rank's queries.
        passage_MD: unit-norm embeddings of its passages: B positives in the order of the queries, then hard negatives.
        temperature: divides the cosine scores.
        identities: leaves every passage known to answer a query out of that query's sum; none are without it.
        margin: leaves every passage out whose cosine exceeds that of the query's own passage by more than this, as it
            probably answers the query too; none are without it.

    Returns:
        A scalar. Averaged over ranks, its gradient is that of one process holding the joined batch.
    """
    passage_ND = gather_with_gradient(passage_MD)
    own_B = torch.arange(len(query_BD), device=query_BD.device) + rank() * len(passage_MD)
    cosine_BN = query_BD @ passage_ND.T
    scores_BN = cosine_BN / temperature
    if margin is not None:  # never the own passage, as margin >= 0
        scores_BN = scores_BN.masked_fill(cosine_BN > cosine_BN.gather(1, own_B[:, None]) + margin, float("-inf"))
    if identities is not None:
        scores_BN = scores_BN.masked_fill(false_negatives(identities, own_B), float("-inf"))
    return F.cross_entropy(scores_BN, own_B)


def alignment_loss(
    query_BD: Tensor, version_AD: Tensor, versions_A: Tensor, passage_MD: Tensor, temperature: float | Tensor
) -> Tensor:
    """Return how far apart a query and its version in another language score the batch's passages.

    For each query in two versions the mean of both Kullback-Leibler divergences between softmax(cosine / temperature)
    over every rank's passages, none left out. After LaKDA (arXiv 2509.06195), which aligns the score distributions of
    parallel queries; symmetric here, so that no language is the teacher.

    Args:
        query_BD: unit-norm embeddings of this rank's queries.
        version_AD: of the second versions of some of them.
        versions_A: the positions of these among the queries.
        passage_MD: of this rank's passages.
        temperature: divides the cosine scores.

    Returns:
        A scalar, the sum over versions divided by B, so that its average over ranks is that of the joined batch.
    """
    passage_ND = gather_with_gradient(passage_MD)
    log_p_AN = F.log_softmax(query_BD[versions_A] @ passage_ND.T / temperature, dim=-1)
    log_q_AN = F.log_softmax(version_AD @ passage_ND.T / temperature, dim=-1)
    divergence_AN = (log_p_AN.exp() - log_q_AN.exp()) * (log_p_AN - log_q_AN) / 2
    return divergence_AN.sum() / len(query_BD)


def false_negatives(identities: Identities, own_B: Tensor) -> Tensor:
    """Return, as booleans (B, N), which passages answer a query without being the passage it is paired with.

    A passage does if it is a version of the paired passage in any language, has the same text, or is paired elsewhere
    in the batch with a version of the same query.
    """
    keys = [identities.texts_M[:, None], identities.passages_MK, identities.answers_MK]
    # Together, as a collective costs its wait; none of them has a gradient.
    texts_N, *of_rows = gather_with_gradient(torch.cat(keys, dim=1)).unbind(1)
    passages_KN, answers_KN = of_rows[: len(of_rows) // 2], of_rows[len(of_rows) // 2 :]
    answering_BN = texts_N[own_B, None] == texts_N
    for passages_N, answers_N in zip(passages_KN, answers_KN, strict=True):
        # The first key of a query's own passage is that of its row.
        answering_BN |= passages_KN[0][own_B, None] == passages_N
        answering_BN |= identities.queries_B[:, None] == answers_N
    return answering_BN.scatter(1, own_B[:, None], value=False)


def _text_key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
