"""A trial that a scheduler stops, in a whole study on real Ray."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from tests.study.small_study import SPACE, run, write_space

pytestmark = pytest.mark.ray


def test_a_trial_that_is_stopped_early_leaves_its_processors_to_the_next(tmp_path: Path) -> None:
    rates = [{"learning_rate": rate} for rate in (1e-9, 3e-3, 1e-9)]  # untrained, the loss is lower after two steps
    space = {"learning_rate": {"type": "float", "low": 1e-9, "high": 1e-2}}
    changes = {
        "trial": {key: value for key, value in SPACE["trial"].items() if key != "learning_rate"},
        "search": {"sampler": "random", "trials": 3, "first": rates, "space": space},
        "objective": {"metric": "validation/loss", "direction": "minimize"},
        "scheduler": {"name": "asha", "min_steps": 2, "reduction_factor": 2},
    }
    ended = run(write_space(tmp_path, changes), "--storage", str(tmp_path), "--name", "halved", timeout=300)
    assert ended.returncode == 0, ended.stderr
    trials = optuna.load_study(study_name="halved", storage=f"sqlite:///{tmp_path}/halved/optuna.db").trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert trials[2].values == trials[0].values
