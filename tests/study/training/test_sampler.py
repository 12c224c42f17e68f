from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from study.batching import share_of
from study.config import Mixing, TrialConfig
from study.config_sections import CorpusConfig
from study.config_values import Schedule
from study.training.sampler import BatchPlan, HybridSampler
from tasks.plugins import TaskError
from tasks.schema import Corpus
from tests.toy_corpus import ToyCorpus

LANGUAGES = ("ar", "de", "th", "zh")
STEPS = 2000


def sampler(
    alpha: float | Schedule,
    *corpora: Corpus,
    mixing: Mixing = "batch",
    seed: int = 0,
    weights: tuple[float | None, ...] = (),
    alignment_weight: float = 0,
    batch_size: int = 8,
) -> HybridSampler:
    corpora = corpora or (ToyCorpus.parallel(100, LANGUAGES),)
    named = tuple(
        CorpusConfig(name=corpus.name, weight=weight)
        for corpus, weight in zip(corpora, weights or [None] * len(corpora), strict=True)
    )
    config = TrialConfig(corpora=named, alpha=alpha, mixing=mixing, batch_size=batch_size, steps=STEPS, seed=seed)
    return HybridSampler(corpora, config.model_copy(update={"alignment_weight": alignment_weight}))


def batches(made_by: HybridSampler, steps: int = STEPS) -> list[BatchPlan]:
    return [made_by.batch(step) for step in range(steps)]


def test_every_monolingual_batch_holds_one_language_on_both_sides() -> None:
    plans = [plan for plan in batches(sampler(0.5)) if plan.kind == "monolingual"]
    assert plans
    assert all(len({*plan.query_languages, *plan.passage_languages}) == 1 for plan in plans)


def test_every_pair_of_a_crosslingual_batch_crosses_languages_and_the_languages_vary() -> None:
    plans = [plan for plan in batches(sampler(0.5)) if plan.kind == "crosslingual"]
    assert plans
    for plan in plans:
        assert all(q != p for q, p in zip(plan.query_languages, plan.passage_languages, strict=True))
    assert all(len(set(plan.query_languages)) > 1 for plan in plans[:100])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_the_share_of_monolingual_batches_is_alpha(alpha: float) -> None:
    share = np.mean([plan.kind == "monolingual" for plan in batches(sampler(alpha))])
    assert abs(share - alpha) <= 4 * np.sqrt(alpha * (1 - alpha) / STEPS)


def test_monolingual_languages_and_crosslingual_language_pairs_are_uniform() -> None:
    plans = batches(sampler(0.5))
    languages = Counter(plan.query_languages[0] for plan in plans if plan.kind == "monolingual")
    pairs = Counter(
        pair
        for plan in plans
        if plan.kind == "crosslingual"
        for pair in zip(plan.query_languages, plan.passage_languages, strict=True)
    )
    assert set(languages) == set(LANGUAGES)
    assert len(pairs) == len(LANGUAGES) * (len(LANGUAGES) - 1)
    for counts in (languages, pairs):
        expected = sum(counts.values()) / len(counts)
        assert all(abs(count - expected) < 4 * np.sqrt(expected) for count in counts.values())


def test_the_batch_of_a_step_is_a_function_of_seed_and_step_alone() -> None:
    one, other = sampler(0.5), sampler(0.5)
    backwards = [other.batch(step) for step in reversed(range(50))][::-1]
    for plan, again in zip(batches(one, 50), backwards, strict=True):
        assert plan.kind == again.kind
        assert plan.query_languages == again.query_languages
        assert (plan.rows == again.rows).all()
    assert any((sampler(0.5, seed=1).batch(step).rows != one.batch(step).rows).any() for step in range(5))


@pytest.mark.parametrize("mixing", ["batch", "pair"])
@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_the_shares_of_all_ranks_joined_are_the_global_batch(world_size: int, mixing: Mixing) -> None:
    def pairs_of(plan: BatchPlan) -> list[tuple[int, str, str]]:
        return list(zip(plan.rows.tolist(), plan.query_languages, plan.passage_languages, strict=True))

    rng = np.random.default_rng(0)
    for plan in batches(sampler(0.5, mixing=mixing), 50):
        lengths = rng.integers(1, 500, len(plan.rows)).tolist()
        shares = [plan.take(share_of(lengths, rank, world_size)) for rank in range(world_size)]
        assert sorted(pair for share in shares for pair in pairs_of(share)) == sorted(pairs_of(plan))
        assert len({len(share.rows) for share in shares}) == 1
        assert {(share.kind, share.alpha, share.corpus) for share in shares} == {(plan.kind, plan.alpha, plan.corpus)}


