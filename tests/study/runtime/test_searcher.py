"""Facts about the searcher and its record: what is handed out, what is kept, and what survives a SIGKILL."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from study.config import TrialConfig
from study.runtime.messages import Failure, FinalReport, TrainingReport
from study.runtime.record import Record
from study.space import study_config
from study.space.strict_yaml import SpaceError
from study.space.study_config import SHIPPED
from tests.study.toy_study import METRIC, SEARCHES, SPACE, STEPS, Countdown, Killed, Tune, reports, study_of, table


def undisturbed(search: str, folder: Path) -> list[tuple[Any, ...]]:
    (folder / "calm").mkdir()
    return table(Tune(study_of(search), folder / "calm").run())


@pytest.mark.parametrize("search", SEARCHES)
def test_a_study_killed_before_any_commit_ends_as_if_undisturbed(search: str, folder: Path) -> None:
    expected = undisturbed(search, folder)
    assert len(expected) == study_of(search).search.trials
    kills = 0
    for moments in itertools.count(1, 9):  # more and more commits between two kills
        try:
            trials = Tune(study_of(search), folder, moment=Countdown(moments)).run()
            break
        except Killed:
            kills += 1
    assert table(trials) == expected
    assert kills > 8


@pytest.mark.parametrize("search", ["grid", "random"])
def test_grid_and_random_studies_end_alike_with_any_number_of_trials_at_once(search: str, folder: Path) -> None:
    expected = undisturbed(search, folder)
    for at_once, moments in ((3, 60), (2, 130)):
        with pytest.raises(Killed):
            Tune(study_of(search), folder, at_once, Countdown(moments)).run()
    assert table(Tune(study_of(search), folder, at_once=4).run()) == expected


def test_a_grid_visits_every_combination_once_with_several_trials_at_once(folder: Path) -> None:
    trials = Tune(study_of("grid"), folder, at_once=3).run()
    visited = [(trial.params["backbone"], trial.params["alpha"]) for trial in trials]
    assert visited == list(itertools.product(SPACE["backbone"]["choices"], [0, 0.25, 0.5, 0.75, 1]))


def test_first_points_come_first_once_each_even_when_the_study_starts_again_and_again(folder: Path) -> None:
    for moments in (3, 8, 40):
        with pytest.raises(Killed):
            Tune(study_of("tpe"), folder, 2, Countdown(moments)).run()
    trials = Tune(study_of("tpe"), folder).run()
    points = [(trial.params["backbone"], trial.params["alpha"]) for trial in trials]
    assert points[:4] == list(itertools.product(SPACE["backbone"]["choices"], [0, 0.5]))
    assert len(trials) == 9


def test_trials_cut_short_come_first_with_their_numbers_and_values_and_ended_ones_do_not_come_again(
    folder: Path,
) -> None:
    tune = Tune(study_of("random"), folder, 2, Countdown(200))
    with pytest.raises(Killed):
        tune.run()
    states = {trial.number: trial.state for trial in tune.record.trials()}
    cut = [number for number, state in states.items() if state == TrialState.RUNNING]
    assert 0 < len(cut) < len(states)
    again = Tune(study_of("random"), folder)
    assert again.searcher.remaining == len(cut) + 8 - len(states)
    again.run()
    assert [given["number"] for given in again.handed_out] == [*cut, *range(len(states), 8)]
    before = {given["number"]: given["trial"] for given in tune.handed_out}
    assert [before[number] for number in cut] == [given["trial"] for given in again.handed_out[: len(cut)]]
    assert again.searcher.remaining == 0


def test_a_trial_cut_short_is_handed_out_with_the_last_step_whose_score_is_on_record(folder: Path) -> None:
    tune = Tune(study_of("random"), folder)
    tune.searcher.suggest("a")
    assert not tune.searcher.observe("a", TrainingReport(20, {METRIC: 0.5}))
    again = Tune(study_of("random"), folder)
    for trial_id in ("b", "c"):
        again.handed_out.append(again.searcher.suggest(trial_id))  # type: ignore[arg-type]  # not FINISHED
    assert [(given["number"], given["recorded_step"]) for given in again.handed_out] == [(0, 20), (1, 0)]


def test_a_suggestion_is_a_number_and_a_whole_trial_as_plain_data(folder: Path) -> None:
    tune = Tune(study_of("random"), folder)
    tune.run()
    given = tune.handed_out[0]
    trial = TrialConfig.model_validate(given["trial"])
    assert trial.model_dump(mode="json") == given["trial"]
    assert (trial.steps, trial.alpha, trial.backbone) == (STEPS[-1], 0.0, "builtin/xlmr-tiny")


def test_the_finished_record_opens_in_optuna_with_every_figure(folder: Path) -> None:
    Tune(study_of("random"), folder).run()
    study = optuna.load_study(study_name="toy", storage=f"sqlite:///{folder}/optuna.db")
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    for trial in study.trials:
        *scores, final = reports(trial.user_attrs["trial"])
        assert trial.value == final.metrics[METRIC]
        assert trial.intermediate_values == {report.step: report.metrics[METRIC] for report in scores}
        figures = {key: value for key, value in trial.user_attrs.items() if key != "trial"}
        assert figures == {**final.metrics, "step": final.step}
    assert study.metric_names == [METRIC]


def started(folder: Path, **search: Any) -> Tune:
    """Return a study whose first trial has been handed out as `a`."""
    tune = Tune(study_of({**SEARCHES["random"], **search}), folder)
    tune.searcher.suggest("a")
    return tune


def test_a_diverged_trial_stops_is_recorded_as_failed_with_its_reason_and_never_runs_again(folder: Path) -> None:
    tune = started(folder)
    assert tune.searcher.observe("a", Failure("the loss is NaN at step 10"))
    tune.searcher.on_trial_complete("a")
    trial = tune.record.trial(0)
    assert (trial.state, trial.user_attrs["error"]) == (TrialState.FAIL, "the loss is NaN at step 10")
    again = Tune(study_of("random"), folder)
    assert len(again.run()) == 8
    assert [given["number"] for given in again.handed_out] == [1, 2, 3, 4, 5, 6, 7]


def test_a_trial_that_lacked_data_stays_unfinished_with_its_reason_and_a_resumed_study_starts_with_it(
    folder: Path,
) -> None:
    tune = started(folder)
    assert tune.searcher.observe("a", Failure("there is no folder", resumable=True))
    tune.searcher.on_trial_complete("a")
    trial = tune.record.trial(0)
    assert (trial.state, trial.user_attrs["error"]) == (TrialState.RUNNING, "there is no folder")
    again = Tune(study_of("random"), folder)
    assert [trial.state for trial in again.run()] == [TrialState.COMPLETE] * 8
    assert [given["number"] for given in again.handed_out] == list(range(8))
    assert again.record.trial(0).user_attrs["error"] is None


def ended(tune: Tune, unfinished: str, most: int = 20) -> int:
    """Let trials end one after another, `x` of them unfinished; return how many were handed out."""
    for number, how in enumerate(unfinished.ljust(most, "x")):
        given = tune.searcher.suggest(f"{how}{number}")
        if not isinstance(given, dict):
            return number
        final = FinalReport(STEPS[-1], {METRIC: 0.5})
        report = Failure("backbone 'ไทย' is not on this node", resumable=True) if how == "x" else final
        tune.searcher.observe(f"{how}{number}", report)
        tune.searcher.on_trial_complete(f"{how}{number}")
    return most


@pytest.mark.parametrize(
    ("search", "at_once", "unfinished", "drawn"),
    [("tpe", 1, "", 3), ("tpe", 5, "", 5), ("tpe", 1, "xx.", 6), ("random", 1, "", 8), ("grid", 1, "", 10)],
)
def test_a_sampler_that_learns_draws_no_more_after_several_trials_in_a_row_that_a_node_could_not_finish(
    search: str, at_once: int, unfinished: str, drawn: int, folder: Path
) -> None:
    tune = Tune(study_of(search), folder, at_once)
    assert ended(tune, unfinished) == len(tune.record.trials()) == drawn
    assert bool(tune.searcher.gave_up) == (search == "tpe")


def test_trials_that_still_run_on_other_nodes_decide_whether_more_are_drawn(folder: Path) -> None:
    tune = Tune(study_of("tpe"), folder, at_once=3)
    assert isinstance(tune.searcher.suggest("good"), dict)
    assert ended(tune, "xxx") == 3
    assert tune.searcher.suggest("later") is None
    tune.searcher.observe("good", FinalReport(STEPS[-1], {METRIC: 0.5}))
    tune.searcher.on_trial_complete("good")
    assert isinstance(tune.searcher.suggest("later"), dict)
    assert tune.searcher.gave_up < 3
    tune.searcher.observe("later", FinalReport(STEPS[-1], {METRIC: 0.5}))
    tune.searcher.on_trial_complete("later")
    assert ended(tune, "xxx") == 3
    assert tune.searcher.suggest("last") == tune.searcher.FINISHED
    assert tune.searcher.gave_up == 3


def test_trials_that_cannot_be_resumed_yet_do_not_keep_a_study_from_new_ones(folder: Path) -> None:
    assert ended(Tune(study_of("tpe"), folder), "") == 3
    again = Tune(study_of("tpe"), folder)
    assert ended(again, "xxx......") == 9
    assert not again.searcher.gave_up
    assert len(again.record.trials()) == 9
    assert [trial.state for trial in Tune(study_of("tpe"), folder).run()] == [TrialState.COMPLETE] * 9


def test_an_objective_that_is_not_a_number_fails_its_trial(folder: Path) -> None:
    tune = started(folder)
    assert not tune.searcher.observe("a", FinalReport(40, {METRIC: float("nan")}))
    trial = tune.record.trial(0)
    assert (trial.state, trial.user_attrs["error"]) == (TrialState.FAIL, f"{METRIC} is not a number")


def test_figures_that_are_not_finite_are_left_out_since_no_json_reader_takes_them(folder: Path) -> None:
    tune = started(folder)
    final = {METRIC: 0.5, "xquad_r/multilingual/rank_distance": float("nan"), "speed": float("inf")}
    tune.searcher.observe("a", FinalReport(40, final))
    assert set(tune.record.trial(0).user_attrs) == {"trial", "step", METRIC}


def test_a_trial_lost_to_its_machine_is_noted_stays_running_and_goes_on_in_the_next_run(folder: Path) -> None:
    tune = started(folder)
    tune.searcher.on_trial_error("a", "ActorDiedError: the node is gone")
    tune.searcher.on_trial_complete("a", error=True)
    lost = tune.record.trial(0)
    assert (lost.state, lost.user_attrs["error"]) == (TrialState.RUNNING, "ActorDiedError: the node is gone")
    following = tune.searcher.suggest("b")
    assert isinstance(following, dict)
    assert following["number"] == 1
    again = Tune(study_of("random"), folder)
    trials = again.run()
    assert [given["number"] for given in again.handed_out[:2]] == [0, 1]
    assert trials[0].state == TrialState.COMPLETE
    assert trials[0].user_attrs["error"] is None


def test_a_trial_that_ends_without_its_final_report_says_so_and_stays_to_be_resumed(folder: Path) -> None:
    tune = started(folder)
    tune.searcher.observe("a", TrainingReport(10, {METRIC: 0.1}))
    tune.searcher.on_trial_complete("a")
    trial = tune.record.trial(0)
    assert trial.state == TrialState.RUNNING
    assert trial.user_attrs["error"] == "the trial ended without its final report"


def test_a_final_report_said_twice_or_followed_by_an_error_counts_once(folder: Path) -> None:
    tune = started(folder)
    assert not tune.searcher.observe("a", FinalReport(40, {METRIC: 0.5}))
    assert not tune.searcher.observe("a", FinalReport(40, {METRIC: 0.6}))
    tune.searcher.on_trial_complete("a", error=True)
    trial = tune.record.trial(0)
    assert (trial.state, trial.value, "error" in trial.user_attrs) == (TrialState.COMPLETE, 0.5, False)


def test_values_that_do_not_go_together_are_recorded_as_failed_and_the_next_trial_is_drawn(folder: Path) -> None:
    space = {
        "batch_size": {"type": "int", "low": 30, "high": 36, "step": 2},
        "resources.workers": {"type": "categorical", "choices": [1, 2, 3]},
    }
    config = study_of({"sampler": "random", "trials": 20, "space": {"alpha": SPACE["alpha"], **space}})
    tune = Tune(config, folder)
    trials = tune.run()
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    assert [t.number for t in failed] == [
        t.number for t in trials if t.params["batch_size"] % t.params["resources.workers"]
    ]
    assert 0 < len(failed) < 20
    assert all("cannot be shared equally by 3 workers" in trial.user_attrs["error"] for trial in failed)
    assert len(tune.handed_out) + len(failed) == len(trials) == 20


def test_several_objectives_give_optuna_their_pareto_front(folder: Path) -> None:
    metrics = [METRIC, "validation/multilingual/rank_distance"]
    tune = Tune(study_of("random", objective=metrics), folder)
    values = [(0.5, 90.0), (0.6, 95.0), (0.4, 80.0), (0.4, 85.0), (0.6, 99.0), (0.3, 80.0), (0.7, 120.0), (0.1, 70.0)]
    for number, point in enumerate(values):
        tune.searcher.suggest(str(number))
        assert not tune.searcher.observe(str(number), TrainingReport(10, {METRIC: 0.0, metrics[1]: 1e9}))
        tune.searcher.observe(str(number), FinalReport(40, dict(zip(metrics, point, strict=True))))
    front = {
        number
        for number, (score, distance) in enumerate(values)
        if not any((s >= score and d <= distance) and (s, d) != (score, distance) for s, d in values)
    }
    assert {trial.number for trial in tune.record.study.best_trials} == front
    assert tune.record.study.metric_names == metrics


def test_another_search_space_is_refused_and_a_larger_budget_is_not(folder: Path) -> None:
    Tune(study_of("random"), folder).run()
    other = {**SEARCHES["random"], "seed": 1}
    with pytest.raises(SpaceError, match=r"toy\.yaml: 'search\.seed' is 1 but the study 'toy' was started with None"):
        Record(study_of(other), f"sqlite:///{folder}/optuna.db", "toy")
    source = study_of("random").source
    adapted = {**source, "trial": {**source["trial"], "lora": {}}}
    with pytest.raises(SpaceError, match=r"toy\.yaml: 'trial\.lora' is \{\} but the study 'toy' was started with None"):
        Record(study_config.parse(adapted, "toy"), f"sqlite:///{folder}/optuna.db", "toy")
    larger = Tune(study_of({**SEARCHES["random"], "trials": 10}), folder)
    assert [trial.number for trial in larger.run()] == list(range(10))
    assert len(larger.handed_out) == 2


SCRIPT = """
import sys
from pathlib import Path
from tests.study.toy_study import Tune, study_of
Tune(study_of("tpe"), Path(sys.argv[1]), moment=lambda: print("commit", flush=True)).run()
"""


def test_a_process_killed_with_sigkill_loses_no_trial_and_changes_none(folder: Path) -> None:
    expected = undisturbed("tpe", folder)
    for moments in (70, 140):
        command = [sys.executable, "-c", SCRIPT, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=SHIPPED.parent) as process:
            assert process.stdout is not None
            for _ in range(moments):
                assert process.stdout.readline() == b"commit\n"
            os.kill(process.pid, signal.SIGKILL)
    assert 0 < len(Tune(study_of("tpe"), folder).record.trials()) < 9
    assert table(Tune(study_of("tpe"), folder).run()) == expected
