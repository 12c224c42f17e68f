"""Language centring: what is subtracted, on which texts it is estimated, and that it costs no second encoding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from study.config_sections import CentringConfig
from study.retrieval import evaluation_checkpoint
from study.retrieval.centring import LanguageMeans, evenly_spaced, means_of_benchmark, means_of_corpora
from study.retrieval.encode import Encoding, encode
from study.retrieval.evaluation import Centring, Evaluation, Extras, Outputs, evaluate, evaluate_views
from tasks.corpora import factbook
from tasks.schema import Benchmark, Query, Setting, Texts
from tests.hashing_encoder import HashingEncoder
from tests.parallel_benchmark import parallel_benchmark
from tests.process_group import RunInGroup

Floats = npt.NDArray[np.float64]
ALL = 100_000
BOTH, PASSAGES = CentringConfig(texts=ALL), CentringConfig(sides="passages", texts=ALL)
NO_MEANS = LanguageMeans()


def views(benchmark: Benchmark, *configs: CentringConfig, block_size: int = 10) -> list[Evaluation]:
    centrings = [Centring(config, NO_MEANS) for config in configs]
    return evaluate_views(HashingEncoder(), benchmark, Encoding(200, block_size), Extras(centrings))


def unit(vectors_ND: Floats) -> Floats:
    return np.asarray(vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True))


def embeddings(benchmark: Benchmark, kind: str) -> dict[str, Floats]:
    texts = {la: held.texts() for la, held in benchmark.queries.items()}
    if kind == "passage":
        texts = {pool.language: pool.passages.texts() for pool in benchmark.pools}
    return {la: encode(HashingEncoder(), held, kind, 10**6).double().numpy() for la, held in texts.items()}  # type: ignore[arg-type]


def positions_in_union(benchmark: Benchmark, queries: dict[str, Floats], passages: dict[str, Floats]) -> set[object]:
    """Positions by sorting every score in float64, ties to the earlier (pool, row)."""
    everything = np.concatenate([passages[pool.language] for pool in benchmark.pools])
    ids = [i for pool in benchmark.pools for i in pool.passages.ids()]
    expected = set()
    for language in benchmark.languages:
        order = np.argsort(-(queries[language] @ everything.T).round(7), axis=1, kind="stable")
        for query, ranking in zip(benchmark.queries[language].ids(), order, strict=True):
            placed = {ids[row]: place + 1 for place, row in enumerate(ranking)}
            expected |= {(language, query, p, placed[p]) for p in benchmark.qrels[query]}
    return {(la, query, place) for la, query, _, place in expected}


def measured(positions: pa.Table) -> set[object]:
    columns = ("query_language", "query_id", "position_in_union")
    return set(zip(*(positions[name].to_pylist() for name in columns), strict=True))


def test_both_sides_less_the_means_of_their_languages_rank_as_sorting_says() -> None:
    benchmark = parallel_benchmark()
    _, centred = views(benchmark, BOTH)
    moved = [
        {la: unit(vectors - vectors.mean(axis=0)) for la, vectors in embeddings(benchmark, kind).items()}
        for kind in ("query", "passage")
    ]
    assert measured(centred.positions) == positions_in_union(benchmark, *moved)


def test_passages_alone_get_the_mean_of_all_languages_back() -> None:
    benchmark = parallel_benchmark()
    _, centred = views(benchmark, PASSAGES)
    passages = embeddings(benchmark, "passage")
    everywhere = np.mean([vectors.mean(axis=0) for vectors in passages.values()], axis=0)
    moved = {la: unit(vectors - vectors.mean(axis=0) + everywhere) for la, vectors in passages.items()}
    assert measured(centred.positions) == positions_in_union(benchmark, embeddings(benchmark, "query"), moved)


def test_means_of_a_sample_are_those_of_evenly_spaced_texts() -> None:
    benchmark = parallel_benchmark()
    _, centred = views(benchmark, CentringConfig(texts=5))
    moved = [
        {la: unit(v - v[evenly_spaced(len(v), 5)].mean(axis=0)) for la, v in embeddings(benchmark, kind).items()}
        for kind in ("query", "passage")
    ]
    assert measured(centred.positions) == positions_in_union(benchmark, *moved)


def test_embeddings_as_they_are_are_measured_beside_as_if_alone() -> None:
    benchmark = parallel_benchmark()
    as_is, centred = views(benchmark, BOTH)
    alone = evaluate(HashingEncoder(), benchmark)
    assert as_is.result() == alone.result()
    assert as_is.positions.equals(alone.positions)
    assert as_is.examples == alone.examples
    assert not centred.positions.equals(as_is.positions)


def across_languages_asked_in(language: str) -> Benchmark:
    """Return a benchmark whose queries of one language never search the pool of that language."""
    benchmark = parallel_benchmark((Setting.CROSSLINGUAL,))
    return replace(benchmark, queries={language: benchmark.queries[language]})


@pytest.mark.parametrize("world_size", [1, 2])
@pytest.mark.parametrize("config", [BOTH, PASSAGES])
def test_a_pool_that_no_query_searches_changes_nothing_beside_a_centring(
    run_in_group: RunInGroup, world_size: int, config: CentringConfig
) -> None:
    benchmark = across_languages_asked_in("ar")
    alone = evaluate(HashingEncoder(), benchmark)
    for as_is, centred in run_in_group(world_size, views, benchmark, config):
        assert as_is.result() == alone.result()
        assert as_is.positions.equals(alone.positions)
        assert centred.passages == {"th": 45, "zh": 45}
        assert "zh" in centred.details["transductive"]


def test_a_pool_that_no_query_searches_changes_nothing_after_centring() -> None:
    benchmark = across_languages_asked_in("ar")
    pools = [pool for pool in benchmark.pools if pool.language != "ar"]
    there = {passage for pool in pools for passage in pool.passages.ids()}
    qrels = {query: {p: grade for p, grade in held.items() if p in there} for query, held in benchmark.qrels.items()}
    searched = replace(benchmark, pools=pools, qrels=qrels)
    for result, expected in zip(views(benchmark, BOTH, PASSAGES), views(searched, BOTH, PASSAGES), strict=True):
        assert result.metrics == expected.metrics
        assert result.positions.equals(expected.positions)


def test_a_centred_result_has_a_name_of_its_own_and_says_how_it_was_made() -> None:
    names = [result.benchmark for result in views(parallel_benchmark(), BOTH, PASSAGES, CentringConfig())]
    assert names == ["parallel", "parallel@centred_100000", "parallel@centred_passages_100000", "parallel@centred"]
    _, centred = views(parallel_benchmark(), CentringConfig())
    assert centred.details == {
        "centring": "both sides, means of 100 texts per language of the benchmark",
        "transductive": "ar, th, zh",
    }
    as_is = evaluate(HashingEncoder(), parallel_benchmark()).metrics
    assert set(centred.metrics) == {key.replace("parallel/", "parallel@centred/") for key in as_is}


def test_however_many_centrings_each_text_is_encoded_once() -> None:
    benchmark, encoder, seen = parallel_benchmark(), HashingEncoder(), []
    centrings = [Centring(config, NO_MEANS) for config in (BOTH, PASSAGES, CentringConfig(texts=7))]
    evaluate_views(
        encoder, benchmark, Encoding(block_size=1), Extras(centrings), progress=lambda *now: seen.append(now)
    )
    total = sum(map(len, benchmark.queries.values())) + 3 * 45
    assert sum(map(len, encoder.embedded)) == total
    assert seen[-1] == (total, total)


@pytest.mark.parametrize("block_size", [1, 7, 1000])
def test_the_result_does_not_depend_on_blocks(block_size: int) -> None:
    expected = views(parallel_benchmark(), BOTH, PASSAGES)
    for result, other in zip(views(parallel_benchmark(), BOTH, PASSAGES, block_size=block_size), expected, strict=True):
        assert result.positions.equals(other.positions)


@pytest.mark.parametrize("world_size", [2, 3])
def test_several_processes_all_give_the_result_of_one(run_in_group: RunInGroup, world_size: int) -> None:
    expected = views(parallel_benchmark(), BOTH, CentringConfig(sides="passages", texts=9))
    arguments = (parallel_benchmark(), BOTH, CentringConfig(sides="passages", texts=9))
    for shared in run_in_group(world_size, views, *arguments):
        for result, alone in zip(shared, expected, strict=True):
            assert result.result() == alone.result()
            assert result.positions.equals(alone.positions)
            assert result.examples == alone.examples


def test_an_interrupted_evaluation_goes_on_with_all_its_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_checkpoint, "SAVE_EVERY_S", 0.0)
    benchmark, blocks = parallel_benchmark(), Encoding(block_size=10)
    extras = Extras([Centring(CentringConfig(sides="passages", texts=3), NO_MEANS)], top_lists=True)
    whole = evaluate_views(HashingEncoder(), benchmark, blocks, extras)

    def stop_near_the_end(done: int, total: int) -> None:
        if done > 0.8 * total:
            raise KeyboardInterrupt

    encoder, outputs = HashingEncoder(), Outputs(partial=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        evaluate_views(HashingEncoder(), benchmark, blocks, extras, progress=stop_near_the_end, outputs=outputs)
    resumed = evaluate_views(encoder, benchmark, blocks, extras, outputs=outputs)
    for result, expected in zip(resumed, whole, strict=True):
        assert result.positions.equals(expected.positions)
        assert result.top_lists == expected.top_lists
    assert sum(map(len, encoder.embedded)) < 0.8 * (sum(map(len, benchmark.queries.values())) + 3 * 45)


def corpus_means(languages: tuple[str, ...]) -> LanguageMeans:
    return means_of_corpora(HashingEncoder(), [factbook.load(languages=languages)], 20, Encoding())


def test_means_of_training_corpora_are_not_transductive_but_where_a_language_is_missing() -> None:
    benchmark, config = parallel_benchmark(), CentringConfig(texts=20)
    full, part = (
        evaluate_views(HashingEncoder(), benchmark, Encoding(), Extras([Centring(config, corpus_means(languages))]))[1]
        for languages in (("ar", "th", "zh"), ("th", "zh"))
    )
    assert full.details == {"centring": "both sides, means of 20 texts per language of factbook"}
    assert part.details["transductive"] == "ar"
    assert not full.positions.equals(part.positions)


def test_known_means_are_subtracted_whatever_the_benchmark_holds() -> None:
    whole, known = parallel_benchmark(), corpus_means(("ar", "th", "zh"))
    # No relevant passage is among the rows that a sample of two would take.
    queries = {
        la: Texts.of(Query(i, text) for i, text in zip(held.ids(), held.texts(), strict=True) if i != "q0")
        for la, held in whole.queries.items()
    }
    benchmark = replace(whole, queries=queries)
    _, result = evaluate_views(
        HashingEncoder(), benchmark, Encoding(), Extras([Centring(CentringConfig(texts=2), known)])
    )
    moved = [
        {la: unit(vectors - side[la].double().numpy()) for la, vectors in embeddings(benchmark, kind).items()}
        for kind, side in (("query", known.queries), ("passage", known.passages))
    ]
    assert measured(result.positions) == positions_in_union(benchmark, *moved)


def test_means_of_a_corpus_are_those_of_evenly_spaced_rows() -> None:
    corpus = factbook.load(languages=("th", "zh"))
    rows = evenly_spaced(len(corpus), 20)
    for language in ("th", "zh"):
        pairs = corpus.pairs(rows, [language] * 20, [language] * 20)
        for kind, texts in (("query", [p.query for p in pairs]), ("passage", [p.passage for p in pairs])):
            vectors = encode(HashingEncoder(), texts, kind, 10**6).double().numpy()  # type: ignore[arg-type]
            means = corpus_means(("th", "zh"))
            side = means.queries if kind == "query" else means.passages
            np.testing.assert_allclose(side[language].numpy(), vectors.mean(axis=0), atol=1e-7)


def benchmark_means(benchmark: Benchmark) -> list[Floats]:
    means = means_of_benchmark(HashingEncoder(), benchmark, 11, Encoding())
    return [side[la].numpy() for side in (means.queries, means.passages) for la in ("ar", "th", "zh")]


def test_means_of_another_benchmark_are_the_same_over_several_processes(run_in_group: RunInGroup) -> None:
    expected = benchmark_means(parallel_benchmark())
    for means in run_in_group(2, benchmark_means, parallel_benchmark()):
        np.testing.assert_allclose(means, expected, atol=1e-7)
    passages = embeddings(parallel_benchmark(), "passage")["th"]
    np.testing.assert_allclose(expected[4], passages[evenly_spaced(45, 11)].mean(axis=0), atol=1e-7)


@pytest.mark.parametrize(("count", "texts", "rows"), [(5, 9, [0, 1, 2, 3, 4]), (10, 2, [0, 9]), (0, 3, [])])
def test_a_sample_is_evenly_spaced_over_all_rows(count: int, texts: int, rows: list[int]) -> None:
    assert evenly_spaced(count, texts).tolist() == rows
