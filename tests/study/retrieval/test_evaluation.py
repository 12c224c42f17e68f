from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean

import ir_measures
import numpy as np
import pytest

from study.results.trial_result import BenchmarkResult
from study.retrieval.encode import Encoding, encode
from study.retrieval.evaluation import Evaluation, evaluate
from study.retrieval.question_loss import QuestionLoss
from tasks.benchmarks import tatoeba
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts
from tasks.scoring import metrics_of
from tests.hashing_encoder import HashingEncoder
from tests.parallel_benchmark import parallel_benchmark
from tests.process_group import RunInGroup

MEASURES = {
    "map": ir_measures.AP,
    "ndcg@10": ir_measures.nDCG @ 10,
    "mrr": ir_measures.RR,
    "recall@10": ir_measures.R @ 10,
}


def trec_eval(benchmark: Benchmark, query_language: str, pools: list[Pool]) -> dict[str, float]:
    """Every metric of one query language against the union of `pools`, from all scores in float64."""
    encoder, queries = HashingEncoder(), benchmark.queries[query_language]
    passages = [(i, t) for pool in pools for i, t in zip(pool.passages.ids(), pool.passages.texts(), strict=True)]
    query_QD = encode(encoder, queries.texts(), "query", 10**6).double()
    passage_ND = encode(encoder, [text for _, text in passages], "passage", 10**6).double()
    scores = (query_QD @ passage_ND.T).round(decimals=9).tolist()
    ids = [passage for passage, _ in passages]
    run = {query: dict(zip(ids, row, strict=True)) for query, row in zip(queries.ids(), scores, strict=True)}
    qrels = {q: {p: g for p, g in benchmark.qrels[q].items() if p in ids} for q in queries.ids()}
    qrels = {query: found for query, found in qrels.items() if found}
    values = ir_measures.calc_aggregate(list(MEASURES.values()), qrels, run)
    return {name: float(values[measure]) for name, measure in MEASURES.items()}


def close(values: dict[str, float]) -> object:
    return pytest.approx(values, abs=1e-9)


def test_every_figure_equals_trec_eval_on_all_scores() -> None:
    benchmark = parallel_benchmark()
    result = evaluate(HashingEncoder(), benchmark)
    pool = {held.name: [held] for held in benchmark.pools}
    for language in benchmark.languages:
        assert result.by_language["monolingual"][language] == close(trec_eval(benchmark, language, pool[language]))
        expected = trec_eval(benchmark, language, list(benchmark.pools))
        multilingual = dict(result.by_language["multilingual"][language])
        assert multilingual.pop("rank_distance") > 0
        assert 0 < multilingual.pop("language_preference") <= 1
        assert multilingual.pop("worst_position") > 0
        assert 0 < multilingual.pop("complete@100") <= 1
        assert multilingual == close(expected)
    pairs = [(a, b) for a, b in product(benchmark.languages, repeat=2) if a != b]
    assert set(result.by_pair) == {f"{a}-{b}" for a, b in pairs}
    for a, b in pairs:
        assert result.by_pair[f"{a}-{b}"] == close(trec_eval(benchmark, a, pool[b])), (a, b)
    for name in MEASURES:
        assert result.metrics[f"parallel/crosslingual/{name}"] == pytest.approx(
            fmean(values[name] for values in result.by_pair.values())
        )
        assert result.metrics[f"parallel/multilingual/{name}"] == pytest.approx(
            fmean(values[name] for values in result.by_language["multilingual"].values())
        )


def test_counts_are_those_of_the_benchmark() -> None:
    benchmark = parallel_benchmark()
    result = evaluate(HashingEncoder(), benchmark)
    assert result.queries == {language: len(queries) for language, queries in benchmark.queries.items()}
    assert result.passages == {"ar": 45, "th": 45, "zh": 45}
    assert result.positions.num_rows == sum(
        len(benchmark.qrels[query]) for queries in benchmark.queries.values() for query in queries.ids()
    )


def evaluated(benchmark: Benchmark, token_budget: int, block_size: int) -> Evaluation:
    return evaluate(HashingEncoder(), benchmark, Encoding(token_budget, block_size))


def same(result: Evaluation, expected: Evaluation) -> bool:
    return result.result() == expected.result() and result.positions.equals(expected.positions)


@pytest.mark.parametrize(("token_budget", "block_size"), [(1, 1), (100, 7), (16_384, 45)])
def test_the_result_depends_neither_on_blocks_nor_on_batches(token_budget: int, block_size: int) -> None:
    benchmark = parallel_benchmark()
    assert same(evaluated(benchmark, token_budget, block_size), evaluate(HashingEncoder(), benchmark))


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("settings", [tuple(Setting), (Setting.MONOLINGUAL,)])
def test_several_processes_all_give_the_result_of_one(
    run_in_group: RunInGroup, world_size: int, settings: tuple[Setting, ...]
) -> None:
    benchmark = parallel_benchmark(settings)
    expected = evaluate(HashingEncoder(), benchmark)
    for result in run_in_group(world_size, evaluated, benchmark, 200, 10):
        assert same(result, expected)


