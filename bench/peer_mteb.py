"""XQuAD-R with mteb: a task of 121 language pairs and the union, evaluated on a SentenceTransformer.

python -m bench.peer_mteb fp32 cached --checkpoint DIR --data DIR
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import mteb
import torch
from datasets import Dataset
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models import SentenceTransformerEncoderWrapper
from mteb.models.cache_wrappers import CachedEmbeddingWrapper
from sentence_transformers import SentenceTransformer

from bench.row import Options, options
from bench.texts import MAX_TOKENS, xquad_r
from tasks.schema import Benchmark, Pool

UNION = "union"
CODES = {
    "ar": "ara-Arab",
    "de": "deu-Latn",
    "el": "ell-Grek",
    "en": "eng-Latn",
    "es": "spa-Latn",
    "hi": "hin-Deva",
    "ru": "rus-Cyrl",
    "th": "tha-Thai",
    "tr": "tur-Latn",
    "vi": "vie-Latn",
    "zh": "zho-Hans",
}


def split(benchmark: Benchmark, languages: Sequence[str], pools: Sequence[Pool]) -> dict[str, RetrievalSplitData]:
    """Return queries of `languages` over `pools`, as mteb holds them."""
    corpus = [
        {"id": key, "text": text, "title": ""}
        for pool in pools
        for key, text in zip(pool.passages.ids(), pool.passages.texts(), strict=True)
    ]
    passage_ids = {passage["id"] for passage in corpus}
    queries, relevant = [], {}
    for language in languages:
        asked = benchmark.queries[language]
        for key, text in zip(asked.ids(), asked.texts(), strict=True):
            queries.append({"id": f"{language} {key}", "text": text})
            relevant[f"{language} {key}"] = {p: 1 for p in benchmark.qrels[key] if p in passage_ids}
    data = RetrievalSplitData(
        corpus=Dataset.from_list(corpus), queries=Dataset.from_list(queries), relevant_docs=relevant, top_ranked=None
    )
    return {"test": data}


def task(benchmark: Benchmark) -> AbsTaskRetrieval:
    """Return the task, its data in place."""
    pairs = {
        f"{query}-{pool.language}": split(benchmark, [query], [pool])
        for query in benchmark.languages
        for pool in benchmark.pools
    }
    subsets = pairs | {UNION: split(benchmark, benchmark.languages, benchmark.pools)}
    every = [CODES[language] for language in benchmark.languages]

    class XQuADR(AbsTaskRetrieval):
        """Data come from this process, not from a hub."""

        metadata = TaskMetadata(
            name="XQuADRPairs",
            description="XQuAD-R",
            dataset={"path": "local", "revision": benchmark.revision},
            type="Retrieval",
            category="t2t",
            eval_splits=["test"],
            eval_langs={
                name: every if name == UNION else [CODES[language] for language in name.split("-")] for name in subsets
            },
            main_score="ndcg_at_10",
        )

        def load_data(self, *_: Any, **__: Any) -> None:
            self.dataset, self.data_loaded = subsets, True

    return XQuADR()


def main(precision: str, way: str, chosen: Options) -> None:
    """Evaluate with mteb's embedding cache or, as it comes, without; print the union's nDCG@10."""
    model = SentenceTransformer(
        chosen.checkpoint,
        device=chosen.device.type,
        model_kwargs={"dtype": torch.bfloat16 if precision == "bf16" else torch.float32},
        prompts={"query": "query: ", "passage": "passage: ", "document": "passage: "},
    )
    model.max_seq_length = MAX_TOKENS
    with tempfile.TemporaryDirectory() as folder:
        encoder: Any = SentenceTransformerEncoderWrapper(model)
        if way == "cached":
            encoder = CachedEmbeddingWrapper(encoder, folder)
        result = mteb.evaluate(
            encoder,
            task(xquad_r(chosen)),
            cache=None,
            encode_kwargs={"batch_size": 32},
            show_progress_bar=False,
        )
    scores = {score["hf_subset"]: score["ndcg_at_10"] for score in result.task_results[0].scores["test"]}
    print(f"{len(scores)} subsets, {UNION} ndcg@10 {scores[UNION]:.4f}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], options(sys.argv[3:]))
