"""XQuAD-R as every row uses it: its passages, and its question-answer pairs as a training corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.row import Options
from study.config import TrialConfig
from tasks.plugins import load_benchmark
from tasks.schema import Benchmark, Pair

MAX_TOKENS = 256
"""Token limit of queries and passages alike, since sentence-transformers has one limit."""


def xquad_r(chosen: Options) -> Benchmark:
    """Return the benchmark; two of its languages if quick."""
    return load_benchmark("xquad_r", benchmark_options(chosen))


def benchmark_options(chosen: Options) -> dict[str, Any]:
    """Return the options of `xquad_r` for a search space or `study.evaluate`."""
    path = {"path": str(chosen.data)} if chosen.data else {}
    return path | ({"languages": ["en", "th"]} if chosen.quick else {})


def passages(chosen: Options, count: int) -> list[str]:
    """Return `count` passages, evenly over all languages."""
    texts = [text for pool in xquad_r(chosen).pools for text in pool.passages.texts()]
    return texts[:: max(1, len(texts) // count)][:count]


def pairs(chosen: Options) -> list[dict[str, Pair]]:
    """Return the questions with the sentences that answer them: one row a question, by language."""
    benchmark = xquad_r(chosen)
    answers = {
        pool.language: dict(zip(pool.passages.ids(), pool.passages.texts(), strict=True)) for pool in benchmark.pools
    }
    rows: dict[str, dict[str, Pair]] = {}
    for language, queries in benchmark.queries.items():
        for key, question in zip(queries.ids(), queries.texts(), strict=True):
            relevant = next(passage for passage in benchmark.qrels[key] if passage in answers[language])
            rows.setdefault(key, {})[language] = Pair(question, answers[language][relevant])
    return list(rows.values())


def corpus_file(chosen: Options, folder: Path) -> Path:
    """Write the pairs as the corpus `parallel_jsonl` reads them."""
    file = folder / "pairs.jsonl"
    lines = (
        {"pairs": {language: {"query": pair.query, "passage": pair.passage} for language, pair in row.items()}}
        for row in pairs(chosen)
    )
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    return file


def trial(chosen: Options, **settings: Any) -> TrialConfig:
    """Return a trial of the checkpoint with the texts' limits, and `settings`."""
    limits = {"max_query_tokens": MAX_TOKENS, "max_passage_tokens": MAX_TOKENS}
    return TrialConfig.model_validate({"backbone": chosen.checkpoint} | limits | settings)


def training_trial(chosen: Options, folder: Path, **settings: Any) -> TrialConfig:
    """Return such a trial on the pairs, which are written into `folder`."""
    corpus = {"name": "parallel_jsonl", "path": str(corpus_file(chosen, folder))}
    return trial(chosen, corpora=[corpus], **settings)
