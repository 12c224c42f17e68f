"""A batch of texts as the transformer receives it: their token ids, with padding or one text after the other.

Shapes: B texts, L tokens of the longest, T tokens of all texts, W width of the transformer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tasks.schema import Rows


class Spans(NamedTuple):
    """Where each text of a batch without padding lies among its tokens."""

    lengths: list[int]
    bounds_B1: Tensor
    """Where each text begins, and where the last one ends, int32."""


class Positions(NamedTuple):
    """How a transformer numbers the tokens of a text."""

    padding: int | None
    """None: from 0. Otherwise, as in fairseq, from the one after this id, and tokens with this id do not count."""

    def of(self, ids_T: Rows, lengths_B: Rows) -> Rows:
        """Return the position id of each token; they begin anew with each text."""
        counts_T = np.ones_like(ids_T) if self.padding is None else (ids_T != self.padding).astype(np.int64)
        number_T: Rows = counts_T.cumsum()
        before_B = np.concatenate([[0], number_T])[lengths_B.cumsum() - lengths_B]
        number_T -= np.repeat(before_B, lengths_B)
        position_T: Rows = number_T - 1 if self.padding is None else self.padding + number_T * counts_T
        return position_T


@dataclass(frozen=True)
class Tokens:
    """A batch of texts, on the CPU until `to` moves it."""

    inputs: dict[str, Any]
    """What the transformer is called with."""
    lengths_B: Tensor
    """Tokens of each text, int64."""
    place_T: Tensor | None
    """Where the texts' tokens are among the flattened inputs, int64; None where these have no padding."""

    @classmethod
    def padded(cls, token_ids: Sequence[Sequence[int]], padding: int) -> Tokens:
        """Return texts padded at their end to the longest, inputs of shape (B, L), for any transformer."""
        ids_T, lengths_B = _flat(token_ids)
        is_token_BL = np.arange(lengths_B.max()) < lengths_B[:, None]
        ids_BL = np.full(is_token_BL.shape, padding, dtype=np.int64)
        ids_BL[is_token_BL] = ids_T
        inputs = {"input_ids": torch.from_numpy(ids_BL), "attention_mask": torch.from_numpy(is_token_BL.astype(int))}
        return cls(inputs, torch.from_numpy(lengths_B), torch.from_numpy(np.flatnonzero(is_token_BL)))

    @classmethod
    def packed(cls, token_ids: Sequence[Sequence[int]], positions: Positions) -> Tokens:
        """Return texts one after the other, inputs of shape (1, T), for transformers that `packing` knows."""
        ids_T, lengths_B = _flat(token_ids)
        bounds_B1 = np.concatenate([[0], lengths_B.cumsum()])
        inputs = {
            "input_ids": torch.from_numpy(ids_T)[None],
            "position_ids": torch.from_numpy(positions.of(ids_T, lengths_B))[None],
            "spans": Spans(lengths_B.tolist(), torch.from_numpy(bounds_B1.astype(np.int32))),
        }
        return cls(inputs, torch.from_numpy(lengths_B), None)

    def to(self, device: torch.device) -> Tokens:
        """Return the same batch on `device`."""
        if device.type == "cpu":
            return self
        inputs = {
            name: value._replace(bounds_B1=move(value.bounds_B1, device))
            if isinstance(value, Spans)
            else move(value, device)
            for name, value in self.inputs.items()
        }
        place_T = None if self.place_T is None else move(self.place_T, device)
        return Tokens(inputs, move(self.lengths_B, device), place_T)

    def states(self, state_BLW: Tensor) -> TextStates:
        """Return the states of the texts' tokens from those that the transformer returned for its inputs."""
        state_TW = state_BLW.flatten(0, 1)
        return TextStates(state_TW if self.place_T is None else state_TW[self.place_T], self.lengths_B)


class TextStates(NamedTuple):
    """The states of the tokens of all texts, one text after the other."""

    state_TW: Tensor
    lengths_B: Tensor
    """Tokens of each text, int64."""

    def sum(self, summand_TW: Tensor) -> Tensor:
        """Return the sums (B, W) over each text, the same every time on a GPU too."""
        # `unsafe` leaves out a check for which this process would wait for the GPU.
        return torch.segment_reduce(summand_TW, "sum", lengths=self.lengths_B, unsafe=True)


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on `device`; from pinned memory, so that this process does not wait for a GPU."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _flat(token_ids: Sequence[Sequence[int]]) -> tuple[Rows, Rows]:
    """Return the token ids of all texts, and how many each text has."""
    lengths_B = np.array([len(ids) for ids in token_ids], dtype=np.int64)
    return np.fromiter(chain.from_iterable(token_ids), dtype=np.int64, count=lengths_B.sum()), lengths_B
