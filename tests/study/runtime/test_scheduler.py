"""Facts about early stopping: who stops, what Optuna then holds, and what Tune makes of it."""

from __future__ import annotations

import itertools
import math
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ray
from optuna.pruners import HyperbandPruner, MedianPruner
from optuna.trial import TrialState
from ray import tune
from ray.tune.schedulers import TrialScheduler

from study.config import TrialConfig
from study.results import files, layout
from study.runtime import cluster, driver
from study.runtime.messages import Assignment, Failure, TrainingReport
from study.runtime.record import Record
from study.runtime.resources import Node, Supply
from study.runtime.scheduler import EarlyStopping, reason
from study.runtime.searcher import StudySearcher
from tests.study.toy_study import METRIC, STEPS, Countdown, Killed, Tune, study_of, table

pytestmark = pytest.mark.ray

ALPHAS = [0.75, 0.5, 1.0, 0.0, 0.25, 0.75, 0.5, 1.0, 0.25, 0.0, 0.5, 0.75]
SEARCH: dict[str, Any] = {
    "sampler": "random",
    "trials": len(ALPHAS),
    "first": [{"alpha": alpha, "temperature": 0.05} for alpha in ALPHAS],
    "space": {
        "alpha": {"type": "float", "low": 0, "high": 1, "step": 0.25},
        "temperature": {"type": "float", "low": 0.01, "high": 0.2},
    },
}
BACKBONES = {"backbone": {"type": "categorical", "choices": ["builtin/xlmr-tiny", "builtin/labse-tiny"]}}
ASHA = {"name": "asha", "min_steps": 10, "reduction_factor": 2}
MEDIAN = {"name": "median", "min_steps": 20, "startup": 3}
HYPERBAND = {"name": "hyperband", "min_steps": 10, "max_steps": 40, "reduction_factor": 2}


def scores(alpha: float) -> dict[int, float]:
    """Return what the toy trial reports at each step."""
    quality = alpha * (1.5 - alpha) + 0.05 + 0.1
    return {step: quality * step for step in STEPS}


def halved(alphas: list[float], rungs: tuple[int, ...], factor: int, startup: int = 0) -> list[int | None]:
    """Return the step at which each of several trials, run one after another, stops (arXiv 1810.05934, algorithm 2).

    The first `startup` ones are never stopped; what they reach counts for the others.
    """
    reached: dict[int, list[float]] = {rung: [] for rung in rungs}
    stops: list[int | None] = []
    for number, alpha in enumerate(alphas):
        stopped = None
        for rung in rungs:
            reached[rung].append(scores(alpha)[rung])
            best = sorted(reached[rung], reverse=True)[: max(1, len(reached[rung]) // factor)]
            if scores(alpha)[rung] < best[-1] and number >= startup:
                stopped = rung
                break
        stops.append(stopped)
    return stops


def below_median(alphas: list[float], min_steps: int, startup: int) -> list[int | None]:
    """Return the step at which each trial stops whose best score so far is below the finished ones' median there."""
    finished: list[float] = []
    stops: list[int | None] = []
    for alpha in alphas:
        late = [step for step in STEPS[:-1] if step >= min_steps and len(finished) >= startup]
        worse = [step for step in late if scores(alpha)[step] < np.median([scores(other)[step] for other in finished])]
        stops.append(worse[0] if worse else None)
        if not worse:
            finished.append(alpha)
    return stops


def test_untrained_trials_do_not_count_for_the_startup_of_the_median() -> None:
    search = {**SEARCH, "zero_shot": True, "space": {**SEARCH["space"], **BACKBONES}, "first": []}
    config = study_of(search, scheduler=MEDIAN)
    assert len(config.search.zero_shot) == 2
    pruner = Record(config, "sqlite://", "startup").study.pruner
    assert isinstance(pruner, MedianPruner)
    assert pruner._n_startup_trials == 2 + 3


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        (ASHA, halved(ALPHAS, (10, 20), 2)),
        ({**ASHA, "reduction_factor": 3}, halved(ALPHAS, (10, 30), 3)),
        ({**ASHA, "startup": 3}, halved(ALPHAS, (10, 20), 2, startup=3)),
        (MEDIAN, below_median(ALPHAS, 20, 3)),
        ("none", [None] * len(ALPHAS)),
    ],
)
def test_trials_stop_where_the_definition_says_and_optuna_holds_them_as_pruned(
    scheduler: Any, expected: list[int | None], folder: Path
) -> None:
    trials = Tune(study_of(SEARCH, scheduler=scheduler), folder).run()
    for trial, alpha, stopped in zip(trials, ALPHAS, expected, strict=True):
        assert trial.state == (TrialState.COMPLETE if stopped is None else TrialState.PRUNED)
        assert max(trial.intermediate_values) == (stopped or STEPS[-1])
        assert trial.value == pytest.approx(scores(alpha)[stopped or STEPS[-1]])
    assert (TrialState.PRUNED in {trial.state for trial in trials}) == (scheduler != "none")


