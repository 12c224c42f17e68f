"""The token embeddings' gradient as the few rows that a batch touches, on CPUs.

A multilingual vocabulary makes it large: 250,000 x 384 numbers for multilingual-e5-small, of which a batch touches a
few thousand rows. As a dense matrix it would be filled with zeros and added up once a micro-batch, and go through the
network once a step. So autograd sees a sparse gradient, the ranks exchange its rows, and whoever clips and updates sees
the dense one they always saw, kept between steps and cleared where it was touched. GPUs, whose memory is much faster,
keep the dense gradient, as do compiled transformers; frozen embeddings have none.

DDP is told to leave this gradient alone: with its own all-reduce of sparse gradients 3 of 12 runs of two processes and
360 steps ended in a segmentation fault (torch 2.13, 2026-11-24); with dense gradients, or as here, none of 16 and 25.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from study.config import TrialConfig
from study.distributed import gather_rows, world_size
from study.model.encoder import Encoder


class TouchedRows:
    """Makes the encoder's token embeddings give sparse gradients; to be made before DDP wraps the encoder."""

    def __init__(self, encoder: Encoder, config: TrialConfig) -> None:
        embedding: nn.Embedding = encoder.transformer.get_input_embeddings()
        self._sparse = encoder.device.type == "cpu" and embedding.weight.requires_grad and not config.compile
        embedding.sparse = self._sparse
        if self._sparse:
            (name,) = [name for name, parameter in encoder.named_parameters() if parameter is embedding.weight]
            DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(encoder, [name])  # noqa: SLF001 - no other way
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
