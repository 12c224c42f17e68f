"""Linear layers in fp32 through oneDNN on AMD processors.

PyTorch gives fp32 products to MKL and only those in bfloat16 to oneDNN, but on an AMD EPYC with AVX-512 MKL is half as
fast: through oneDNN the same products differ by rounding only, and a training step takes two thirds of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from study.results import layout


def is_faster(device: torch.device) -> bool:
    """Return whether oneDNN is there and wins."""
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and "AMD" in layout.processor()


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
    """Return a b^T + bias."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")  # noqa: SLF001 - has no public name
    return product