def test_a_stopped_trial_keeps_no_checkpoint_and_no_result_though_its_workers_came_to_their_end(folder: Path) -> None:
    tune = Tune(study_of(SEARCH, scheduler=ASHA), folder)
    trials = tune.run()
    for trial in trials:
        place = layout.trial_folder(str(folder), trial.number)
        files.write_json(files.join(place, layout.RESULT), {})
        files.write_json(files.join(place, "step-00000010", layout.PROGRESS), {})
    driver._clear_stopped(tune.record, str(folder))
    kept = {trial.number for trial in trials if trial.state == TrialState.COMPLETE}
    assert layout.result_times(str(folder)).keys() == kept
    with_checkpoints = {t.number for t in trials if layout.checkpoints(layout.trial_folder(str(folder), t.number))}
    assert with_checkpoints == kept
    assert 0 < len(kept) < len(trials)


def test_hyperband_compares_between_the_steps_that_are_set_and_by_the_factor_that_is_set() -> None:
    scheduler = {"name": "hyperband", "min_steps": 5, "max_steps": 40, "reduction_factor": 4}
    pruner = Record(study_of(SEARCH, scheduler=scheduler), "sqlite://", "hyperband").study.pruner
    assert isinstance(pruner, HyperbandPruner)
    assert (pruner._min_resource, pruner._max_resource, pruner._reduction_factor) == (5, 40, 4)


def test_hyperband_stops_some_and_lets_others_finish(folder: Path) -> None:
    states = [trial.state for trial in Tune(study_of(SEARCH, scheduler=HYPERBAND), folder).run()]
    assert {TrialState.PRUNED, TrialState.COMPLETE} == set(states)


@pytest.mark.parametrize("scheduler", [ASHA, MEDIAN, HYPERBAND])
def test_stopping_survives_a_kill_before_any_commit(scheduler: dict[str, Any], folder: Path) -> None:
    (folder / "calm").mkdir()
    config = study_of(SEARCH, scheduler=scheduler)
    expected = table(Tune(config, folder / "calm").run())
    assert any(state == "PRUNED" for _, state, *_ in expected)
    kills = 0
    for moments in itertools.count(4, 5):  # more and more commits between two kills
        try:
            trials = Tune(config, folder, moment=Countdown(moments)).run()
            break
        except Killed:
            kills += 1
    assert table(trials) == expected
    assert kills > 8


def begun(folder: Path, **keys: Any) -> tuple[Tune, EarlyStopping]:
    """Return a study with one good finished trial, and a second one handed out as `bad`."""
    toy = Tune(study_of(SEARCH, **{"scheduler": ASHA, **keys}), folder)
    toy.searcher.suggest("good")
    for step in STEPS:
        toy.searcher.observe("good", TrainingReport(step, {METRIC: 1.0}))
    toy.searcher.suggest("bad")
    return toy, EarlyStopping(toy.searcher, str(folder))


