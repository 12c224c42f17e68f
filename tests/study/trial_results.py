"""Results of trials as their workers write them, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.config import TrialConfig
from study.results.trial_result import BackboneRecord, BenchmarkResult, TrainingProgress, TrialResult
from study.space.selection import Objective, better


def trial_result(
    number: int,
    metrics: Mapping[str, float] | None = None,
    *,
    measured: Mapping[str, BenchmarkResult] | None = None,
    **config: Any,
) -> TrialResult:
    """Return the result of a trial with this configuration, trained to its last step."""
    settings = TrialConfig.model_validate(config)
    return TrialResult(
        number=number,
        config=settings,
        backbone=BackboneRecord(pooling="mean", query_prefix="Query: ", passage_prefix="Passage: ", precision="fp32"),
        metrics=metrics or {},
        benchmarks=measured or {},
        training=TrainingProgress(step=settings.steps, best_step=settings.steps),
    )


def changed(result: TrialResult, **config: Any) -> TrialResult:
    """Return a result with some settings of its configuration replaced."""
    return result.model_copy(update={"config": result.config.model_copy(update=config)})


def objective(metric: str) -> Objective:
    """Return an objective in the direction in which its metric improves."""
    return Objective(metric=metric, direction=better(metric))
