"""InfoNCE over every rank's passages, false negatives left out (arXiv 2408.10536, section 3); an alignment loss.

B local queries, A of them in a second language version, M local passages (B positives, then the hard negatives),
N = M x world size, P pairs of a query and a passage, D width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from study.distributed import gather_with_gradient, rank


def contrastive_loss(
    query_BD: Tensor,
    passage_MD: Tensor,
    temperature: float | Tensor,
    false_negatives_P2: Tensor | None = None,
    margin: float | None = None,
) -> Tensor:
    """Return the mean over local queries of -log softmax(cosine / temperature) at the query's own passage.

    Args:
        query_BD: unit-norm embeddings of this rank's queries.
        passage_MD: unit-norm embeddings of its passages: B positives in the order of the queries, then hard negatives.
        temperature: divides the cosine scores.
        false_negatives_P2: numbers of a query and of a passage of all ranks that is left out of that query's sum, as it
            is known to answer it (`study.training.false_negatives`); none are without it.
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
    if false_negatives_P2 is not None:
        masked_BN = torch.zeros_like(scores_BN, dtype=torch.bool)
        masked_BN[false_negatives_P2.unbind(1)] = True
        scores_BN = scores_BN.masked_fill(masked_BN, float("-inf"))
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
