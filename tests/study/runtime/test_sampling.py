"""Facts about drawing: trial n is a function of the seed, n and the trials before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from study.runtime.sampling import Drawn, draw_trial
from study.space.strict_yaml import SpaceError
from study.space.study_config import StudyConfig, parse

SPACE = {
    "backbone": {"type": "categorical", "choices": ["builtin/xlmr-tiny", "builtin/labse-tiny"]},
    "alpha": {"type": "float", "low": 0, "high": 1, "step": 0.1},
    "temperature": {"type": "float", "low": 0.01, "high": 0.2, "log": True},
    "seed": {"type": "int", "low": 0, "high": 99},
}
optuna.logging.set_verbosity(optuna.logging.WARNING)  # as the record does
SAMPLERS = ("random", "tpe", "tpe-multivariate")


def config(sampler: str = "tpe", space: dict[str, Any] | None = None, **search: Any) -> StudyConfig:
    given = {"sampler": sampler, "trials": 50, "startup": 3, "space": space or SPACE, **search}
    return parse({"trial": {"steps": 400}, "search": given}, "space")


def ended(drawn: Drawn, value: float) -> FrozenTrial:
    return optuna.trial.create_trial(value=value, params=drawn.params, distributions=drawn.distributions)


def history(study: StudyConfig, length: int, best: float = 0.8) -> list[FrozenTrial]:
    """Return trials whose score is the better the nearer their alpha is to `best`."""
    trials: list[FrozenTrial] = []
    for number in range(length):
        drawn = draw_trial(study, number, trials)
        trials.append(ended(drawn, -abs(drawn.values["alpha"] - best)))
    return trials


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_number_and_history_draw_the_same_and_another_number_or_seed_does_not(sampler: str) -> None:
    study = config(sampler)
    trials = history(study, 8)
    drawn = draw_trial(study, 8, trials)
    assert drawn == draw_trial(study, 8, trials)
    assert drawn.values != draw_trial(study, 9, trials).values
    assert drawn.values != draw_trial(config(sampler, seed=1), 8, trials).values


def test_random_search_does_not_look_at_other_trials_and_tpe_does() -> None:
    for sampler, looks in {"random": False, "tpe": True, "tpe-multivariate": True}.items():
        study = config(sampler)
        trials = history(study, 20)
        assert (draw_trial(study, 20, trials).values != draw_trial(study, 20, ()).values) == looks


@pytest.mark.parametrize("sampler", ["tpe", "tpe-multivariate"])
def test_tpe_comes_nearer_to_what_scored_well_than_random_search(sampler: str) -> None:
    def distance(name: str) -> float:
        studies = [history(config(name, seed=seed), 40) for seed in range(4)]
        return float(-np.mean([trial.value or 0 for trials in studies for trial in trials[20:]]))

    assert distance(sampler) < 0.5 * distance("random")


def test_a_point_is_given_to_the_trial_of_its_number_and_leaves_the_rest_to_the_sampler() -> None:
    study = config(first=[{"alpha": 0.3}, {"alpha": 1, "seed": 7}])
    drawn = [draw_trial(study, number, ()).values for number in range(3)]
    assert [values["alpha"] for values in drawn[:2]] == [0.3, 1.0]
    assert drawn[1]["seed"] == 7
    assert len({values["temperature"] for values in drawn}) == 3
    assert draw_trial(config(), 2, ()).values == drawn[2]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("seeds", [1, 2])
def test_zero_shot_trials_come_first_and_the_others_are_drawn_as_without_them(sampler: str, seeds: int) -> None:
    space = {name: SPACE[name] for name in ("backbone", "alpha", "temperature")}
    with_them, without = (config(sampler, space, seeds=seeds, zero_shot=zero_shot) for zero_shot in (True, False))
    trials = history(without, 12)
    first = [draw_trial(with_them, number, ()) for number in range(2)]
    assert [drawn.values for drawn in first] == [
        {"steps": 0, "backbone": name} for name in ("builtin/xlmr-tiny", "builtin/labse-tiny")
    ]
    before = [ended(drawn, 0.99) for drawn in first]  # better than any other: no sampler is drawn to its alpha
    assert all(
        draw_trial(with_them, number + 2, [*before, *trials[:number]]) == draw_trial(without, number, trials[:number])
        for number in range(13)
    )


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("seeds", [1, 2])
def test_a_point_is_drawn_once_while_a_small_space_has_others(sampler: str, seeds: int) -> None:
    space = {
        "query_prefix": {"type": "categorical", "choices": ["คำถาม: ", "问题：", "سؤال: "]},
        "alpha": {"type": "float", "low": 0, "high": 1, "step": 1},
    }
    for seed in range(5):
        study = config(sampler, space, trials=6, seeds=seeds, seed=seed, first=[{"query_prefix": "问题："}])
        drawn = [str(sorted(trial.params.items())) for trial in history(study, 6 * seeds)]
        assert len(set(drawn)) == 6
        assert drawn[::seeds] == drawn[seeds - 1 :: seeds]


def test_points_are_drawn_again_where_a_study_has_more_trials_than_points() -> None:
    assert len(history(config("tpe", {"alpha": SPACE["alpha"]}, trials=15), 15)) == 15


def test_a_trial_cut_short_counts_as_running_not_as_new() -> None:
    study = config("tpe")
    trials = history(study, 10)
    drawn = draw_trial(study, 10, trials)
    running = optuna.trial.create_trial(
        state=TrialState.RUNNING, params=drawn.params, distributions=drawn.distributions
    )
    assert draw_trial(study, 11, [*trials, running]).values != drawn.values


def test_branches_are_parameters_of_their_own() -> None:
    rates = [
        {"when": {"backbone": name}, "type": "float", "low": low, "high": high, "log": True}
        for name, low, high in (("builtin/xlmr-tiny", 1e-3, 1e-2), ("builtin/labse-tiny", 1e-5, 1e-4))
    ]
    study = config("tpe-multivariate", {**SPACE, "learning_rate": rates})
    trials = history(study, 25)
    names = {name for trial in trials for name in trial.params if name.startswith("learning_rate")}
    assert names == {"learning_rate[backbone=builtin/xlmr-tiny]", "learning_rate[backbone=builtin/labse-tiny]"}
    for number in range(25, 35):
        values = draw_trial(study, number, trials).values
        high = 1e-2 if values["backbone"] == "builtin/xlmr-tiny" else 1e-4
        assert high / 10 <= values["learning_rate"] <= high


def test_long_names_of_branches_fit_the_columns_of_databases_and_points_stored_under_whole_names_are_repeated() -> None:
    prefixes = [[f"{start}{'ยาว' * 90}{end}: " for end in range(2)] for start in ("ถาม", "问")]
    space = {
        "query_prefix": {"type": "categorical", "choices": [*prefixes[0], *prefixes[1]]},
        "alpha": [
            {"when": {"query_prefix": choices}, "type": "float", "low": low, "high": low + 0.5}
            for choices, low in zip(prefixes, (0, 0.5), strict=True)
        ],
    }
    study = config("random", space, seeds=2)
    names = {branch.name for branch in study.search.space[1]}
    assert len(names) == 2
    assert {len(name) for name in names} == {512}
    drawn = draw_trial(study, 0, ())
    whole = {f"alpha[query_prefix={'|'.join(choices)}]"[:495]: choices for choices in prefixes}
    stored = {
        f"alpha[query_prefix={'|'.join(whole[name[:495]])}]" if name in names else name: value
        for name, value in drawn.params.items()
    }
    assert max(map(len, stored)) > 512
    assert draw_trial(study, 0, (), stored) == drawn


def test_a_stepped_float_is_drawn_as_written() -> None:
    drawn = [draw_trial(config("random"), number, ()) for number in range(40)]
    assert {trial.values["alpha"] for trial in drawn} <= {index / 10 for index in range(11)}
    assert all(trial.params["alpha"] == trial.values["alpha"] for trial in drawn)


def test_a_choice_that_is_a_mapping_is_kept_as_text_and_given_as_a_mapping() -> None:
    schedule = {"start": 1.0, "end": 0.0}
    study = config("random", {"alpha": {"type": "categorical", "choices": [schedule]}})
    drawn = draw_trial(study, 0, ())
    assert drawn.values == {"alpha": schedule}
    assert drawn.params == {"alpha": '{"end": 0.0, "start": 1.0}'}


def test_several_objectives_draw_as_well() -> None:
    study = parse(
        {
            "search": {"sampler": "tpe", "trials": 9, "startup": 2, "space": SPACE},
            "objective": ["validation/monolingual/map", "validation/multilingual/rank_distance"],
        },
        "space",
    )
    trials: list[FrozenTrial] = []
    for number in range(6):
        drawn = draw_trial(study, number, trials)
        values = [drawn.values["alpha"], 100 * drawn.values["alpha"]]
        trials.append(optuna.trial.create_trial(values=values, params=drawn.params, distributions=drawn.distributions))
    assert draw_trial(study, 6, trials) == draw_trial(study, 6, trials)


REPEATED = {key: value for key, value in SPACE.items() if key != "seed"}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_seeds_repeat_every_point_with_the_next_seeds_and_leave_the_points_as_they_are(sampler: str) -> None:
    study = config(sampler, REPEATED, trials=7, seeds=3)
    assert study.search.trials == 21
    trials: list[FrozenTrial] = []
    values: list[dict[str, Any]] = []
    for number in range(21):
        drawn = draw_trial(study, number, trials)
        trials.append(ended(drawn, -drawn.values["alpha"]))
        values.append(drawn.values)
    assert [value.pop("seed") for value in values] == [0, 1, 2] * 7
    points = [values[number : number + 3] for number in range(0, 21, 3)]
    assert all(first == second == third for first, second, third in points)
    assert len({str(first) for first, _, _ in points}) > 1


def test_seeds_count_up_from_the_trials_own_seed_and_repeat_a_grid() -> None:
    space = {"alpha": {"type": "float", "low": 0, "high": 1, "step": 0.5}}
    search = {"sampler": "grid", "seeds": 2, "space": space}
    study = parse({"trial": {"steps": 400, "seed": 10}, "search": search}, "space")
    trials: list[FrozenTrial] = []
    for number in range(study.search.trials):
        trials.append(ended(draw_trial(study, number, trials), 0.5))
    drawn = [draw_trial(study, number, trials).values for number in range(study.search.trials)]
    assert [(value["alpha"], value["seed"]) for value in drawn] == [
        (alpha, seed) for alpha in (0.0, 0.5, 1.0) for seed in (10, 11)
    ]


def test_a_seed_in_quotes_counts_up_too() -> None:
    search = {"sampler": "random", "trials": 1, "seeds": 2, "space": REPEATED}
    study = parse({"trial": {"seed": "10"}, "search": search}, "space")
    first = draw_trial(study, 0, [])
    second = draw_trial(study, 1, [ended(first, 0.5)])
    assert [first.values["seed"], second.values["seed"]] == [10, 11]


def test_a_searched_seed_beside_seeds_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"remove it from search\.space, or set seeds to 1"):
        config("tpe", seeds=3)