def test_one_rank_takes_the_batch_as_it_is() -> None:
    plan = sampler(0.5).batch(0)
    assert plan.take(share_of(list(range(len(plan.rows))), 0, 1)).query_languages == plan.query_languages
    assert (plan.take(share_of(list(range(len(plan.rows))), 0, 1)).rows == plan.rows).all()


def test_trials_that_differ_in_alpha_alone_draw_the_same_rows() -> None:
    mono, hybrid, cross = (batches(sampler(alpha), 100) for alpha in (1.0, 0.5, 0.0))
    for step, plan in enumerate(hybrid):
        twin = mono[step] if plan.kind == "monolingual" else cross[step]
        assert (plan.rows == twin.rows).all()
        assert plan.query_languages == twin.query_languages


def test_an_epoch_visits_every_row_of_a_whole_number_of_batches_once() -> None:
    plans = batches(sampler(0.5, ToyCorpus.parallel(96, LANGUAGES)), 24)
    first, second = (np.concatenate([plan.rows for plan in part]) for part in (plans[:12], plans[12:]))
    assert sorted(first) == sorted(second) == list(range(96))
    assert (first != second).any()


def test_no_passage_is_twice_in_a_batch_however_often_the_corpus_repeats_it() -> None:
    corpus = ToyCorpus("repeats", [LANGUAGES] * 100, [row // 5 for row in range(100)])
    for plan in batches(sampler(0.5, corpus), 300):
        assert len(set(corpus.keys(plan.rows).passages)) == len(plan.rows)


def test_rows_are_drawn_only_in_the_languages_they_have() -> None:
    languages_of = [LANGUAGES[: 1 + row % 4] for row in range(100)]
    corpus = ToyCorpus("partial", languages_of, range(100))
    for plan in batches(sampler(0.5, corpus), 300):
        for row, query, passage in zip(plan.rows, plan.query_languages, plan.passage_languages, strict=True):
            assert {query, passage} <= set(languages_of[row])


def test_corpora_are_drawn_in_proportion_to_their_size() -> None:
    corpora = (ToyCorpus.parallel(100, LANGUAGES, name="small"), ToyCorpus.parallel(300, LANGUAGES, name="large"))
    share = np.mean([plan.corpus == 1 for plan in batches(sampler(0.5, *corpora))])
    assert abs(share - 0.75) < 4 * np.sqrt(0.75 * 0.25 / STEPS)


def test_a_weight_takes_the_place_of_the_size() -> None:
    corpora = (ToyCorpus.parallel(100, LANGUAGES), ToyCorpus.parallel(300, LANGUAGES))
    share = np.mean([plan.corpus == 1 for plan in batches(sampler(0.5, *corpora, weights=(1.0, 1.0)))])
    assert abs(share - 0.5) < 4 * np.sqrt(0.25 / STEPS)


def test_a_corpus_of_one_language_serves_monolingual_batches_only() -> None:
    corpora = (ToyCorpus.parallel(100, ("en",), name="english"), ToyCorpus.parallel(100, LANGUAGES, name="parallel"))
    plans = batches(sampler(0.5, *corpora), 500)
    assert {plan.corpus for plan in plans if plan.kind == "crosslingual"} == {1}
    assert {plan.corpus for plan in plans if plan.kind == "monolingual"} == {0, 1}


def test_a_corpus_of_several_languages_without_parallel_rows_serves_monolingual_batches_only() -> None:
    separate = ToyCorpus("separate", [("ar",)] * 50 + [("th",)] * 50, range(100))
    plans = batches(sampler(0.5, separate, ToyCorpus.parallel(100, LANGUAGES)), 300)
    assert {plan.corpus for plan in plans if plan.kind == "crosslingual"} == {1}
    assert {plan.corpus for plan in plans if plan.kind == "monolingual"} == {0, 1}


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0, Schedule(start=0, end=0.5)])
def test_languages_and_unused_corpora_are_those_of_the_batches(alpha: float | Schedule) -> None:
    corpora = (
        ToyCorpus.parallel(100, ("el",), name="greek"),
        ToyCorpus("some", [("ar", "th")] * 60 + [("zh",)] * 50, range(110)),
    )
    made = sampler(alpha, *corpora)
    plans = batches(made, 300)
    drawn = {language for plan in plans for language in plan.query_languages + plan.passage_languages}
    assert made.languages == tuple(sorted(drawn))
    assert made.unused == (() if 0 in {plan.corpus for plan in plans} else ("greek",))
    assert bool(made.unused) == (alpha == 0)


