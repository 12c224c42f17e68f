from __future__ import annotations

import math

import pydantic
import pytest
import torch

from study.config import TrialConfig
from study.config_values import Schedule
from study.training.loss import contrastive_loss
from study.training.schedules import Temperature

CPU = torch.device("cpu")


def test_a_temperature_that_is_not_learned_is_a_number_and_has_no_parameter() -> None:
    falling = TrialConfig.model_validate({"steps": 11, "temperature": {"start": 0.1, "end": 0.05}})
    temperature = Temperature(falling, CPU)
    assert [temperature.at(step) for step in (0, 5, 10)] == pytest.approx([0.1, 0.075, 0.05])
    assert list(temperature.parameters()) == []
    assert temperature.learned is None


def test_the_gradient_of_a_learned_temperature_is_that_of_its_logarithm() -> None:
    """With scores s and probabilities p of temperature t, d loss / d log t is the mean of (s_own - sum p s) / t."""
    torch.manual_seed(0)
    query_BD, passage_BD = (torch.nn.functional.normalize(torch.randn(5, 8), dim=-1) for _ in range(2))
    temperature = Temperature(TrialConfig(temperature=0.1, temperature_learning_rate=1e-3), CPU)
    torch.autograd.backward(contrastive_loss(query_BD, passage_BD, temperature.at(0)))
    scores_BB = query_BD @ passage_BD.T
    expected_scores_B = (torch.softmax(scores_BB / 0.1, dim=1) * scores_BB).sum(1)
    assert temperature.log is not None
    assert temperature.log.grad is not None
    assert float(temperature.log.grad) == pytest.approx(float((scores_BB.diag() - expected_scores_B).mean() / 0.1))


@pytest.mark.parametrize(("pushed_to", "kept"), [(-9.0, 0.01), (9.0, 1.0)])
def test_a_learned_temperature_stays_within_its_bounds(pushed_to: float, kept: float) -> None:
    temperature = Temperature(TrialConfig(temperature_learning_rate=1e-3), CPU)
    temperature.restore(pushed_to)
    temperature.keep_within_bounds()
    assert temperature.figure(0) == pytest.approx(kept)


def test_a_learned_temperature_is_restored_to_the_last_bit() -> None:
    config = TrialConfig(temperature_learning_rate=1e-3)
    one, other = Temperature(config, CPU), Temperature(config, CPU)
    one.restore(math.log(0.0123456789))
    other.restore(one.learned)
    assert one.log is not None
    assert other.log is not None
    assert torch.equal(one.log, other.log)


@pytest.mark.parametrize("start", [{"start": 0.1, "end": 0.05}, 0.001])
def test_only_a_constant_within_the_bounds_can_be_learned_from(start: object) -> None:
    with pytest.raises(pydantic.ValidationError, match=r"needs a temperature from 0\.01 to 1 to start from"):
        TrialConfig.model_validate({"temperature": start, "temperature_learning_rate": 1e-3})


def test_a_cosine_schedule_moves_along_half_a_cosine() -> None:
    falling = Schedule(start=1, end=0, shape="cosine")
    values = [falling.at(fraction) for fraction in (0, 0.25, 0.5, 1)]
    assert values == pytest.approx([1, (2 + 2**0.5) / 4, 0.5, 0])