def decision(scheduler: EarlyStopping, result: dict[str, Any]) -> str:
    trial: Any = SimpleNamespace(trial_id="bad")
    controller: Any = None
    return scheduler.on_trial_result(controller, trial, result)


def test_a_bad_score_stops_a_trial_and_is_on_record_before_tune_acts(folder: Path) -> None:
    toy, scheduler = begun(folder)
    assert decision(scheduler, {"step": 10, METRIC: 0.1}) == TrialScheduler.STOP
    assert toy.record.trial(1).state == TrialState.PRUNED
    toy.searcher.on_trial_complete("bad", {"step": 10, METRIC: 0.1})
    assert "error" not in toy.record.trial(1).user_attrs


@pytest.mark.parametrize(
    "result",
    [
        {"step": 40, METRIC: 0.1},
        {"step": 20, METRIC: 0.1, "training_ended": True},
        {"step": 10, "loss": 9.0},
        {"step": 40, METRIC: 0.1, "final": True},
    ],
    ids=["last step", "out of patience", "no score", "final report"],
)
def test_a_trial_is_never_stopped_after_its_last_step_or_without_a_score(result: dict[str, Any], folder: Path) -> None:
    _, scheduler = begun(folder)
    assert decision(scheduler, result) == TrialScheduler.CONTINUE


def test_a_step_reported_again_after_a_restart_is_not_judged_again(folder: Path) -> None:
    toy, scheduler = begun(folder)
    assert decision(scheduler, {"step": 10, METRIC: 1.0}) == TrialScheduler.CONTINUE
    assert decision(scheduler, {"step": 10, METRIC: 0.0}) == TrialScheduler.CONTINUE
    assert toy.record.trial(1).intermediate_values == {10: 1.0}


def test_a_score_that_is_not_a_number_stops_its_trial(folder: Path) -> None:
    _, scheduler = begun(folder)
    assert decision(scheduler, {"step": 10, METRIC: math.nan}) == TrialScheduler.STOP


def test_a_metric_to_minimize_stops_the_larger(folder: Path) -> None:
    loss = "validation/loss"
    toy = Tune(study_of(SEARCH, scheduler=ASHA, objective=loss), folder)
    for name, value in {"good": 0.1, "bad": 0.2}.items():
        toy.searcher.suggest(name)
        assert toy.searcher.observe(name, TrainingReport(10, {loss: value})) == (name == "bad")


def test_the_reason_is_the_exceptions_own_line() -> None:
    report = (
        "Failure # 1 (occurred at 2026-11-23_02-04-43)\nThe actor died unexpectedly before finishing this task.\n"
        "\tclass_name: ImplicitFunc\n"
    )
    assert reason(report) == "The actor died unexpectedly before finishing this task."
    report += (
        "Failure # 2 (occurred at 2026-11-23_02-04-46)\n\x1b[36mray::ImplicitFunc.train()\x1b[39m (pid=1, ip=x)\n"
        '  File "/x.py", line 15, in trainable\n    raise RuntimeError(text)\nRuntimeError: ดิสก์เต็ม\nวรรคสอง\n'
    )
    assert reason(report) == "RuntimeError: ดิสก์เต็ม"


def on_error(
    scheduler: EarlyStopping,
    folder: Path,
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    nodes: int,
    free: int,
    heads: int = 0,
) -> None:
    """Let a trial end in an error on a cluster of some nodes and heads, with storage of some free bytes."""
    monkeypatch.setattr(cluster, "supply", lambda: Supply("the cluster", (Node(0, 0),) * heads + (Node(4, 0),) * nodes))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    file = folder / "error.txt"
    file.write_text(f"Failure # 1 (occurred at 2026-11-23_02-04-43)\n{error}\n", "utf-8")
    config = Assignment(number=1, trial=TrialConfig()).to_dict()
    trial: Any = SimpleNamespace(trial_id="bad", error_file=str(file), config=config)
    controller: Any = None
    scheduler.on_trial_error(controller, trial)


