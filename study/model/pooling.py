"""How the states of a text's tokens become one vector: one entry per pooling. Starts without torch.

Every pooling is right whether texts are padded at their end or at their start.

Shapes: B texts, L tokens, W width of the transformer. Masks are 1 for tokens and 0 for padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Pooling(NamedTuple):
    """One way to pool, and how sentence-transformers names it in `1_Pooling/config.json`."""

    pool: Callable[[Any, Tensor], Tensor]
    """Takes a transformer's output and the mask (B, L); returns vectors (B, W)."""
    mode: str
    """The value of `pooling_mode` since sentence-transformers 5."""
    flag: str
    """The key that is true in files of earlier versions, which all versions read."""
    uses_pooler: bool = False
    """Whether the transformer's own pooler is applied; it is stored as a dense layer after pooling `mode`."""


def _mean(output: Any, mask_BL: Tensor) -> Tensor:
    weight_BL1 = mask_BL.unsqueeze(-1).float()
    mean_BW: Tensor = (output.last_hidden_state.float() * weight_BL1).sum(1) / weight_BL1.sum(1)
    return mean_BW


def _weighted_mean(output: Any, mask_BL: Tensor) -> Tensor:
    """The n-th token of a text weighs n (SGPT, arXiv 2202.08904, section 3.2)."""
    weight_BL1 = (mask_BL.cumsum(1) * mask_BL).unsqueeze(-1).float()
    mean_BW: Tensor = (output.last_hidden_state.float() * weight_BL1).sum(1) / weight_BL1.sum(1)
    return mean_BW


def _first(output: Any, mask_BL: Tensor) -> Tensor:
    return _state_at(output.last_hidden_state, mask_BL.argmax(1))


def _last(output: Any, mask_BL: Tensor) -> Tensor:
    return _state_at(output.last_hidden_state, mask_BL.shape[1] - 1 - mask_BL.flip(1).argmax(1))


def _state_at(state_BLW: Tensor, position_B: Tensor) -> Tensor:
    index_B1W = position_B.view(-1, 1, 1).expand(-1, 1, state_BLW.shape[2])
    return state_BLW.gather(1, index_B1W).squeeze(1)


def _pooler(output: Any, mask_BL: Tensor) -> Tensor:  # noqa: ARG001 - the transformer has seen the mask
    pooled_BW: Tensor = output.pooler_output
    return pooled_BW


POOLINGS = {
    "mean": Pooling(_mean, "mean", "pooling_mode_mean_tokens"),
    "weighted_mean": Pooling(_weighted_mean, "weightedmean", "pooling_mode_weightedmean_tokens"),
    "first": Pooling(_first, "cls", "pooling_mode_cls_token"),
    "last": Pooling(_last, "lasttoken", "pooling_mode_lasttoken"),
    "pooler": Pooling(_pooler, "cls", "pooling_mode_cls_token", uses_pooler=True),
}
