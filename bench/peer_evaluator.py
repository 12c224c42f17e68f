"""sentence-transformers' InformationRetrievalEvaluator, given embeddings instead of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentence_transformers import util
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from torch import Tensor

from tasks.schema import Benchmark, Pool


def ndcg_at_10(
    benchmark: Benchmark,
    languages: Sequence[str],
    query_QD: Tensor,
    pools: Sequence[Pool],
    passage_ND: Tensor,
    depth: int,
) -> float:
    """Return the evaluator's nDCG@10, having let it compute all its metrics.

    Args:
        benchmark: holds queries and qrels.
        languages: of the queries, in the order of their embeddings.
        query_QD: embeddings of all queries of these languages.
        pools: searched as one.
        passage_ND: embeddings of all their passages.
        depth: passages ranked a query.
    """
    corpus: dict[str, Any] = {key: "" for pool in pools for key in pool.passages.ids()}
    queries: dict[str, Any] = {
        f"{language} {key}": "" for language in languages for key in benchmark.queries[language].ids()
    }
    relevant = {query: set(benchmark.qrels[query.partition(" ")[2]]) & corpus.keys() for query in queries}
    evaluator: Any = InformationRetrievalEvaluator(
        queries,
        corpus,
        relevant,
        map_at_k=[depth],
        mrr_at_k=[depth],
        ndcg_at_k=[10],
        score_functions={"cosine": util.dot_score},  # unit vectors
    )
    evaluator.embed_inputs = lambda *_, **__: query_QD  # asks no model
    scores = evaluator.compute_all_metrics(model=None, corpus_embeddings=passage_ND)
    ndcg: float = scores["cosine"]["ndcg@k"][10]
    return ndcg
