"""A small benchmark of LAReQA's shape: parallel questions and passages, some passages equal, some relevant to none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts

_WORDS = {
    "ar": ["نهر", "جبل", "مدينة", "قمر", "كتاب", "بحر", "شمس", "طريق", "بيت", "ليل", "ملك", "سنة"],
    "th": ["แม่น้ำ", "ภูเขา", "เมือง", "จันทร์", "หนังสือ", "ทะเล", "ตะวัน", "ถนน", "บ้าน", "คืน", "กษัตริย์", "ปี"],
    "zh": ["河", "山", "城", "月", "书", "海", "日", "路", "家", "夜", "王", "年"],
}


def parallel_benchmark(settings: tuple[Setting, ...] = tuple(Setting), questions: int = 12) -> Benchmark:
    """Build it: each question in two or three languages under one id, its passages graded 1 to 3.

    Passage ids fall as (pool, row) rises, so that trec_eval, which gives ties to the larger id, ranks ties as we do.
    """
    random = np.random.default_rng(0)
    sentences = random.integers(0, 12, (3 * questions, 5))
    languages = [sorted(random.permutation(list(_WORDS))[: random.integers(2, 4)]) for _ in range(questions)]
    qrels: dict[str, dict[str, int]] = {}
    queries, pools = {}, []
    for pool, (language, words) in enumerate(_WORDS.items()):
        texts = [" ".join(words[i] for i in sentence) for sentence in sentences]
        texts += texts[::4]  # copies of relevant and of other passages, which tie with them
        ids = [f"{9 - pool}-{999 - row:03d}" for row in range(len(texts))]
        pools.append(Pool(language, language, Texts.of(map(Passage, ids, texts))))
        asked = [number for number in range(questions) if language in languages[number]]
        queries[language] = Texts.of(Query(f"q{n}", " ".join(texts[n].split()[::-2])) for n in asked)
        for number in asked:
            qrels.setdefault(f"q{number}", {})[ids[number]] = 1 + number % 3
    return Benchmark("parallel", "1", queries, pools, qrels, settings, ("map", "ndcg@10", "mrr", "recall@10"))


def named_for_passages(benchmark: Benchmark, passage_of: Mapping[str, str]) -> Benchmark:
    """Give questions the ids of passages, which are then left out of their rankings."""
    queries = {
        language: Texts.of(Query(passage_of.get(i, i), text) for i, text in zip(held.ids(), held.texts(), strict=True))
        for language, held in benchmark.queries.items()
    }
    qrels = {passage_of.get(query, query): graded for query, graded in benchmark.qrels.items()}
    return replace(benchmark, queries=queries, qrels=qrels, ignore_identical_ids=True)


def relevant_passages(benchmark: Benchmark) -> dict[str, str]:
    """Return one relevant passage of each question, but for every fourth, whose passages have copies."""
    return {f"q{n}": next(iter(benchmark.qrels[f"q{n}"])) for n in range(len(benchmark.qrels)) if n % 4}
