"""Linear layers in fp32 through oneDNN on AMD processors.

PyTorch gives fp32 products to MKL and only those in bfloat16 to oneDNN, but on an AMD EPYC with AVX-512 MKL is half as
fast: through oneDNN the same products differ by rounding only, and a training step takes two thirds of the time.

The token embeddings' gradient as the few rows that a batch touches, on CPUs.

A multilingual vocabulary makes it large: 250,000 x 384 numbers for multilingual-e5-small, of which a batch touches a
few thousand rows. As a dense matrix it would be filled with zeros and added up once a micro-batch, and go through the
network once a step. So autograd sees a sparse gradient, the ranks exchange its rows, and whoever clips and updates sees
the dense one they always saw, kept between steps and cleared where it was touched. GPUs, whose memory is much faster,
keep the dense gradient, as do compiled transformers; frozen embeddings have none.

DDP is told to leave this gradient alone: with its own all-reduce of sparse gradients 3 of 12 runs of two processes and
360 steps ended in a segmentation fault (torch 2.13, 2026-11-24); with dense gradients, or as here, none of 16 and 25.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.parallel import DistributedDataParallel

from study.config import TrialConfig
from study.distributed import gather_rows, world_size
from study.model.encoder import Encoder
from study.results import provenance


def is_faster(device: torch.device) -> bool:
    """Return whether oneDNN is there and wins."""
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and "AMD" in provenance.processor()


def use_onednn(module: nn.Module) -> None:
    """Let every linear layer of a module multiply through oneDNN; weights and their names stay as they are."""
    for layer in module.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = _OneDnnLinear


class _OneDnnLinear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
        return _linear(input, self.weight, self.bias)


class _Linear(torch.autograd.Function):
    """x W^T + b; T tokens of all texts, I inputs, O outputs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight_OI)
        return _product(x, weight_OI, bias_O)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight_OI = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        gradient_TO, x_TI = gradient.flatten(0, -2), x.flatten(0, -2)
        return (
            _product(gradient_TO, weight_OI.T).view_as(x) if of_x else None,
            _product(gradient_TO.T, x_TI.T) if of_weight else None,
            gradient_TO.sum(0) if of_bias else None,
        )


_linear: Callable[..., Tensor] = _Linear.apply


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return a b^T + bias; oneDNN refuses a product with nothing in it, such as that of an expert without tokens."""
    if not (a.numel() and b.numel()):
        return F.linear(a, b, bias)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")  # noqa: SLF001 - has no public name
    return product


class TouchedRows:
    """Makes the encoder's token embeddings give sparse gradients; to be made before DDP wraps the encoder."""

    def __init__(self, encoder: Encoder, config: TrialConfig) -> None:
        embedding: nn.Embedding = encoder.transformer.get_input_embeddings()
        self._sparse = encoder.device.type == "cpu" and embedding.weight.requires_grad and not config.compile
        for module in encoder.modules():  # T5 has two that share the weight
            if isinstance(module, nn.Embedding) and module.weight is embedding.weight:
                module.sparse = self._sparse
        if self._sparse:
            parameters = encoder.named_parameters(remove_duplicate=False)
            names = [name for name, parameter in parameters if parameter is embedding.weight]
            DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(encoder, names)  # noqa: SLF001 - no other way
        self._weight = embedding.weight
        self._dense: Tensor | None = None
        self._touched: Tensor | None = None

    def add_up(self) -> None:
        """Add up what several micro-batches left for the same rows, so that memory does not grow with their number."""
        if self._sparse and self._weight.grad is not None:
            self._weight.grad = self._weight.grad.coalesce()

    def densify(self) -> None:
        """Replace the sparse gradient, whole once all micro-batches are in it, by the dense mean over ranks."""
        if not self._sparse:
            return
        assert self._weight.grad is not None
        own = self._weight.grad.coalesce()
        indices, values = gather_rows(own.indices()[0]), gather_rows(own.values()) / world_size()
        if self._dense is None:
            self._dense = torch.zeros_like(self._weight)
        else:
            self._dense[self._touched] = 0
        self._touched = indices
        self._dense.index_add_(0, indices, values)
        self._weight.grad = self._dense
