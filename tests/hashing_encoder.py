"""A deterministic encoder without weights: fit for tests of everything around an encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from study.retrieval.encode import Kind


class HashingEncoder:
    """The mean of a random vector for each character; what a text's batch holds does not change its embedding."""

    pads = True

    def __init__(self, width: int = 32, device: str = "cpu") -> None:
        self.width = width
        self.device = torch.device(device)
        self.embedded: list[list[list[int]]] = []
        """Token ids of every batch so far."""
        self._vectors = torch.randn((997, width), generator=torch.Generator().manual_seed(0))

    def eval(self) -> None:
        """There is no dropout to switch off."""

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        return [[len(kind), *map(ord, text)] for text in texts]

    def embed(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        self.embedded.append([list(ids) for ids in token_ids])
        embeddings = [F.normalize(self._vectors[torch.tensor(ids) % 997].mean(0), dim=0) for ids in token_ids]
        return torch.stack(embeddings).to(self.device)
