"""Save and restore a training run: trained weights, optimizer state and progress, in safetensors and JSON.

Weights that are not trained (with LoRA, all but the adapters) are the backbone's and are not saved. Nothing else is
needed to continue bit for bit: batches, learning rate and dropout are functions of (seed, step).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pydantic
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from study.model.encoder import Encoder
from study.results.layout import PROGRESS
from study.results.trial_result import TrainingProgress

WEIGHTS, OPTIMIZER = "encoder.safetensors", "optimizer.safetensors"
UNREADABLE = (OSError, SafetensorError, ValueError, TypeError, LookupError)
"""Exceptions raised by reading a damaged checkpoint or one of another model; not those of memory that runs out."""

_PROGRESS = pydantic.TypeAdapter(TrainingProgress)


class CheckpointError(RuntimeError):
    """A checkpoint that is truncated or belongs to another model."""


def save(folder: Path, encoder: Encoder, optimizer: torch.optim.Optimizer, progress: TrainingProgress) -> None:
    """Write a checkpoint into an existing folder; the progress file comes last and marks the checkpoint as complete."""
    save_file(_contiguous(_trained(encoder)), folder / WEIGHTS)
    save_file(_contiguous(_optimizer_tensors(optimizer)), folder / OPTIMIZER)
    (folder / PROGRESS).write_text(json.dumps(asdict(progress)), "utf-8")


def restore(folder: Path, encoder: Encoder, optimizer: torch.optim.Optimizer) -> TrainingProgress:
    """Load a checkpoint into an encoder and its optimizer.

    Raises:
        CheckpointError: a file is missing, truncated, or does not fit the encoder; nothing was loaded. An error while
            loading, as where memory runs out, is another: the encoder may then have the checkpoint's weights.
    """
    progress, weights = read(folder)
    try:
        _check_fits(encoder, weights)
        state = _optimizer_state(optimizer, load_file(folder / OPTIMIZER))
    except UNREADABLE as error:
        raise CheckpointError(f"checkpoint {folder} cannot be read: {error}") from error
    encoder.load_state_dict(weights, strict=False)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return progress


def restore_weights(folder: Path, encoder: Encoder) -> TrainingProgress:
    """Load only the weights of a checkpoint, for evaluation or export.

    Raises:
        CheckpointError: a file is missing, cut short, or does not fit the encoder.
    """
    progress, weights = read(folder)
    try:
        _check_fits(encoder, weights)
    except UNREADABLE as error:
        raise CheckpointError(f"checkpoint {folder} does not fit the encoder: {error}") from error
    encoder.load_state_dict(weights, strict=False)
    return progress


def read(folder: Path) -> tuple[TrainingProgress, dict[str, Tensor]]:
    """Return the progress and the weights of a checkpoint.

    Raises:
        CheckpointError: a file is missing or truncated.
    """
    try:
        progress = _PROGRESS.validate_python(json.loads((folder / PROGRESS).read_text("utf-8")), extra="ignore")
        return progress, load_file(folder / WEIGHTS)
    except UNREADABLE as error:
        raise CheckpointError(f"checkpoint {folder} cannot be read: {error}") from error


def _trained(encoder: Encoder) -> dict[str, Tensor]:
    return {name: weight for name, weight in encoder.named_parameters() if weight.requires_grad}


def _check_fits(encoder: Encoder, weights: dict[str, Tensor]) -> None:
    if _shapes(weights) != _shapes(_trained(encoder)):
        raise ValueError("it holds other weights than the encoder trains")


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {f"{index}.{name}": tensor for index, moments in state.items() for name, tensor in moments.items()}


def _optimizer_state(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        if tensor.shape not in (parameters[int(index)].shape, ()):  # the count of steps is one number
            raise ValueError("it holds the optimizer's state of other weights than the encoder trains")
        state.setdefault(int(index), {})[name] = tensor
    return state
