"""Groups: trials that differ only by seed, and which of them stand for their kind."""

from __future__ import annotations

from typing import Any

import pytest

from study.analysis.groups import Group, groups_of, ranked, representatives
from study.config import TrialConfig
from study.results.trial_result import TrialResult
from tests.study.trial_results import objective, trial_result

OBJECTIVE = "validation/multilingual/map"


def trial(number: int, score: float = 0.5, metric: str = OBJECTIVE, **config: Any) -> TrialResult:
    return trial_result(number, {metric: score}, **config)


def numbers(groups: tuple[Group, ...]) -> list[tuple[int, ...]]:
    return [group.numbers for group in groups]


def test_trials_that_differ_only_by_seed_are_one_group() -> None:
    results = [trial(0, seed=0), trial(1, alpha=0.3), trial(2, seed=1), trial(3, seed=1, batch_size=64)]
    assert numbers(groups_of(results)) == [(0, 2), (1,), (3,)]


def test_a_point_that_was_drawn_twice_is_one_seed_and_stays_in_the_ranking() -> None:
    results = [trial(0, 0.5), trial(1, 0.9, seed=1), trial(2, 0.5), trial(3, 0.9, seed=1)]
    (group,) = groups_of(results)
    assert group.numbers == (0, 1)
    assert [result.number for result in group.repeats] == [2, 3]
    assert group.mean(OBJECTIVE) == pytest.approx(0.7)
    assert all(group.holds(number) for number in range(4))
    assert not group.holds(4)
    assert [result.number for result in ranked(results, objective(OBJECTIVE))] == [1, 3, 0, 2]


@pytest.mark.parametrize(
    "corpus",
    [
        {"name": "lareqa", "path": "/data", "languages": ["en"]},
        {"name": "parallel_jsonl", "path": "/data/train.jsonl", "languages": ["eng"]},
        {"name": "dataset", "path": "/data/en.jsonl", "language": "en"},
        {"name": "dataset", "path": "/data/en.csv", "columns": {"en-GB": {"query": "q", "passage": "p"}}},
    ],
    ids=["languages", "another spelling", "language", "columns"],
)
def test_training_on_english_alone_is_en_en_however_it_is_written(corpus: dict[str, Any]) -> None:
    (group,) = groups_of([trial(0, alpha=1, corpora=[corpus])])
    assert group.label == "En-En"
    both = {"name": "lareqa", "path": "/data"}
    assert groups_of([trial(0, alpha=1, corpora=[corpus, both])])[0].label == "X-X-mono"


def test_training_on_data_that_is_english_without_saying_so_is_en_en() -> None:
    corpus = {"name": "parallel_jsonl", "path": "/data/train.jsonl"}
    english = trial(0, alpha=1, corpora=[corpus]).model_copy(update={"training_languages": ("en",)})
    thai = trial(0, alpha=1, corpora=[corpus]).model_copy(update={"training_languages": ("en", "th")})
    assert [groups_of([each])[0].label for each in (english, thai)] == ["En-En", "X-X-mono"]


def test_a_group_is_labelled_by_how_it_makes_batches() -> None:
    settings: tuple[dict[str, Any], ...] = (
        {"alpha": 1},
        {"alpha": 0},
        {"alpha": 0.3},
        {"alpha": {"start": 1, "end": 0.2}},
        {"steps": 0},
    )
    labels = [groups_of([trial(0, **config)])[0].label for config in settings]
    assert labels == ["X-X-mono", "X-Y", "hybrid (alpha 0.3)", "hybrid (alpha 1→0.2)", "zero-shot"]


def test_most_seeds_come_before_the_best_score_and_the_best_mean_before_others() -> None:
    results = [
        *(trial(0, 0.9, alpha=0.1), trial(1, 0.5, alpha=0.2), trial(2, 0.7, alpha=0.2, seed=1)),
        *(trial(3, 0.8, alpha=0.3), trial(4, 0.3, alpha=0.3, seed=1), trial(5, 0.1, alpha=1)),
    ]
    standing = representatives(groups_of(results), objective(OBJECTIVE))
    backbone = TrialConfig().backbone
    assert {key: group.numbers for key, group in standing.items()} == {
        (backbone, "hybrid"): (1, 2),
        (backbone, "X-X-mono"): (5,),
    }


def test_where_less_is_better_the_lowest_stands_for_its_kind() -> None:
    for metric in ("validation/multilingual/rank_distance", "validation/loss"):
        results = [trial(0, 0.5, metric, alpha=0.2), trial(1, 0.2, metric, alpha=0.4)]
        (group,) = representatives(groups_of(results), objective(metric)).values()
        assert group.numbers == (1,)


def test_the_mean_is_over_seeds_and_missing_where_a_trial_has_no_figure() -> None:
    (group,) = groups_of([trial(0, 0.25), trial(1, 0.75, seed=1)])
    assert group.mean(OBJECTIVE) == 0.5
    assert group.mean("xquad_r/multilingual/map") is None


def test_a_setting_is_ranked_by_its_mean_over_seeds_so_that_a_lucky_seed_does_not_decide() -> None:
    lucky = [trial(0, 0.9, seed=0, alpha=0.1), trial(1, 0.1, seed=1, alpha=0.1)]
    steady = [trial(2, 0.7, seed=0, alpha=0.2), trial(3, 0.8, seed=1, alpha=0.2)]
    best_first = ranked([*lucky, *steady], objective(OBJECTIVE))
    assert [result.number for result in best_first] == [3, 2, 0, 1]


def test_a_setting_that_lacks_seeds_comes_after_those_that_have_all() -> None:
    """A single seed has more chances to be high than the mean of three."""
    results = [trial(number, 0.5 + number / 100, alpha=0.5, seed=number) for number in range(3)]
    lucky, untrained = trial(3, 0.9, alpha=0.25, seed=0), trial(4, 0.6, steps=0)
    ordered = ranked([*results, lucky, untrained], objective(OBJECTIVE))
    assert [result.number for result in ordered] == [4, 2, 1, 0, 3]


def test_settings_with_more_of_the_planned_seeds_come_first_though_most_have_a_single_one_left() -> None:
    """Early stopping leaves the lucky seeds."""
    left = [trial(number, 0.9 - number / 100, alpha=number / 10) for number in range(1, 5)]
    two = [trial(5 + seed, 0.6, alpha=0.5, seed=seed) for seed in range(2)]
    whole = [trial(7 + seed, 0.5, alpha=0.6, seed=seed) for seed in range(3)]
    ordered = ranked([*left, *two, *whole], objective(OBJECTIVE), seeds=3)
    assert [result.number for result in ordered] == [7, 8, 9, 5, 6, 1, 2, 3, 4]


def test_a_model_that_was_not_trained_is_not_first_because_no_setting_has_all_seeds_yet() -> None:
    untrained, left = trial(0, 0.3, steps=0), [trial(1, 0.8, alpha=0.1), trial(2, 0.9, alpha=0.2)]
    assert [result.number for result in ranked([untrained, *left], objective(OBJECTIVE), seeds=3)] == [2, 1, 0]
