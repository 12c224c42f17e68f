"""Facts about Pareto fronts, against Optuna's."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest

from study.analysis.leaderboard import MARK, front, front_data, front_table
from study.results.trial_result import TrialResult
from study.space.selection import Objective
from tests.study.trial_results import trial_result

MAP = Objective(metric="validation/multilingual/map", direction="maximize")
MONO = Objective(metric="validation/monolingual/map", direction="maximize")
DISTANCE = Objective(metric="validation/multilingual/rank_distance", direction="minimize")


def results(values: Any, objectives: list[Objective]) -> list[TrialResult]:
    metrics = [objective.metric for objective in objectives]
    return [trial_result(number, dict(zip(metrics, row, strict=True))) for number, row in enumerate(values)]


@pytest.mark.parametrize("objectives", [[MAP, DISTANCE], [MONO, MAP, DISTANCE], [MAP]])
def test_the_front_is_optunas(objectives: list[Objective]) -> None:
    # Coarse values, so that trials tie in one objective, and in all.
    values = np.random.default_rng(0).integers(0, 6, (40, len(objectives))).astype(float)
    study = optuna.create_study(directions=[objective.direction for objective in objectives])
    for row in values:
        study.add_trial(optuna.trial.create_trial(values=list(row)))
    wanted = {trial.number for trial in study.best_trials}
    if len(objectives) == 1:  # Optuna gives one best trial then, and we all that are equal
        wanted = set(np.flatnonzero(values[:, 0] == values.max()).tolist())
    assert {result.number for result in front(results(values, objectives), objectives)} == wanted


def test_the_table_marks_the_front_and_shows_it_first_best_first() -> None:
    objectives = [MAP, DISTANCE]
    table = front_table(results([(0.1, 90.0), (0.5, 100.0), (0.4, 50.0), (0.3, 60.0)], objectives), objectives)
    assert [(row[1].text, row[0].text) for row in table.rows] == [(MARK, "1"), (MARK, "2"), ("", "3"), ("", "0")]
    assert table.headings[-2:] == ("validation multi mAP", "validation multi rank distance")
    assert [row[-1].text for row in table.rows] == ["100.0", "50.0", "60.0", "90.0"]


def test_a_trial_without_one_of_the_objectives_is_on_no_front() -> None:
    whole = results([(0.1, 90.0)], [MAP, DISTANCE])
    assert front_data([*whole, trial_result(1, {MAP.metric: 0.5})], [MAP, DISTANCE])["front"] == [
        {"number": 0, "values": {MAP.metric: 0.1, DISTANCE.metric: 90.0}}
    ]
