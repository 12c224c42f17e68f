"""The learning rate over the steps of a trial: a linear warm-up, then the trial's schedule."""

from __future__ import annotations

import math

from study.config import TrialConfig


def learning_rate_at(step: int, config: TrialConfig, highest: float | None = None) -> float:
    """Return the learning rate of `step` (from 0); never zero.

    Args:
        step: from 0 to `config.steps` - 1.
        config: the trial.
        highest: where the warm-up ends; `config.learning_rate` unless given.
    """
    highest = config.learning_rate if highest is None else highest
    peak = max(1.0, config.warmup * config.steps)
    if step + 1 <= peak:
        return highest * (step + 1) / peak
    left, fall = config.steps - step, config.steps - peak + 1
    match config.learning_rate_schedule:
        case "linear":
            return highest * left / fall
        case "cosine":
            return highest * (1 - math.cos(math.pi * left / fall)) / 2
        case "constant":
            return highest
