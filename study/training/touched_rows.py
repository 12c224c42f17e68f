"""The token embeddings' gradient as the few rows that a batch touches, on CPUs.

A multilingual vocabulary makes it large: 250,000 x 384 numbers for multilingual-e5-small, of which a batch touches a
few thousand rows. As a dense matrix it would be filled with zeros and added up once a micro-batch, and go through the
network once a step. So autograd and DDP see a sparse gradient, and whoever clips and updates sees the dense one they
always saw, kept between steps and cleared where it was touched. GPUs, whose memory is much faster, keep the
dense gradient, as do compiled transformers; frozen embeddings have none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from study.config import TrialConfig
from study.training.encoder import Encoder


class TouchedRows:
    """Makes the encoder's token embeddings give sparse gradients; to be made before DDP wraps the encoder."""

    def __init__(self, encoder: Encoder, config: TrialConfig) -> None:
        embedding: nn.Embedding = encoder.transformer.get_input_embeddings()
        self._sparse = encoder.device.type == "cpu" and embedding.weight.requires_grad and not config.compile
        embedding.sparse = self._sparse
        self._weight = embedding.weight
        self._dense: Tensor | None = None
        self._touched: Tensor | None = None

    def add_up(self) -> None:
        """Add up what several micro-batches left for the same rows, so that memory does not grow with their number."""
        if self._sparse and self._weight.grad is not None:
            self._weight.grad = self._weight.grad.coalesce()

    def densify(self) -> None:
        """Replace the sparse gradient, whole once all micro-batches and ranks are in it, by the dense one."""
        if not self._sparse:
            return
        assert self._weight.grad is not None
        rows = self._weight.grad.coalesce()
        if self._dense is None:
            self._dense = torch.zeros_like(self._weight)
        else:
            self._dense[self._touched] = 0
        self._touched = rows.indices()[0]
        self._dense[self._touched] = rows.values()
        self._weight.grad = self._dense