def test_a_scheduled_alpha_moves_the_share_over_the_steps() -> None:
    kinds = [plan.kind == "monolingual" for plan in batches(sampler(Schedule(start=1, end=0)))]
    early, late = np.mean(kinds[: STEPS // 4]), np.mean(kinds[-STEPS // 4 :])
    assert early > 0.8
    assert late < 0.2


@pytest.mark.parametrize(
    ("corpus", "alpha", "sentence"),
    [
        (
            ToyCorpus.parallel(5, LANGUAGES),
            0.5,
            "corpus 'toy' has 5 distinct passages in 5 rows in 'ar', fewer than batch_size 8",
        ),
        (
            ToyCorpus.parallel(50, ("en",)),
            0.5,
            "alpha 0.5 asks for cross-lingual batches, but 'toy' has no row in two languages",
        ),
        (
            ToyCorpus("toy", [("th", "zh")] * 5 + [("th",)] * 9 + [("zh",)] * 9, range(23)),
            0.5,
            "has 5 distinct passages in 5 rows in two or more languages, .* 5 or less, or set alpha to 1",
        ),
    ],
)
def test_a_corpus_that_cannot_fill_a_batch_is_refused(corpus: ToyCorpus, alpha: float, sentence: str) -> None:
    with pytest.raises(TaskError, match=sentence):
        sampler(alpha, corpus)


@pytest.mark.parametrize("mixing", ["batch", "pair"])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_a_batch_is_drawn_of_as_many_distinct_passages_as_there_are_and_not_of_more(
    alpha: float, mixing: Mixing
) -> None:
    enough = ToyCorpus("toy", [LANGUAGES] * 400, [min(row, 7) for row in range(400)])  # seven of eight occur once
    for plan in batches(sampler(alpha, enough, mixing=mixing), 20):
        assert sorted(enough.keys(plan.rows).passages) == sorted(set(enough.keys(np.arange(400)).passages))
    fewer = ToyCorpus("toy", [LANGUAGES] * 400, [min(row, 6) for row in range(400)])
    with pytest.raises(TaskError, match=r"has 7 distinct passages in 400 rows in .*: set batch_size to 7 or less"):
        sampler(alpha, fewer, mixing=mixing)


def test_the_batch_size_that_is_asked_for_suits_all_languages_and_pairs_of_them() -> None:
    rows = [("th", "zh")] * 6 + [("th",)] * 9 + [("ar",)] * 7
    corpus = ToyCorpus("toy", rows, [0, 0, 0, 1, 1, 2, *range(3, 19)])
    with pytest.raises(TaskError, match=r"has 3 distinct passages in 6 rows in 'zh', fewer .*: set batch_size to 3 or"):
        sampler(0.5, corpus)
    sampler(0.5, corpus, batch_size=3)


def test_crosslingual_batches_alone_need_no_full_batch_of_any_one_language() -> None:
    rows = [("th", "zh")] * 20 + [("ar", "th")] * 3 + [("ar",)] * 2
    corpora = ToyCorpus("toy", rows, range(25)), ToyCorpus.parallel(3, ("de",), name="german")
    made = sampler(0.0, *corpora)
    assert {language for plan in batches(made, 100) for language in plan.query_languages} == {"ar", "th", "zh"}
    assert made.unused == ("german",)
    for alpha in (Schedule(start=0, end=0.1), 1.0):
        with pytest.raises(TaskError, match="corpus 'toy' has 5 distinct passages in 5 rows in 'ar', fewer"):
            sampler(alpha, *corpora)


def same_language(plan: BatchPlan) -> list[bool]:
    return [q == p for q, p in zip(plan.query_languages, plan.passage_languages, strict=True)]


def test_with_alpha_1_mixing_by_pair_is_x_x_every_pair_of_one_language_and_several_languages_in_a_batch() -> None:
    plans = batches(sampler(1.0, mixing="pair"), 300)
    assert all(all(same_language(plan)) for plan in plans)
    assert all(len(set(plan.query_languages)) > 1 for plan in plans)
    languages = Counter(language for plan in plans for language in plan.query_languages)
    expected = sum(languages.values()) / len(LANGUAGES)
    assert all(abs(languages[language] - expected) < 4 * np.sqrt(expected) for language in LANGUAGES)


def test_with_alpha_0_mixing_by_pair_is_x_y_to_the_last_draw() -> None:
    for by_pair, by_batch in zip(
        batches(sampler(0.0, mixing="pair"), 100), batches(sampler(0.0, mixing="batch"), 100), strict=True
    ):
        assert (by_pair.rows == by_batch.rows).all()
        assert by_pair.query_languages == by_batch.query_languages
        assert by_pair.passage_languages == by_batch.passage_languages


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.75])
def test_mixing_by_pair_makes_alpha_the_share_of_monolingual_pairs_within_batches(alpha: float) -> None:
    plans = batches(sampler(alpha, mixing="pair"))
    counts = np.array([sum(same_language(plan)) for plan in plans])
    assert abs(counts.mean() / 8 - alpha) < 4 * np.sqrt(alpha * (1 - alpha) / (8 * STEPS))
    # Binomial over the 8 pairs of a batch: with mixing by batch every count would be 0 or 8.
    variance = 8 * alpha * (1 - alpha)
    assert counts.var() == pytest.approx(variance, rel=0.15)


