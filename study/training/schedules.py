"""Learning rate and temperature over the steps of a trial.

The learning rate warms up linearly and then follows the trial's schedule. The temperature is a constant, a schedule, or
a parameter that is learned with the weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from study.config import LEARNED_TEMPERATURES, TrialConfig
from study.config_values import Schedule, fraction_done, value_at
from study.distributed import sum_over_ranks, world_size


def learning_rate_at(step: int, config: TrialConfig, highest: float | None = None) -> float:
    """Return the learning rate of `step` (from 0); never zero.

    Args:
        step: from 0 to `config.steps` - 1.
        config: the trial.
        highest: the peak rate, reached after the warm-up; `config.learning_rate` by default.
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


class Temperature(nn.Module):
    """The temperature of a trial; if it is learned, its only parameter is `log`, its natural logarithm.

    It is not part of the encoder: exports have no temperature, and DDP would wait for its gradient in a forward pass
    that does not use it.
    """

    def __init__(self, config: TrialConfig, device: torch.device) -> None:
        super().__init__()
        self._config = config
        self.log: nn.Parameter | None = None
        if config.temperature_learning_rate is not None:
            assert not isinstance(config.temperature, Schedule)
            self.log = nn.Parameter(torch.tensor(math.log(config.temperature), device=device))

    def at(self, step: int) -> float | Tensor:
        """Return the temperature of `step` (from 0), with its gradient if it is learned."""
        if self.log is not None:
            return self.log.exp()
        return value_at(self._config.temperature, fraction_done(step, self._config.steps))

    @torch.no_grad()
    def figure(self, step: int) -> float:
        """Return the temperature of `step` without its gradient."""
        return float(self.at(step))

    def average_gradient(self) -> None:
        """Average the gradient over ranks, as DDP does for the encoder."""
        if self.log is not None:
            assert self.log.grad is not None
            sum_over_ranks(self.log.grad).div_(world_size())

    @torch.no_grad()
    def keep_within_bounds(self) -> None:
        """Clamp a learned temperature to its bounds."""
        if self.log is not None:
            low, high = LEARNED_TEMPERATURES
            self.log.clamp_(math.log(low), math.log(high))

    @property
    def learned(self) -> float | None:
        """The learned logarithm; None if the temperature is a setting."""
        return None if self.log is None else float(self.log.detach())

    @torch.no_grad()
    def restore(self, learned: float | None) -> None:
        """Continue from a value of `learned`."""
        if self.log is not None and learned is not None:
            self.log.fill_(learned)
