"""The ranked trials, and the ways to make batches beside each other."""

from __future__ import annotations

from typing import Any

from study.analysis.leaderboard import metric_name, ranked, sampling_of, samplings_table, trials_table
from study.config import TrialConfig

OBJECTIVE = "validation/multilingual/map"


def trial(number: int, score: float | None, **config: Any) -> dict[str, Any]:
    settings = TrialConfig.model_validate(config).model_dump(mode="json")
    metrics = {"factbook/monolingual/map": 0.8, "factbook/multilingual/rank_distance": 12.345}
    return {"number": number, "config": settings, "metrics": metrics | ({OBJECTIVE: score} if score else {})}


TRIALS = [
    *(trial(0, 0.5, alpha=0), trial(1, 0.6, alpha=0.4), trial(2, 0.7, alpha=1), trial(3, 0.65, alpha=0.6)),
    *(trial(4, None, alpha=0.5), trial(5, 0.2, steps=0)),
]


def test_the_best_comes_first_and_a_trial_without_the_objective_nowhere() -> None:
    assert [result["number"] for result in ranked(TRIALS, OBJECTIVE)] == [2, 3, 1, 0, 5]


def test_where_less_is_better_the_smallest_comes_first() -> None:
    results = [{"number": i, "metrics": {"validation/multilingual/rank_distance": v}} for i, v in enumerate((3.0, 1.0))]
    assert [result["number"] for result in ranked(results, "validation/multilingual/rank_distance")] == [1, 0]


def test_the_smallest_validation_loss_comes_first() -> None:
    results = [{"number": i, "metrics": {"validation/loss": v}} for i, v in enumerate((3.0, 1.0))]
    assert [result["number"] for result in ranked(results, "validation/loss")] == [1, 0]


def test_a_trial_without_steps_is_zero_shot_whatever_its_alpha() -> None:
    assert [sampling_of(result) for result in TRIALS] == ["X-Y", "hybrid", "X-X-mono", "hybrid", "hybrid", "zero-shot"]


def test_every_ranked_trial_is_a_row_the_best_in_bold() -> None:
    table = trials_table(TRIALS, OBJECTIVE, "factbook")
    assert [row[0].text for row in table.rows] == ["2", "3", "1", "0", "5"]
    assert [all(cell.strong for cell in row) for row in table.rows] == [True, False, False, False, False]
    assert table.headings[-2:] == ("mono mAP", "multi rank distance")
    assert [cell.text for cell in table.rows[0][-2:]] == ["0.800", "12.3"]


def test_each_way_to_make_batches_shows_its_best_trial() -> None:
    rows = samplings_table(TRIALS, OBJECTIVE, "factbook").rows
    assert [[cell.text for cell in row[1:4]] for row in rows] == [
        *(["X-X-mono", "1", "2"], ["X-Y", "1", "0"], ["hybrid", "3", "3"], ["zero-shot", "1", "5"]),
    ]


def test_metrics_are_written_as_in_papers() -> None:
    names = ("map", "map@20", "ndcg@10", "mrr", "recall@100", "rank_distance", "accuracy")
    written = ("mAP", "mAP@20", "nDCG@10", "MRR", "Recall@100", "rank distance", "Accuracy")
    assert tuple(map(metric_name, names)) == written
