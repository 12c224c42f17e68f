"""The training of one trial on one rank: steps, validation, early stopping. Does not import Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from study.config import TrialConfig
from study.distributed import sum_over_ranks, world_size
from study.model.encoder import Encoder
from study.results.trial_result import TrainingProgress
from study.training.batch import BatchMaker
from study.training.sampler import HybridSampler
from study.training.schedules import Temperature, learning_rate_at
from study.training.step import Stepper, make_optimizer, prepare
from tasks.schema import Corpus

REPORTS = 10
"""Progress reports over a trial, besides validations."""


class Report(NamedTuple):
    """Training metrics since the last report; equal on every rank."""

    metrics: dict[str, float]
    due_validation: bool


class Training:
    """The state of a trial's training: encoder, temperature, optimizer and progress.

    Args:
        config: the trial.
        encoder: the encoder on this rank's device; every rank starts from the same weights.
        corpora: the corpora that `config` names, in its order.
    """

    def __init__(self, config: TrialConfig, encoder: Encoder, corpora: Sequence[Corpus]) -> None:
        self.config = config
        self.encoder = encoder
        prepare(encoder.transformer, config)
        self.temperature = Temperature(config, encoder.device)
        self.optimizer = make_optimizer(encoder, self.temperature, config)
        self.progress = TrainingProgress()
        sampler = HybridSampler(corpora, config)
        self.languages = sampler.languages
        """Languages that batches may have."""
        self._batches = BatchMaker(corpora, sampler, encoder, config)
        self._stepper = Stepper(encoder, self.temperature, self.optimizer, config)

    def run(self, stepped: Callable[[int], None] | None = None) -> Iterator[Report]:
        """Train from the step in `progress` on, yielding ten reports over the trial and one at each validation.

        When a validation is due, the caller validates and calls `validated` before it continues the iteration.

        Args:
            stepped: called after each step with the number of steps taken.

        Raises:
            DivergedError: the gradient is not finite, on every rank alike.
        """
        config, first, began = self.config, self.progress.step, time.monotonic()
        losses, before = [], self.progress.seconds
        self.temperature.restore(self.progress.log_temperature)
        # A trial that ran out of patience and is restarted for its evaluation trains no further.
        remaining = () if self.ended else self._batches.ahead(first, config.steps)
        for step, batch in enumerate(remaining, start=first):
            losses.append(self._stepper.step(batch, step).loss)
            done = step + 1
            if stepped:
                stepped(done)
            due_validation = done % config.validation.every == 0 or done == config.steps
            if due_validation or done % max(1, config.steps // REPORTS) == 0:
                seconds, learned = before + time.monotonic() - began, self.temperature.learned
                self.progress = replace(self.progress, step=done, seconds=seconds, log_temperature=learned)
                metrics = self._metrics(step, losses, batch.alpha)
                self.progress = replace(self.progress, history=(*self.progress.history, metrics))
                paused = time.monotonic()  # validations and checkpoints are no training
                yield Report(metrics, due_validation)
                began += time.monotonic() - paused
                losses = []
                if due_validation and self.ended:  # without a validation nothing is known of the steps since the last
                    return

    @property
    def ended(self) -> bool:
        """True when all steps are done, or the best score is older than the patience allows."""
        patience, best_step, step = self.config.validation.patience, self.progress.best_step, self.progress.step
        impatient = patience is not None and best_step is not None and step - best_step >= patience
        return step >= self.config.steps or impatient

    def validated(self, score: float, metrics: dict[str, float]) -> bool:
        """Record a validation score, higher is better; return whether it is the best so far."""
        *earlier, last = self.progress.history
        self.progress = replace(self.progress, history=(*earlier, last | metrics))
        best = self.progress.best_score is None or score > self.progress.best_score
        if best:
            self.progress = replace(self.progress, best_step=self.progress.step, best_score=score, best_metrics=metrics)
        return best

    def _metrics(self, step: int, losses: list[torch.Tensor], alpha: float) -> dict[str, float]:
        return {
            "step": step + 1,
            "loss": float(sum_over_ranks(torch.stack(losses).mean())) / world_size(),
            "learning_rate": learning_rate_at(step, self.config),
            "alpha_now": alpha,
            "temperature_now": self.temperature.figure(step),
            "train_seconds": self.progress.seconds,
        }
