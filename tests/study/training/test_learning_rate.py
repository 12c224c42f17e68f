from __future__ import annotations

import math
from itertools import pairwise

import pytest

from study.config import TrialConfig
from study.training.schedules import learning_rate_at


def test_the_learning_rate_rises_linearly_then_falls_linearly_and_never_is_zero() -> None:
    config = TrialConfig(steps=100, learning_rate=1.0, warmup=0.1)
    rates = [learning_rate_at(step, config) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert max(rates) == 1.0
    falls = [later - earlier for earlier, later in pairwise(rates[9:])]
    assert falls == pytest.approx([falls[0]] * len(falls))
    assert 0 < rates[-1] < 0.02


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_the_learning_rate_has_no_gap_at_the_ends_of_warmup(warmup: float) -> None:
    config = TrialConfig(steps=10, learning_rate=1.0, warmup=warmup)
    rates = [learning_rate_at(step, config) for step in range(10)]
    assert max(rates) == pytest.approx(1.0)
    assert min(rates) > 0


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_every_schedule_warms_up_alike_and_peaks_at_the_highest_rate(schedule: str) -> None:
    config = TrialConfig.model_validate({"steps": 100, "warmup": 0.1, "learning_rate_schedule": schedule})
    rates = [learning_rate_at(step, config, 0.5) for step in range(100)]
    assert rates[:10] == pytest.approx([0.05 * (step + 1) for step in range(10)])
    assert max(rates) == pytest.approx(0.5)


def test_a_cosine_falls_as_half_a_cosine_and_a_constant_does_not_fall() -> None:
    cosine = TrialConfig(steps=110, warmup=10 / 110, learning_rate=1.0, learning_rate_schedule="cosine")
    rates = [learning_rate_at(step, cosine) for step in range(10, 110)]
    assert rates == pytest.approx([(1 + math.cos(math.pi * k / 101)) / 2 for k in range(1, 101)])
    constant = cosine.model_copy(update={"learning_rate_schedule": "constant"})
    assert {learning_rate_at(step, constant) for step in range(9, 110)} == {1.0}
