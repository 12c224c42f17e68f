"""The learning rate over the steps of a trial: a linear warm-up, then the trial's schedule.

What divides the scores: a constant, a schedule over the steps, or learned with the weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from study.config import LEARNED_TEMPERATURES, Schedule, TrialConfig, fraction_done, value_at
from study.distributed import sum_over_ranks, world_size


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


class Temperature(nn.Module):
    """A trial's temperature; where it is learned, in log space, its only parameter is `log`.

    Not a part of the encoder: what is exported has no temperature, and DDP would wait for its gradient in a forward
    pass that does not use it.
    """

    def __init__(self, config: TrialConfig, device: torch.device) -> None:
        super().__init__()
        self._config = config
        self.log: nn.Parameter | None = None
        if config.temperature_learning_rate is not None:
            assert not isinstance(config.temperature, Schedule)
            self.log = nn.Parameter(torch.tensor(math.log(config.temperature), device=device))

    def at(self, step: int) -> float | Tensor:
        """Return the temperature of `step` (from 0), with its gradient path where it is learned."""
        if self.log is not None:
            return self.log.exp()
        return value_at(self._config.temperature, fraction_done(step, self._config.steps))

    @torch.no_grad()
    def figure(self, step: int) -> float:
        """Return the temperature of `step` as reports have it."""
        return float(self.at(step))

    def average_gradient(self) -> None:
        """Make the gradient that of the global batch, as DDP does for the encoder's."""
        if self.log is not None:
            assert self.log.grad is not None
            sum_over_ranks(self.log.grad).div_(world_size())

    @torch.no_grad()
    def keep_within_bounds(self) -> None:
        """Bring a learned temperature back to what is allowed, after a step."""
        if self.log is not None:
            low, high = LEARNED_TEMPERATURES
            self.log.clamp_(math.log(low), math.log(high))

    @property
    def learned(self) -> float | None:
        """The logarithm learned so far, exactly; None where it is a setting."""
        return None if self.log is None else float(self.log.detach())

    @torch.no_grad()
    def restore(self, learned: float | None) -> None:
        """Go on from what `learned` said."""
        if self.log is not None and learned is not None:
            self.log.fill_(learned)
