"""How the states of a text's tokens become one vector: one entry per pooling. Starts without torch.

Shapes: B texts, T tokens of all texts, W width of the transformer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from study.model.tokens import TextStates


class Pooling(NamedTuple):
    """One way to pool, and how sentence-transformers names it in `1_Pooling/config.json`."""

    pool: Callable[[TextStates], Tensor]
    """Takes the states of B texts; returns vectors (B, W)."""
    mode: str
    """The value of `pooling_mode` since sentence-transformers 5."""
    flag: str
    """The key that is true in files of earlier versions, which all versions read."""
    uses_pooler: bool = False
    """Whether the transformer's own pooler is applied instead; it is stored as a dense layer after pooling `mode`."""


def _mean(texts: TextStates) -> Tensor:
    return texts.sum(texts.state_TW.float()) / texts.lengths_B[:, None]


def _weighted_mean(texts: TextStates) -> Tensor:
    """The n-th token of a text weighs n (SGPT, arXiv 2202.08904, section 3.2)."""
    state_TW, lengths_B = texts
    start_B = lengths_B.cumsum(0) - lengths_B
    start_T = start_B.repeat_interleave(lengths_B, output_size=len(state_TW))
    weight_T = start_T.new_ones(len(state_TW)).cumsum(0) - start_T
    return texts.sum(state_TW.float() * weight_T[:, None]) / (lengths_B * (lengths_B + 1) / 2)[:, None]


def _first(texts: TextStates) -> Tensor:
    return texts.state_TW[texts.lengths_B.cumsum(0) - texts.lengths_B]


def _last(texts: TextStates) -> Tensor:
    return texts.state_TW[texts.lengths_B.cumsum(0) - 1]


POOLINGS = {
    "mean": Pooling(_mean, "mean", "pooling_mode_mean_tokens"),
    "weighted_mean": Pooling(_weighted_mean, "weightedmean", "pooling_mode_weightedmean_tokens"),
    "first": Pooling(_first, "cls", "pooling_mode_cls_token"),
    "last": Pooling(_last, "lasttoken", "pooling_mode_lasttoken"),
    "pooler": Pooling(_first, "cls", "pooling_mode_cls_token", uses_pooler=True),
}