def test_every_text_is_encoded_once_and_progress_ends_at_the_total() -> None:
    benchmark, encoder, seen = parallel_benchmark(), HashingEncoder(), []
    evaluate(encoder, benchmark, Encoding(block_size=1), progress=lambda done, total: seen.append((done, total)))
    queries = sum(map(len, benchmark.queries.values()))
    assert sum(map(len, encoder.embedded)) == queries + 3 * 45
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (queries + 3 * 45, queries + 3 * 45)


def test_one_setting_gives_the_same_figures_as_all_together() -> None:
    everything = evaluate(HashingEncoder(), parallel_benchmark()).metrics
    for setting in Setting:
        alone = evaluate(HashingEncoder(), parallel_benchmark((setting,))).metrics
        assert alone == {key: value for key, value in everything.items() if f"/{setting}/" in key}


def test_a_query_competes_only_in_the_pool_that_holds_its_passage() -> None:
    """Tatoeba's shape: one English pool for each query language."""
    copies = {"th": ["river", "moon"], "zh": ["moon", "river", "sea"]}
    queries, pools = {}, []
    qrels: dict[str, dict[str, int]] = {}
    for language, texts in copies.items():
        queries[language] = Texts.of(Query(f"{language}-{i}", text) for i, text in enumerate(texts))
        pools.append(
            Pool(f"{language}-en", "en", Texts.of(Passage(f"{language}-en-{i}", t) for i, t in enumerate(texts)))
        )
        qrels |= {f"{language}-{i}": {f"{language}-en-{i}": 1} for i in range(len(texts))}
    benchmark = Benchmark("tatoeba", "1", queries, pools, qrels, (Setting.CROSSLINGUAL,), ("accuracy",))
    result = evaluate(HashingEncoder(width=256), benchmark)
    assert result.by_pair == {"th-en": {"accuracy": 1.0}, "zh-en": {"accuracy": 1.0}}
    assert result.metrics == {"tatoeba/crosslingual/accuracy": 1.0}
    assert (result.queries, result.passages) == ({"th": 2, "zh": 3}, {"en": 5})
    assert result.positions["position_in_union"].null_count == 5


def test_pools_nobody_searches_are_not_encoded() -> None:
    benchmark, encoder = parallel_benchmark((Setting.MONOLINGUAL,)), HashingEncoder()
    thai = replace(benchmark, queries={"th": benchmark.queries["th"]})
    result = evaluate(encoder, thai)
    assert result.passages == {"th": 45}
    assert sum(map(len, encoder.embedded)) <= len(benchmark.queries["th"]) + 45


def test_figures_can_be_computed_again_from_the_positions_alone() -> None:
    benchmark = parallel_benchmark()
    result = evaluate(HashingEncoder(), benchmark)
    scores = metrics_of(result.positions, "parallel", benchmark.settings, benchmark.metrics)
    assert (scores.metrics, scores.by_language, scores.by_pair) == (result.metrics, result.by_language, result.by_pair)


def test_a_result_is_plain_json_and_is_read_back_as_it_was() -> None:
    result = evaluate(HashingEncoder(), parallel_benchmark()).result()
    assert BenchmarkResult.model_validate_json(json.dumps(result.model_dump(mode="json"), allow_nan=False)) == result


def test_an_unknown_metric_is_refused_before_anything_is_encoded() -> None:
    encoder = HashingEncoder()
    with pytest.raises(TaskError, match="unknown metric 'mpa'"):
        evaluate(encoder, replace(parallel_benchmark(), metrics=("mpa",)))
    assert not encoder.embedded


def word_windows(texts: Sequence[str]) -> list[list[list[int]]]:
    """One window a word, with the token ids of a query of that word."""
    return [[[len("query"), *map(ord, word)] for word in text.split()] for text in texts]


def evaluated_by_words(benchmark: Benchmark) -> Evaluation:
    return evaluate(HashingEncoder(), benchmark, Encoding(block_size=9, windows=word_windows))


def test_with_windows_a_passage_scores_as_its_best_one_does(run_in_group: RunInGroup) -> None:
    """A query that is a word of its passage ties with all passages that hold the word, and is ahead of all others."""
    benchmark = parallel_benchmark((Setting.MONOLINGUAL,))
    pool = benchmark.pools[1]
    texts, ids = pool.passages.texts(), pool.passages.ids()
    word = [text.split()[-1] for text in texts[20:]]
    queries = Texts.of(Query(f"q{n}", word) for n, word in enumerate(word))
    qrels = {f"q{n}": {ids[20 + n]: 1} for n in range(len(word))}
    by_words = replace(benchmark, queries={"th": queries}, qrels=qrels)
    result = evaluated_by_words(by_words)
    expected = [1 + sum(word[n] in text.split() for text in texts[: 20 + n]) for n in range(len(word))]
    assert result.positions["position_in_pool"].to_pylist() == expected
    for shared in run_in_group(2, evaluated_by_words, by_words):
        assert same(shared, result)


