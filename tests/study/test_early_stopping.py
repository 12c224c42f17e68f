"""A trial that a scheduler stops, in a whole study on real Ray."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from tests.study.faults import PROCESSES, below, left_over, of_ray
from tests.study.small_study import SPACE, checkpoint_of, started, wait_for, write_space

pytestmark = pytest.mark.ray


def test_a_trial_that_is_stopped_early_leaves_its_processors_to_the_next_and_no_process(tmp_path: Path) -> None:
    # Untrained, the loss is lower after two steps.
    rates = [{"learning_rate": rate} for rate in (1e-9, 3e-3, 1e-9, 3e-3, 1e-9)]
    space = {"learning_rate": {"type": "float", "low": 1e-9, "high": 1e-2}}
    changes = {
        "trial": {key: value for key, value in SPACE["trial"].items() if key != "learning_rate"},
        "search": {"sampler": "random", "trials": 5, "first": rates, "space": space},
        "objective": {"metric": "validation/loss", "direction": "minimize"},
        "scheduler": {"name": "asha", "min_steps": 2, "reduction_factor": 2},
    }
    folder = tmp_path / "halved"
    with started(write_space(tmp_path, changes), "--storage", str(tmp_path), "--name", folder.name) as study:
        wait_for(checkpoint_of(folder, 4), study)
        assert of_ray(study) == PROCESSES, "the four trials before have left processes"
        processes = below(study.pid)
        output = study.communicate()[0]
    assert study.returncode == 0, output
    assert left_over(processes) == []
    trials = optuna.load_study(study_name=folder.name, storage=f"sqlite:///{folder}/optuna.db").trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "COMPLETE", "PRUNED", "COMPLETE"]
    assert trials[2].values == trials[4].values == trials[0].values
