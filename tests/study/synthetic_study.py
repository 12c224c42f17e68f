"""A study's folder as `study.run` leaves it, without training: embeddings are drawn, retrieval and metrics are real.

Texts are the factbook's, in XQuAD-R's 11 languages and under its name, so that published numbers stand beside ours. An
embedding is the fact's vector, plus one for its language (what language bias is), plus noise of the text and of the
seed. The more monolingual the batches, the stronger the language and the less the noise within a language.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from study.config import TrialConfig
from study.results import files, layout
from tasks.factbook.facts import facts
from tasks.factbook.names import LANGUAGES
from tasks.factbook.texts import passage, question
from tasks.plugins import load_corpus
from tasks.relevance import Relevance, relevance
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts
from tasks.scoring import metrics_of, positions_table

Floats = npt.NDArray[np.float64]
BACKBONES = ("FacebookAI/xlm-roberta-base", "sentence-transformers/LaBSE")
ALPHAS = (0.0, 0.3, 0.5, 0.7, 1.0)
UNSEEN = ("el", "vi")
OBJECTIVE = "validation/multilingual/map"
WIDTH, TOP = 24, 8
SPACE: dict[str, Any] = {
    "search": {
        "sampler": "grid",
        "space": {
            "seed": {"type": "int", "low": 0, "high": 1},
            "alpha": {"type": "float", "low": 0, "high": 1, "step": 0.1},
        },
    },
    "objective": OBJECTIVE,
}


def benchmark(
    questions: int,
    distractors: int,
    *,
    name: str = "xquad_r",
    settings: tuple[Setting, ...] = tuple(Setting),
    metrics: tuple[str, ...] = ("map", "ndcg@10", "mrr", "recall@1", "recall@10"),
) -> Benchmark:
    """Return facts to be found among themselves and others, in every language."""
    held = facts()[:: len(facts()) // (questions + distractors)][: questions + distractors]
    return Benchmark(
        name=name,
        revision="synthetic",
        queries={la: Texts.of(Query(f.id, question(f, la)) for f in held[:questions]) for la in LANGUAGES},
        pools=[Pool(la, la, Texts.of(Passage(f"{la}/{f.id}", passage(f, la)) for f in held)) for la in LANGUAGES],
        qrels={f.id: {f"{la}/{f.id}": 1 for la in LANGUAGES} for f in held[:questions]},
        settings=settings,
        metrics=metrics,
        details={"context": "sentence"},
    )


def write_study(
    folder: Path,
    *,
    questions: int = 200,
    alphas: Sequence[float] = ALPHAS,
    seeds: int = 2,
    backbones: Sequence[str] = BACKBONES,
    examples: bool = True,
    data: Benchmark | None = None,
) -> str:
    """Write a study of trials that are measured on `data`, or on so many questions; return its folder."""
    data = data or benchmark(questions, questions // 2)
    found = relevance(data)
    description = {
        "name": "hybrid",
        "search_space": SPACE,
        "started": "2026-11-23T09:30:00+0100",
        "versions": {"python": "3.11.7", "torch": "2.13.0", "ray": "2.60.0"},
        "hardware": {"processor": "synthetic", "cores": 2},
    }
    files.write_json(str(folder / layout.STUDY), description)
    trials = [(backbone, alpha, seed) for backbone in backbones for alpha in alphas for seed in range(seeds)]
    for number, (backbone, alpha, seed) in enumerate(trials):
        config = TrialConfig.model_validate(
            {"backbone": backbone, "alpha": alpha, "seed": seed, "benchmarks": [data.name], "steps": 400}
        )
        scores = _scores(data, backbone, alpha, number)
        trial = layout.trial_folder(str(folder), number)
        _write_trial(trial, number, config, data, positions(data, found, scores))
        if examples:
            files.write_json(files.join(trial, "examples.json"), {data.name: list(_examples(data, scores))})
    return str(folder)


def positions(data: Benchmark, found: Relevance, scores: dict[str, Floats]) -> Any:
    """Return the positions table of retrieval by these scores: language -> queries x pools x rows."""
    in_pool, in_union = [], []
    for place, pool, row in zip(found.query_T, found.pool_T, found.row_T, strict=True):
        language = data.languages[found.query_language_Q[place]]
        score_PN = scores[language][found.query_row_Q[place]]
        in_pool.append(1 + int((score_PN[pool] > score_PN[pool, row]).sum()))
        in_union.append(1 + int((score_PN > score_PN[pool, row]).sum()))
    return positions_table(data, found, np.array(in_pool), np.array(in_union))


def _scores(data: Benchmark, backbone: str, alpha: float, number: int) -> dict[str, Floats]:
    shared, own = np.random.default_rng(7), np.random.default_rng(1000 + number)
    rows = len(data.pools[0].passages)
    fact_ND, language_LD = shared.normal(size=(rows, WIDTH)), shared.normal(size=(len(LANGUAGES), WIDTH))
    text_LND = shared.normal(size=(2, len(LANGUAGES), rows, WIDTH))
    own_LND = own.normal(size=text_LND.shape)
    skill = 0.8 if "LaBSE" in backbone else 1.0
    bias = skill * (0.25 + 0.5 * alpha**2) * (1 + 0.04 * own.normal())
    noise = skill * (0.95 - 0.3 * np.sqrt(alpha)) * (1 + 0.02 * own.normal())
    weaker_L1 = np.array([[1.25 if language in UNSEEN else 1.0] for language in LANGUAGES])
    embedding_LND = fact_ND + bias * language_LD[:, None] + noise * weaker_L1[:, None] * (text_LND + 0.5 * own_LND)
    embedding_LND /= np.linalg.norm(embedding_LND, axis=-1, keepdims=True)
    query_LQD, passage_PND = embedding_LND[0], embedding_LND[1]
    return {
        language: np.einsum("qd,pnd->qpn", query_LQD[place, : len(data.queries[language])], passage_PND)
        for place, language in enumerate(LANGUAGES)
    }


@cache
def _factbook_revision() -> str:
    return load_corpus("factbook", {}).revision


def _write_trial(trial: str, number: int, config: TrialConfig, data: Benchmark, table: Any) -> None:
    scores = metrics_of(table, data.name, data.settings, data.metrics)
    files.write_table(layout.positions_file(trial, data.name), table)
    reported = metrics_of(table, data.name, [Setting.MULTILINGUAL], ["map"])
    validation = reported.metrics[f"{data.name}/multilingual/map"] + 0.05
    count = len(data.queries["en"])
    result = {
        "number": number,
        "config": config.model_dump(mode="json"),
        "backbone": {"pooling": "mean", "query_prefix": "Query: ", "passage_prefix": "Passage: ", "precision": "fp32"},
        "training": {
            "step": 400,
            "best_step": 400,
            "best_score": validation,
            "best_metrics": {OBJECTIVE: validation},
            "history": list(_history(number)),
            "seconds": 61.5,
        },
        "corpora": [{"name": "factbook", "revision": _factbook_revision(), "rows": 1364}],
        "training_languages": [language for language in LANGUAGES if language not in UNSEEN],
        "metrics": {OBJECTIVE: validation, **scores.metrics},
        "benchmarks": {
            data.name: {
                "benchmark": data.name,
                "revision": data.revision,
                "details": dict(data.details),
                "metrics": scores.metrics,
                "by_language": scores.by_language,
                "by_pair": scores.by_pair,
                "queries": dict.fromkeys(data.languages, count),
                "passages": dict.fromkeys(data.languages, len(data.pools[0].passages)),
            }
        },
        "versions": {"python": "3.11.7", "torch": "2.13.0", "ray": "2.60.0"},
        "hardware": {"processor": "synthetic", "cores": 2, "device": "cpu", "workers": 1},
    }
    files.write_json(files.join(trial, layout.RESULT), result)


def _history(number: int) -> Iterator[dict[str, float]]:
    random = np.random.default_rng(number)
    for step in range(40, 401, 40):
        report = {"step": step, "loss": 4.2 * float(np.exp(-step / 150)) + 0.2 + 0.03 * random.normal()}
        if step % 80 == 0:
            report[OBJECTIVE] = 0.6 * (1 - float(np.exp(-step / 160))) + 0.01 * random.normal()
        yield report


def _examples(data: Benchmark, scores: dict[str, Floats]) -> Iterator[dict[str, Any]]:
    for place, language in enumerate(LANGUAGES):
        row = place % len(data.queries[language])
        score_PN = scores[language][row]
        query_id, text = data.queries[language].ids()[row], data.queries[language].texts()[row]
        retrieved = []
        for flat in np.argsort(-score_PN, axis=None)[:TOP]:
            pool, passage_row = divmod(int(flat), score_PN.shape[1])
            passages = data.pools[pool].passages
            passage_id = passages.ids(np.array([passage_row]))[0]
            retrieved.append(
                {
                    "language": data.pools[pool].language,
                    "text": passages.texts(np.array([passage_row]))[0],
                    "score": round(float(score_PN[pool, passage_row]), 4),
                    "relevant": passage_id in data.qrels[query_id],
                }
            )
        yield {"query_id": query_id, "query_language": language, "query": text, "retrieved": retrieved}
