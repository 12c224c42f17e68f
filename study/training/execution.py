"""How a transformer runs while it trains: gradient checkpointing, torch.compile. What it computes stays the same."""

from __future__ import annotations

import os
import shutil
from typing import Any

from study.config import TrialConfig
from tasks.errors import UserError


class ExecutionError(UserError):
    """A way to run that the backbone or the machine does not offer."""


def prepare(transformer: Any, config: TrialConfig) -> None:
    """Set up the ways to run that a trial asks for.

    Raises:
        ExecutionError: the backbone has no gradient checkpointing, or the machine no compiler.
    """
    if config.gradient_checkpointing:
        if not transformer.supports_gradient_checkpointing:
            raise ExecutionError(
                f"gradient_checkpointing: {type(transformer).__name__} does not offer it; leave it out"
            )
        # The other, reentrant kind needs inputs with a gradient, which adapters on frozen embeddings do not have.
        transformer.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if config.compile:
        compiler = os.environ.get("CXX", "g++")
        if not shutil.which(compiler):
            raise ExecutionError(
                f"compile: there is no C++ compiler '{compiler}' here; install it or leave compile out"
            )
        # Shapes differ from one micro-batch to the next. Dropout is PyTorch's own, so that it follows our seeds and
        # gradient caching, which runs a graph without gradients and one with, sees the same masks in both.
        transformer.compile(dynamic=True, options={"fallback_random": True})
