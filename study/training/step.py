"""One optimizer step: forward over micro-batches, loss, backward, clip, update; optionally with gradient caching.

Gradient caching (Gao et al., arXiv 2101.06983) embeds every micro-batch twice, once without a graph to learn the loss's
gradient at the embeddings, once with a graph to carry it back, so memory is that of one micro-batch at any batch size.
Dropout is seeded per (seed, step, rank, micro-batch): both passes see the same masks, and resuming needs no RNG state.

Also here: gradient checkpointing and torch.compile, which change how a transformer runs and not what it computes.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from study.config import TrialConfig
from study.distributed import rank, world_size
from study.model.cpu import TouchedRows
from study.model.encoder import Encoder
from study.model.tokens import Tokens
from study.training.batch import Batch
from study.training.loss import alignment_loss, contrastive_loss
from study.training.schedules import Temperature, learning_rate_at
from tasks.errors import NodeError, UserError

Loss = Callable[[Tensor], Tensor]
HIGHEST = "highest"
"""Key of a parameter group: its peak learning rate."""


class DivergedError(RuntimeError):
    """The loss or its gradient is no longer finite; the trial cannot go on."""


class StepResult(NamedTuple):
    """This rank's loss and the norm of the gradient before clipping."""

    loss: Tensor
    gradient_norm: Tensor


def make_optimizer(encoder: Encoder, temperature: Temperature, config: TrialConfig) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters; biases, norms and the temperature are not decayed."""
    parameters = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    rate = config.learning_rate
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay, HIGHEST: rate},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0, HIGHEST: rate},
        {"params": [*temperature.parameters()], "weight_decay": 0.0, HIGHEST: config.temperature_learning_rate},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=rate, fused=True)


class Stepper:
    """Takes optimizer steps on an encoder.

    Args:
        encoder: the encoder to train; the ranks of a process group keep equal weights.
        temperature: the trial's temperature.
        optimizer: over the encoder's parameters, and the temperature's.
        config: the trial.
    """

    def __init__(
        self,
        encoder: Encoder,
        temperature: Temperature,
        optimizer: torch.optim.Optimizer,
        config: TrialConfig,
    ) -> None:
        self._encoder, self._config = encoder, config
        self._temperature, self._optimizer = temperature, optimizer
        self._embedding_rows = TouchedRows(encoder, config)
        # Gradients live in DDP's buckets: no second copy of them.
        self._model = DistributedDataParallel(encoder, gradient_as_bucket_view=True) if world_size() > 1 else encoder

    def step(self, batch: Batch, step: int) -> StepResult:
        """Take optimizer step `step` (from 0) on this rank's share of the batch.

        Raises:
            DivergedError: the gradient is not finite; raised on every rank, before a parameter has changed.
            ExecutionError: several ranks train a model that leaves parameters unused.
        """
        self._encoder.train()
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate_at(step, self._config, group[HIGHEST])
        batch = batch.to(self._encoder.device)
        temperature = self._temperature.at(step)

        def loss_of(embedding_RD: Tensor) -> Tensor:
            query_BD, passage_MD, version_AD = batch.split(embedding_RD)
            loss = contrastive_loss(
                query_BD, passage_MD, temperature, batch.false_negatives_P2, self._config.negative_margin
            )
            if weight := self._config.alignment_weight:
                loss = loss + weight * alignment_loss(query_BD, version_AD, batch.versions_A, passage_MD, temperature)
            return loss

        backward = self._cached_backward if self._config.gradient_caching else self._plain_backward
        seeds = _dropout_seeds(self._config, step, len(batch.micro_batches))
        loss = backward(batch.micro_batches, seeds, loss_of)
        self._temperature.average_gradient()
        self._embedding_rows.densify()
        if world_size() > 1:
            self._refuse_unused_parameters()
        norm = nn.utils.clip_grad_norm_(self._encoder.parameters(), self._config.max_grad_norm)
        if not torch.isfinite(norm):
            raise DivergedError(
                f"the gradient is not finite at step {step + 1}: lower learning_rate or raise temperature"
            )
        self._optimizer.step()
        self._temperature.keep_within_bounds()
        self._optimizer.zero_grad()
        return StepResult(loss, norm)

    def _refuse_unused_parameters(self) -> None:
        """Refuse parameters without a gradient: DDP waits for it, and does not exchange those of their bucket."""
        for name, parameter in self._encoder.named_parameters():
            if parameter.requires_grad and parameter.grad is None:
                raise ExecutionError(
                    f"resources.workers: {type(self._encoder.transformer).__name__} does not use its parameter "
                    f"{name} here, and {world_size()} workers cannot train such a model: set workers to 1, or choose "
                    "another backbone"
                )

    def _plain_backward(self, micro_batches: list[Tokens], seeds: list[int], loss_of: Loss) -> Tensor:
        loss = loss_of(self._model(micro_batches, seeds))
        torch.autograd.backward(loss)
        return loss.detach()

    def _cached_backward(self, micro_batches: list[Tokens], seeds: list[int], loss_of: Loss) -> Tensor:
        with torch.no_grad():
            embedding_RD = self._encoder(micro_batches, seeds)
        embedding_RD.requires_grad_()
        loss = loss_of(embedding_RD)
        torch.autograd.backward(loss)
        gradients = embedding_RD.grad.split([len(tokens.lengths_B) for tokens in micro_batches])
        for i, gradient_BD in enumerate(gradients):
            # DDP sums over ranks once a step, with the last micro-batch, however many each rank has.
            with nullcontext() if i == len(gradients) - 1 else self._without_sync():
                torch.autograd.backward(self._model([micro_batches[i]], [seeds[i]]), gradient_BD)
            self._embedding_rows.add_up()
        return loss.detach()

    def _without_sync(self) -> AbstractContextManager[None]:
        return self._model.no_sync() if isinstance(self._model, DistributedDataParallel) else nullcontext()


def _dropout_seeds(config: TrialConfig, step: int, count: int) -> list[int]:
    words = np.random.SeedSequence([config.seed, step, rank()]).generate_state(count, np.uint32)
    return [int(word) for word in words]


class ExecutionError(UserError):
    """A setting that the backbone does not support."""


def prepare(transformer: Any, config: TrialConfig) -> None:
    """Enable gradient checkpointing and torch.compile as the trial asks.

    Raises:
        ExecutionError: the backbone does not support gradient checkpointing.
        NodeError: there is no compiler.
    """
    if config.gradient_checkpointing:
        if not transformer.supports_gradient_checkpointing:
            raise ExecutionError(
                f"gradient_checkpointing: {type(transformer).__name__} does not support it; set it to false"
            )
        # The other, reentrant kind needs inputs with a gradient, which adapters on frozen embeddings do not have.
        transformer.activation_checkpointing_enable({"use_reentrant": False})
    if config.compile:
        compiler = os.environ.get("CXX", "g++")
        if not shutil.which(compiler):
            raise NodeError(
                f"compile: there is no C++ compiler '{compiler}' on {platform.node()}; install it, or set compile to "
                "false"
            )
        # Shapes differ from one micro-batch to the next. Dropout is PyTorch's own, so that it follows our seeds and
        # gradient caching, which runs a graph without gradients and one with, sees the same masks in both.
        transformer.compile(dynamic=True, options={"fallback_random": True})
