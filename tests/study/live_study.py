"""A synthetic study with the Optuna record that `study.run` would have kept of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from study.analysis.study import Study
from study.results import layout
from tests.study.synthetic_study import OBJECTIVE


def record(folder: str, held: Study) -> optuna.Study:
    """Write the record of a study's trials; one more is still running."""
    name = folder.rpartition("/")[2]
    study = optuna.create_study(storage=f"sqlite:///{folder}/{layout.RECORD}", study_name=name, direction="maximize")
    for result in held.results:
        study.add_trial(trial(TrialState.COMPLETE, result.config.model_dump(mode="json"), result.metrics[OBJECTIVE]))
    study.add_trial(trial(TrialState.RUNNING, held.results[0].config.model_dump(mode="json"), 0.125))
    return study


def trial(state: TrialState, config: dict[str, Any], score: float, error: str | None = None) -> FrozenTrial:
    """Return a trial as the record holds it."""
    return optuna.trial.create_trial(
        state=state,
        value=score if state == TrialState.COMPLETE else None,
        params={"alpha": config["alpha"]},
        distributions={"alpha": FloatDistribution(0, 1)},
        intermediate_values={200: score / 2, 400: score} if state == TrialState.COMPLETE else {200: score},
        user_attrs={"trial": config, "error": error},
    )


def copy_of(study: Study, folder: Path) -> str:
    """Return a copy of a study's folder with a record of twelve trials done and one running."""
    made = str(shutil.copytree(study.folder, folder / "study"))
    record(made, study)
    return made