FULL = "OSError: [Errno 28] No space left on device: '/tmp/ไทย/encoder.safetensors'"


@pytest.mark.parametrize("heads", [0, 1])
@pytest.mark.parametrize(("nodes", "free", "ends"), [(3, 2**40, False), (3, 2**20, True), (1, 2**40, True)])
def test_the_full_disk_of_one_node_ends_no_study_whose_storage_has_room_and_whose_other_nodes_work(
    nodes: int, free: int, ends: bool, heads: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, scheduler = begun(folder)
    with pytest.raises(OSError, match=r"trial 1: OSError.*No space") if ends else nullcontext():
        on_error(scheduler, folder, FULL, monkeypatch, nodes=nodes, free=free, heads=heads)
    toy.searcher.on_trial_complete("bad", error=True)
    assert toy.record.trial(1).user_attrs["error"] == FULL


@pytest.mark.parametrize("nodes", [1, 3])
def test_a_driver_killed_for_memory_on_a_cluster_may_have_lacked_that_of_the_head(
    nodes: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, scheduler = begun(folder)
    killed = "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory."
    on_error(scheduler, folder, killed, monkeypatch, nodes=nodes, free=2**40)
    toy.searcher.on_trial_complete("bad", error=True)
    error = toy.record.trial(1).user_attrs["error"]
    assert ("set concurrent lower or take a larger head" in error) == (nodes > 1)
    assert "lower micro_batch_tokens" in error


def test_tune_itself_stops_prunes_and_ends_and_a_second_run_takes_up_what_was_lost(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    }.items():
        monkeypatch.setenv(name, value)
    metric, broken, lost_once = METRIC, str(folder / "broken"), 3
    Path(broken).touch()

    def trainable(config: dict[str, Any]) -> None:  # nested, so that Ray sends it by value
        alpha = config["trial"]["alpha"]
        for step in (10, 20, 30, 40):
            if config["number"] == 4 and step == 20:
                tune.report(Failure("the loss is NaN at step 20").to_dict())
            if config["number"] == lost_once and Path(broken).exists():
                raise RuntimeError("the network is gone")
            tune.report({"step": step, metric: (alpha * (1.5 - alpha) + 0.15) * step})
        tune.report({"step": 40, "final": True, metric: (alpha * (1.5 - alpha) + 0.15) * 40})

    search = {**SEARCH, "trials": 6, "first": [{"alpha": alpha} for alpha in (0.25, 0.0, 0.5, 0.75, 0.75, 0.25)]}
    config = study_of(search, scheduler=ASHA)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 * 2**20)
    try:
        states = [_run(config, folder, trainable, samples) for samples in (-1, 1)]
    finally:
        ray.shutdown()
    assert states[0] == [
        "COMPLETE",
        "PRUNED",
        "COMPLETE",
        "RUNNING: RuntimeError: the network is gone",
        "FAIL",
        "PRUNED",
    ]
    assert states[1] == ["COMPLETE", "PRUNED", "COMPLETE", "COMPLETE", "FAIL", "PRUNED"]


def _run(config: Any, folder: Path, trainable: Any, samples: int) -> list[str]:
    """Run what is left of the study; return how its trials stand."""
    record = Record(config, f"sqlite:///{folder}/optuna.db", "toy")
    searcher = StudySearcher(config, record)
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"CPU": 1}),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=EarlyStopping(searcher, str(folder)),
            num_samples=samples,
            max_concurrent_trials=1,
        ),
        run_config=tune.RunConfig(name=f"run{samples}", storage_path=str(folder), verbose=0),
    )
    tuner.fit()
    (folder / "broken").unlink(missing_ok=True)
    running = (TrialState.RUNNING,)
    return [
        f"{trial.state.name}: {trial.user_attrs['error']}" if trial.state in running else trial.state.name
        for trial in record.trials()
    ]
