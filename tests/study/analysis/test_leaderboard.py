"""The ranked trials, and the ways to make batches beside each other."""

from __future__ import annotations

from typing import Any

import pytest

from study.analysis.formats import metric_name
from study.analysis.groups import ranked, sampling_of
from study.analysis.leaderboard import samplings_table, trials_table
from study.results.trial_result import TrialResult
from study.space.selection import Objective
from tasks.schema import Setting
from tests.study.trial_results import objective, trial_result

OBJECTIVE = objective("validation/multilingual/map")


def trial(number: int, score: float | None, **config: Any) -> TrialResult:
    metrics = {"factbook/monolingual/map": 0.8, "factbook/multilingual/rank_distance": 12.345}
    return trial_result(number, metrics | ({OBJECTIVE.metric: score} if score else {}), **config)


TRIALS = [
    *(trial(0, 0.5, alpha=0), trial(1, 0.6, alpha=0.4), trial(2, 0.7, alpha=1), trial(3, 0.65, alpha=0.6)),
    *(trial(4, None, alpha=0.5), trial(5, 0.2, steps=0)),
]


def test_the_best_comes_first_and_a_trial_without_the_objective_nowhere() -> None:
    assert [result.number for result in ranked(TRIALS, OBJECTIVE)] == [2, 3, 1, 0, 5]


@pytest.mark.parametrize("metric", ["validation/multilingual/rank_distance", "validation/loss"])
def test_where_less_is_better_the_smallest_comes_first(metric: str) -> None:
    results = [trial_result(number, {metric: value}) for number, value in enumerate((3.0, 1.0))]
    assert [result.number for result in ranked(results, objective(metric))] == [1, 0]


def test_a_direction_that_the_user_chose_is_followed() -> None:
    results = [trial_result(number, {OBJECTIVE.metric: value}) for number, value in enumerate((0.3, 0.1))]
    lowest_first = Objective(metric=OBJECTIVE.metric, direction="minimize")
    assert [result.number for result in ranked(results, lowest_first)] == [1, 0]


def test_a_trial_without_steps_is_zero_shot_whatever_its_alpha() -> None:
    samplings = [sampling_of(result.config, result.training_languages) for result in TRIALS]
    assert samplings == ["X-Y", "hybrid", "X-X-mono", "hybrid", "hybrid", "zero-shot"]


def test_every_ranked_trial_is_a_row_the_best_in_bold() -> None:
    table = trials_table(TRIALS, OBJECTIVE, "factbook")
    assert [row[0].text for row in table.rows] == ["2", "3", "1", "0", "5"]
    assert [all(cell.strong for cell in row) for row in table.rows] == [True, False, False, False, False]
    assert table.headings[-2:] == ("mono mAP", "multi rank distance")
    assert [cell.text for cell in table.rows[0][-2:]] == ["0.800", "12.3"]


def test_a_setting_that_was_searched_is_a_column() -> None:
    trials = [trial(0, 0.5, learning_rate=1e-4), trial(1, 0.6, learning_rate=3e-5), trial(2, 0.1, steps=0)]
    table = trials_table(trials, OBJECTIVE, "factbook")
    assert table.headings[3:7] == ("alpha", "temperature", "learning_rate", "seed")
    assert [row[5].text for row in table.rows] == ["3e-05", "0.0001", "–"]


def test_a_model_that_was_not_trained_has_no_settings_of_training() -> None:
    assert [cell.text for cell in trials_table(TRIALS, OBJECTIVE, "factbook").rows[-1]][2:6] == ["zero-shot", *"–––"]


def test_each_way_to_make_batches_shows_its_best_trial() -> None:
    rows = samplings_table(TRIALS, OBJECTIVE, "factbook").rows
    assert [[cell.text for cell in row[1:4]] for row in rows] == [
        *(["X-X-mono", "1", "2"], ["X-Y", "1", "0"], ["hybrid", "3", "3"], ["zero-shot", "1", "5"]),
    ]


def test_with_several_seeds_settings_are_shown_by_their_means_so_that_they_agree_with_order_and_verdict() -> None:
    mono = "factbook/monolingual/map"
    scores = {0: (0.9, 0.5, 0.2), 0.5: (0.6, 0.7, 0.8)}  # alpha 0 has the best seed, and the worse mean
    results = [
        trial_result(3 * group + seed, {OBJECTIVE.metric: score, mono: score / 2}, alpha=alpha, seed=seed)
        for group, (alpha, of_seeds) in enumerate(scores.items())
        for seed, score in enumerate(of_seeds)
    ]
    repeated = trial_result(6, {OBJECTIVE.metric: 0.6, mono: 0.3}, alpha=0.5, seed=0)
    rows = samplings_table([*results, repeated], OBJECTIVE, "factbook").rows
    assert [[cell.text for cell in row[1:4]] for row in rows] == [["X-Y", "3", "0, 1, 2"], ["hybrid", "4", "3, 4, 5"]]
    assert [row[6].value for row in rows] == pytest.approx([1.6 / 6, 2.1 / 6])
    table = trials_table([*results, repeated], OBJECTIVE, "factbook")
    assert "mean over seeds" in table.headings
    at = table.headings.index("mean over seeds")
    assert [row[at].value for row in table.rows] == pytest.approx([0.7] * 4 + [1.6 / 3] * 3)
    assert "mean over seeds" not in trials_table(TRIALS, OBJECTIVE, "factbook").headings


def test_equal_settings_do_not_interleave() -> None:
    results = [trial(n, 0.5, alpha=(0.0, 1.0)[n % 2], seed=n // 2) for n in range(4)]
    assert [result.number for result in ranked(results, OBJECTIVE)] == [0, 2, 1, 3]


def test_metrics_are_written_as_in_papers() -> None:
    names = ("map", "map@20", "ndcg@10", "mrr", "recall@100", "rank_distance", "accuracy")
    written = ("mAP", "mAP@20", "nDCG@10", "MRR", "Recall@100", "rank distance", "Accuracy")
    assert tuple(map(metric_name, names)) == written


def test_a_benchmark_without_the_usual_metrics_has_columns_of_its_own_and_those_of_language_bias() -> None:
    scores = {f"local/{setting}/recall@5": 0.5 for setting in Setting}
    bias = {f"local/multilingual/{name}": 0.1 for name in ("rank_distance", "worst_position")}
    results = [trial_result(0, {OBJECTIVE.metric: 0.5, **scores, **bias, "other/multilingual/map": 0.9})]
    expected = ("mono Recall@5", "cross Recall@5", "multi Recall@5", "multi rank distance")
    for table in (trials_table(results, OBJECTIVE, "local"), samplings_table(results, OBJECTIVE, "local")):
        assert table.headings[-4:] == expected


def test_a_metric_that_this_version_does_not_know_is_no_column() -> None:
    results = [trial_result(0, {OBJECTIVE.metric: 0.5, "local/monolingual/gain": 0.5, "local/accuracy": 0.5})]
    assert trials_table(results, OBJECTIVE, "local").headings[-1] == "validation multi mAP"