def test_trials_that_differ_in_mixing_or_alpha_draw_the_same_rows_of_a_parallel_corpus() -> None:
    made = [batches(sampler(alpha, mixing=mixing), 50) for mixing in ("batch", "pair") for alpha in (0.0, 0.5, 1.0)]
    for plans in zip(*made, strict=True):
        assert all((plan.rows == plans[0].rows).all() for plan in plans)


def test_mixing_by_pair_takes_crosslingual_pairs_from_rows_in_two_languages_and_monolingual_ones_from_all() -> None:
    corpus = ToyCorpus("partial", [("th",)] * 50 + [LANGUAGES] * 50, range(100))
    drawn = [
        (int(row), same)
        for plan in batches(sampler(0.5, corpus, mixing="pair"), 200)
        for row, same in zip(plan.rows, same_language(plan), strict=True)
    ]
    assert all(same for row, same in drawn if row < 50)
    assert {same for row, same in drawn if row >= 50} == {True, False}
    assert abs(np.mean([same for _, same in drawn]) - 0.5) < 4 * np.sqrt(0.25 / len(drawn))


def test_no_passage_is_twice_in_a_batch_mixed_by_pair() -> None:
    corpus = ToyCorpus("partial", [("th",)] * 50 + [LANGUAGES] * 50, [row // 5 for row in range(100)])
    for plan in batches(sampler(0.5, corpus, mixing="pair"), 200):
        assert len(set(corpus.keys(plan.rows).passages)) == len(plan.rows)


def test_mixing_by_pair_refuses_a_corpus_that_has_no_row_in_two_languages() -> None:
    corpora = (ToyCorpus.parallel(100, ("en",), name="english"), ToyCorpus.parallel(100, LANGUAGES))
    with pytest.raises(TaskError, match=r"mixing 'pair' with alpha 0\.5 draws both kinds of pairs in every batch"):
        sampler(0.5, *corpora, mixing="pair")
    assert {plan.corpus for plan in batches(sampler(1.0, *corpora, mixing="pair"), 100)} == {0, 1}


def test_a_plan_carries_the_alpha_of_its_step() -> None:
    plans = batches(sampler(Schedule(start=1, end=0), mixing="pair"))
    assert (plans[0].alpha, plans[-1].alpha) == (1, 0)
    assert plans[STEPS // 2].alpha == pytest.approx(0.5, abs=1e-3)


def test_for_the_alignment_loss_every_query_gets_another_language_of_its_row_uniformly_and_the_pairs_stay() -> None:
    corpus = ToyCorpus("partial", [("th",)] * 20 + [LANGUAGES] * 80, range(100))
    plans = batches(sampler(0.5, corpus, mixing="pair", alignment_weight=1), 500)
    for plan, plain in zip(plans, batches(sampler(0.5, corpus, mixing="pair"), 500), strict=True):
        assert (plan.rows == plain.rows).all()
        assert plan.passage_languages == plain.passage_languages
        assert plain.version_languages == ()
    drawn = [
        (int(row), own, version)
        for plan in plans
        for row, own, version in zip(plan.rows, plan.query_languages, plan.version_languages, strict=True)
    ]
    assert all((version is None) == (row < 20) and version != own for row, own, version in drawn)
    counts = Counter((own, version) for _, own, version in drawn if version)
    assert len(counts) == len(LANGUAGES) * (len(LANGUAGES) - 1)
    for own in LANGUAGES:
        of_own = [count for (query, _), count in counts.items() if query == own]
        assert all(abs(count - np.mean(of_own)) < 4 * np.sqrt(np.mean(of_own)) for count in of_own)


def test_an_alignment_loss_without_a_row_in_two_languages_is_refused() -> None:
    with pytest.raises(TaskError, match="add a parallel corpus or set alignment_weight to 0"):
        sampler(1.0, ToyCorpus.parallel(100, ("th",)), alignment_weight=1)