def forms(encoder: HashingEncoder) -> dict[str, int]:
    """Return how many texts were encoded in each form, which the encoder writes as a first token."""
    names = {len(name): name for name in ("query", "passage")}
    return dict(Counter(names[ids[0]] for batch in encoder.embedded for ids in batch))


def test_candidates_are_encoded_as_passages_unless_the_benchmark_is_symmetric(tmp_path: Path) -> None:
    for code, sentences in {"tha": "ฉันมีแมวสองตัว\nผมโสด\n", "eng": "I have two cats.\nI am single.\n"}.items():
        (tmp_path / f"tatoeba.tha-eng.{code}").write_text(sentences, encoding="utf-8")
    symmetric = tatoeba.load(path=tmp_path, languages=("th",))
    windows = Encoding(windows=lambda texts: [[[7, *map(ord, text)]] for text in texts])
    for encoding in (Encoding(), windows):
        encoder = HashingEncoder()
        result = evaluate(encoder, symmetric, encoding)
        assert forms(encoder) == {"query": 4}
        assert result.details == {"direction": "x -> en", "candidates": "encoded as queries"}
    encoder = HashingEncoder()
    assert "candidates" not in evaluate(encoder, replace(symmetric, candidate_form="passage")).details
    assert forms(encoder) == {"query": 2, "passage": 2}


def test_the_validation_loss_encodes_candidates_in_the_same_form() -> None:
    benchmark = replace(parallel_benchmark(), candidate_form="query")
    encoder = HashingEncoder()
    QuestionLoss(benchmark)(encoder, temperature=0.05, token_budget=None)
    assert forms(encoder).keys() == {"query"}


def question_loss(benchmark: Benchmark) -> float:
    return QuestionLoss(benchmark)(HashingEncoder(), temperature=0.2, token_budget=200)


def defined_loss(pairs: dict[str, list[tuple[str, str]]]) -> float:
    """In batches of 100 questions of a language: the log of the sum over all passages but copies of the own one."""
    losses = []
    for of_language in pairs.values():
        for start in range(0, len(of_language), 100):
            queries, passages = zip(*of_language[start : start + 100], strict=True)
            query_BD = encode(HashingEncoder(), queries, "query", 10**6).double().numpy()
            passage_BD = encode(HashingEncoder(), passages, "passage", 10**6).double().numpy()
            for own, score_B in enumerate(query_BD @ passage_BD.T / 0.2):
                counts = [other == own or text != passages[own] for other, text in enumerate(passages)]
                losses.append(float(np.log(np.exp(score_B[counts]).sum()) - score_B[own]))
    return fmean(losses)


REPEATED = ["กรุงเทพมหานคร", "เชียงใหม่", "กรุงเทพมหานคร", "ภูเก็ต", "ขอนแก่น"]


@pytest.mark.parametrize(
    "pairs",
    [
        {
            "th": [(f"คำถามที่ {n}", passage) for n, passage in enumerate(REPEATED)],
            "ar": [("ما؟", "نهر"), ("من؟", "بحر")],
        },
        {"zh": [(f"问题 {n}", f"答案 {n}") for n in range(130)], "th": [(f"ถาม {n}", f"ตอบ {n}") for n in range(7)]},
    ],
    ids=["a repeated passage", "more questions than a batch has"],
)
def test_the_validation_loss_is_the_mean_over_questions_against_the_other_passages_of_their_batch(
    run_in_group: RunInGroup, pairs: dict[str, list[tuple[str, str]]]
) -> None:
    queries, pools = {}, []
    qrels: dict[str, dict[str, int]] = {}
    for language, held in pairs.items():
        queries[language] = Texts.of(Query(f"{language}-{n}", query) for n, (query, _) in enumerate(held))
        passages = Texts.of(Passage(f"{language}-p{n}", passage) for n, (_, passage) in enumerate(held))
        pools.append(Pool(language, language, passages))
        qrels |= {f"{language}-{n}": {f"{language}-p{n}": 1} for n in range(len(held))}
    benchmark = Benchmark("asked", "1", queries, pools, qrels, (Setting.MONOLINGUAL,))
    for loss in (question_loss(benchmark), *run_in_group(2, question_loss, benchmark)):
        assert loss == pytest.approx(defined_loss(pairs), rel=1e-5)
