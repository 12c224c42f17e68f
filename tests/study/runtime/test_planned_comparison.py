"""Whether a dry run foresees that a search will end without a verdict on hybrid batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from study.runtime import preflight
from study.runtime.planned_comparison import without_comparison
from study.space import study_config
from study.space.study_config import StudyConfig

FACTBOOK = {"name": "factbook", "languages": ["ar", "th", "zh"]}
ALPHA = {"type": "float", "low": 0, "high": 1}
TEMPERATURE = {"type": "float", "low": 0.01, "high": 0.1, "log": True}
IN_STEPS = {**ALPHA, "step": 0.25}
ENDS = [0, 0.5, 1]


def search(space: dict[str, Any], first: Sequence[dict[str, float]] = (), **trial: Any) -> StudyConfig:
    trial |= {"corpora": [FACTBOOK], "benchmarks": [FACTBOOK]} | ({} if "batch_size" in space else {"batch_size": 8})
    return study_config.parse({"trial": trial, "search": {"trials": 20, "space": space, "first": list(first)}}, "space")


@pytest.mark.parametrize(
    ("space", "first"),
    [
        ({"alpha": ALPHA}, []),
        ({"alpha": IN_STEPS, "temperature": TEMPERATURE}, []),
        ({"alpha": ALPHA, "temperature": TEMPERATURE}, [{"alpha": 0.5, "temperature": 0.05}]),
        ({"alpha": ALPHA, "temperature": TEMPERATURE}, [{"alpha": alpha} for alpha in ENDS]),
        (
            {"alpha": ALPHA, "temperature": TEMPERATURE},
            [{"alpha": 0.5, "temperature": 0.05}, {"alpha": 1, "temperature": 0.02}],
        ),
    ],
)
def test_a_search_without_baselines_at_equal_settings_is_told_to_end_without_a_verdict(
    space: dict[str, Any], first: list[dict[str, float]], tmp_path: Path
) -> None:
    config = search(space, first)
    (note,) = [note for note in preflight.check(config, str(tmp_path), dry_run=True).notes if "no verdict" in note]
    assert note == without_comparison(config)
    assert "`study.compare` will have no verdict on hybrid batches: only points under `first` can have one" in note
    assert ("such as {alpha: [0, 0.5, 1], temperature: ...}" in note) == ("temperature" in space)


@pytest.mark.parametrize(
    "config",
    [
        search({"alpha": ALPHA, "temperature": TEMPERATURE}, [{"alpha": a, "temperature": 0.05} for a in ENDS]),
        search({"alpha": IN_STEPS}),
        search({"alpha": ALPHA, "mixing": {"type": "categorical", "choices": ["batch", "pair"]}}),
        search({"temperature": TEMPERATURE}),
        *(study_config.load(name) for name in study_config.shipped()),
    ],
)
def test_a_search_that_has_or_may_have_baselines_at_equal_settings_is_told_nothing(config: StudyConfig) -> None:
    assert without_comparison(config) == ""


def test_what_first_points_leave_open_takes_the_values_of_their_trials_and_no_defaults() -> None:
    config = search(
        {"alpha": ALPHA, "temperature": TEMPERATURE, "batch_size": {"type": "categorical", "choices": [16]}},
        [{"alpha": alpha, "temperature": 0.05} for alpha in ENDS],
        resources={"workers": 8},  # which cannot share the default batch_size, 100
    )
    assert without_comparison(config) == ""
