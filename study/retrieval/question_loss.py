"""The loss on held-out questions, by which arXiv 2408.10536 stops training early.

Shapes: Q questions of one language, D width.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from study.retrieval.encode import TextEncoder, encode_together
from tasks.relevance import relevance
from tasks.schema import Benchmark

BATCH = 100
"""Questions per batch, as in the paper, whatever the trial's own batch size."""


class QuestionLoss:
    """The mean InfoNCE loss of a benchmark's questions, each against a relevant passage in its own language.

    A question's negatives are the other passages of its batch of `BATCH` questions, except copies of its own. The pairs
    are resolved once; each call encodes them.
    """

    def __init__(self, benchmark: Benchmark) -> None:
        self._candidate_form = benchmark.candidate_form
        self._pairs = _pairs(benchmark)

    def __call__(self, encoder: TextEncoder, *, temperature: float, token_budget: int | None) -> float:
        """Return the loss; collective, equal on every rank, NaN where no question has a passage in its own language."""
        losses: list[Tensor] = []
        for language, (queries, passages) in self._pairs.items():
            assert len(queries) == len(passages), language
            query_QD = encode_together(encoder, queries, "query", token_budget)
            passage_QD = encode_together(encoder, passages, self._candidate_form, token_budget)
            identity = {text: index for index, text in enumerate(passages)}
            text_Q = torch.tensor([identity[text] for text in passages], device=query_QD.device)
            for start in range(0, len(queries), BATCH):
                part = slice(start, start + BATCH)
                scores_BB = query_QD[part] @ passage_QD[part].T / temperature
                copies_BB = text_Q[part, None] == text_Q[part]
                copies_BB.fill_diagonal_(fill_value=False)
                own_B = torch.arange(len(scores_BB), device=scores_BB.device)
                losses.append(F.cross_entropy(scores_BB.masked_fill(copies_BB, -torch.inf), own_B, reduction="none"))
        return float(torch.cat(losses).mean()) if losses else float("nan")


def _pairs(benchmark: Benchmark) -> dict[str, tuple[list[str], list[str]]]:
    """Return, by language, the questions that have a relevant passage in it, and the first such passage of each."""
    relevant = relevance(benchmark)
    pool_languages = np.array([pool.language for pool in benchmark.pools])
    query_languages = np.array(benchmark.languages)[relevant.query_language_Q]
    own_T = (pool_languages[relevant.pool_T] == query_languages[relevant.query_T]) & (relevant.grade_T > 0)
    queries_with_own, first = np.unique(relevant.query_T[own_T], return_index=True)
    entries = np.flatnonzero(own_T)[first]
    pairs = {}
    for language in benchmark.languages:
        chosen = query_languages[queries_with_own] == language
        queries = benchmark.queries[language].texts(relevant.query_row_Q[queries_with_own[chosen]])
        passages = [
            text
            for entry in entries[chosen]
            for text in benchmark.pools[int(relevant.pool_T[entry])].passages.texts(relevant.row_T[[entry]])
        ]
        if queries:
            pairs[language] = (queries, passages)
    return pairs
