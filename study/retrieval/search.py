"""Exact top-k search by FAISS over a stream of passages, merged over processes.

Run files, hard negatives, examples and `tasks.top_lists` need it; other metrics count positions (`positions`).

Shapes: Q queries, N passages of a block, V windows of each, M of all, D width, K best passages.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import faiss
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from study.distributed import gather_rows, world_size
from study.retrieval.positions import TIE


class Hits(NamedTuple):
    """The best passages of each query, best first."""

    score_QK: npt.NDArray[np.float32]
    """-inf where fewer than K passages were added."""
    key_QK: npt.NDArray[np.int64]
    """The keys the passages were added under; -1 where there is none."""


class TopK:
    """Keeps, over all blocks added, the K passages that score highest for each query; memory is Q x K."""

    def __init__(self, query_QD: Tensor, k: int) -> None:
        """Start without passages; `query_QD` holds float32 embeddings of at least one query."""
        self._device = query_QD.device
        self._query_QD = query_QD.cpu().numpy()
        self._k = k
        self._heap = faiss.ResultHeap(len(query_QD), k, keep_max=True)

    def add(self, passage_NVD: Tensor, key_N: Tensor) -> None:
        """Search a block of this process's passages; `key_N` holds their keys, 0 or more."""
        passages, windows, _ = passage_NVD.shape
        if not passages:
            return
        window_MD = passage_NVD.flatten(0, 1).cpu().numpy()
        # The best K x V windows belong to at least K passages.
        k = min(self._k, passages) * windows
        score_QK, window_QK = faiss.knn(self._query_QD, window_MD, k, faiss.METRIC_INNER_PRODUCT)
        place_QK = window_QK // windows
        if windows > 1:
            score_QK[_repeated(place_QK)] = -np.inf
        self._heap.add_result(score_QK, key_N.cpu().numpy()[place_QK])

    @property
    def kept(self) -> tuple[Tensor, Tensor]:
        """Scores and keys (Q, K) that this process has so far; can be set to restore a search."""
        return torch.from_numpy(self._heap.D), torch.from_numpy(self._heap.I)

    @kept.setter
    def kept(self, scores_and_keys: tuple[Tensor, Tensor]) -> None:
        self._heap.D[:], self._heap.I[:] = (tensor.numpy() for tensor in scores_and_keys)

    def best(self) -> Hits:
        """Return the best passages of all processes; every process must call this, and gets the same answer.

        Ties (see `positions`) are ordered by key. Which of several ties across the K-th place are kept is not defined.
        """
        score_QK, key_QK = self._joined(self._heap.D), self._joined(self._heap.I)
        by_score_QK = np.argsort(-score_QK, axis=1, kind="stable")
        score_QK, key_QK = _reordered(score_QK, key_QK, by_score_QK)
        # A new group begins where the score falls by more than a tie.
        group_QK = np.cumsum(-np.diff(score_QK, axis=1, prepend=score_QK[:, :1]) > TIE, axis=1)
        by_group_QK = np.lexsort((key_QK, group_QK), axis=1)[:, : self._k]
        score_QK, key_QK = _reordered(score_QK, key_QK, by_group_QK)
        return Hits(np.where(key_QK >= 0, score_QK, -np.inf).astype(np.float32), key_QK)

    def _joined(self, own_QK: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return every process's (Q, K) side by side."""
        gathered = gather_rows(torch.from_numpy(own_QK).to(self._device)).cpu()
        joined: Tensor = gathered.view(world_size(), len(own_QK), -1).transpose(0, 1)
        return joined.reshape(len(own_QK), -1).numpy()


def _repeated(place_QK: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return the entries of a row whose value is also further left in it."""
    by_place_QK = np.argsort(place_QK, axis=1, kind="stable")
    again_QK = np.diff(np.take_along_axis(place_QK, by_place_QK, axis=1), axis=1, prepend=-1) == 0
    repeated_QK: npt.NDArray[np.bool_] = np.empty(place_QK.shape, dtype=np.bool_)
    np.put_along_axis(repeated_QK, by_place_QK, again_QK, axis=1)
    return repeated_QK


def _reordered(
    score_QK: npt.NDArray[Any], key_QK: npt.NDArray[Any], order_QK: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return np.take_along_axis(score_QK, order_QK, axis=1), np.take_along_axis(key_QK, order_QK, axis=1)
