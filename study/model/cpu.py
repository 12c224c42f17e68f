"""Faster on CPUs: linear layers through oneDNN, and sparse gradients of the token embeddings.

PyTorch computes fp32 products with MKL and uses oneDNN only for bfloat16. On an AMD EPYC with AVX-512, MKL is half as
fast: through oneDNN the same products differ by rounding only, and a training step takes two thirds of the time. On one
with AVX2 alone, MKL is as fast (82 and 73 GFLOP/s a core, 2026-11-26).

oneDNN lays a weight out anew for every product, and autocast casts it first. Encoding, which multiplies by the same
weights thousands of times, does both once.

The gradient of a multilingual vocabulary is large: 250,000 x 384 numbers for multilingual-e5-small, of which a batch
touches a few thousand rows. A dense gradient would be filled with zeros and added up in every micro-batch, and
exchanged between processes in every step. Here autograd computes a sparse gradient and the processes exchange its rows.
Clipping and the optimizer see the usual dense gradient, which is kept between steps and cleared where it was touched.
GPUs, whose memory is much faster, and compiled transformers use the dense gradient; frozen embeddings have none.

DDP ignores this gradient. With DDP's own all-reduce of sparse gradients, 3 of 12 runs of two processes and 360 steps
ended in a segmentation fault (torch 2.13, 2026-11-24); with dense gradients none of 16 did, and as here none of 25.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.parallel import DistributedDataParallel

from study.config import TrialConfig
from study.distributed import gather_alike, world_size
from study.model.encoder import Encoder
from study.results import provenance


def use_onednn(module: nn.Module, *, bf16: bool) -> None:
    """Make every linear layer of a module multiply through oneDNN where that is faster.

    Weights and their names do not change.

    Args:
        module: on the CPU.
        bf16: it runs under bfloat16 autocast.
    """
    if not torch.backends.mkldnn.is_available():
        return
    if bf16:
        faster = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 - has no public name
    else:
        faster = "AMD" in provenance.processor() and "avx512f" in provenance.instructions()
    if faster:
        multiply_through_onednn(module)


def multiply_through_onednn(module: nn.Module) -> None:
    """Make every linear layer of a module multiply through oneDNN; see `use_onednn`."""
    for layer in module.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = _OneDnnLinear


class _OneDnnLinear(nn.Linear):
    _laid_out: tuple[object, Tensor, Tensor | None] | None = None
    """What they are copies of, and weight and bias as oneDNN wants them; kept until the mode or the weight changes."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave the copies out: oneDNN's cannot be copied or pickled."""
        return {name: value for name, value in vars(self).items() if name != "_laid_out"}

    def train(self, mode: bool = True) -> Self:
        self._laid_out = None
        return super().train(mode)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
        bf16 = torch.is_autocast_enabled("cpu")
        if self.training or torch.is_grad_enabled() or not input.numel():  # oneDNN refuses empty input
            return super().forward(input) if bf16 else _linear(input, self.weight, self.bias)
        dtype = torch.bfloat16 if bf16 else input.dtype
        source = (dtype, self.weight.data_ptr(), self.weight._version)  # noqa: SLF001 - has no public name
        if self._laid_out is None or self._laid_out[0] != source:
            weight = torch.ops.mkldnn._reorder_linear_weight(self.weight.to(dtype))  # noqa: SLF001 - has no public name
            bias: Tensor | None = self.bias
            self._laid_out = source, weight, None if bias is None else bias.to(dtype)
        return _product(input.to(dtype), *self._laid_out[1:])


class _Linear(torch.autograd.Function):
    """Computes x W^T + b. Shapes: T tokens of all texts, I inputs, O outputs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight_OI)
        return _product(x, weight_OI, bias_O)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight_OI = ctx.saved_tensors
        x_needed, weight_needed, bias_needed = ctx.needs_input_grad
        gradient_TO, x_TI = gradient.flatten(0, -2), x.flatten(0, -2)
        return (
            _product(gradient_TO, weight_OI.T).view_as(x) if x_needed else None,
            _product(gradient_TO.T, x_TI.T) if weight_needed else None,
            gradient_TO.sum(0) if bias_needed else None,
        )


_linear: Callable[..., Tensor] = _Linear.apply


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return a b^T + bias."""
    if not (a.numel() and b.numel()):  # oneDNN refuses empty input, such as that of an expert without tokens
        return F.linear(a, b, bias)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")  # noqa: SLF001 - has no public name
    return product


class TouchedRows:
    """Sparse gradients of an encoder's token embeddings; create it before DDP wraps the encoder.

    Args:
        encoder: its token embeddings are changed in place.
        config: the trial.
    """

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
        """Add up the rows of all micro-batches so far, so that memory does not grow with their number."""
        if self._sparse and self._weight.grad is not None:
            self._weight.grad = self._weight.grad.coalesce()

    def densify(self) -> None:
        """Replace the sparse gradient of all micro-batches by its dense mean over all processes."""
        if not self._sparse:
            return
        assert self._weight.grad is not None
        own = self._weight.grad.coalesce()
        indices, summands = gather_alike(own.indices()[0], own.values())
        if self._dense is None:
            self._dense = torch.zeros_like(self._weight)
        else:
            self._dense[self._touched] = 0
        self._touched = indices
        self._dense.index_add_(0, indices, summands / world_size())
        self._weight.grad = self._dense
