"""A long evaluation's counts on disk, so that one cut short goes on where it was.

Counts, and the best passages for a few queries, are all that an evaluation keeps of the passages it has seen, so a few
megabytes stand for any number of embeddings. Each process keeps its own file, and goes on only with the very queries
and relevant passages, down to the last bit of their embeddings: another model, other data or another number of
processes starts anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from study.distributed import rank, world_size
from study.retrieval.positions import PositionCounter
from study.retrieval.search import TopK

logger = logging.getLogger(__name__)
SAVE_EVERY_S = 60.0
"""Seconds between two writes; an evaluation that takes less never writes."""


class Partial:
    """What one process has counted of one benchmark."""

    def __init__(
        self, folder: Path, benchmark: str, counter: PositionCounter, searches: Mapping[frozenset[int], TopK]
    ) -> None:
        """Take up what an earlier run left in `folder`, if it is this counter's; likewise for the searches."""
        self._file = folder / f"{benchmark}-{rank()}-of-{world_size()}.safetensors"
        self._counter = counter
        self._searches = list(searches.values())
        self._saved = time.monotonic()
        self._identity = blake2b(b"".join(t.cpu().numpy().tobytes() for t in counter.asked())).hexdigest()
        self.parts = self._restored()
        """Parts of the benchmark that are counted already, in the order in which they are walked through."""

    def counted(self, parts: int) -> None:
        """Note that the first `parts` parts are counted."""
        self.parts = parts
        if time.monotonic() - self._saved >= SAVE_EVERY_S:
            try:
                self._save()
            except (OSError, SafetensorError) as error:
                logger.warning("%s cannot be written (%s): this evaluation cannot be resumed", self._file, error)
            self._saved = time.monotonic()

    def remove(self) -> None:
        """Forget everything: the evaluation is complete."""
        self._file.unlink(missing_ok=True)

    def _save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        whole = self._file.with_suffix(".partial")
        in_pool_QR, in_union_QR = self._counter.counts
        metadata = {"identity": self._identity, "parts": str(self.parts)}
        best = {f"best-{n}-{m}": held for n, one in enumerate(self._searches) for m, held in enumerate(one.kept)}
        save_file({"in_pool": in_pool_QR, "in_union": in_union_QR, **best}, whole, metadata)
        whole.replace(self._file)

    def _restored(self) -> int:
        if not self._file.is_file():
            return 0
        try:
            with safe_open(self._file, framework="pt") as held:
                metadata = held.metadata()
                if metadata["identity"] != self._identity:
                    return 0
                self._counter.counts = (held.get_tensor("in_pool"), held.get_tensor("in_union"))
                for n, search in enumerate(self._searches):
                    search.kept = (held.get_tensor(f"best-{n}-0"), held.get_tensor(f"best-{n}-1"))
                return int(metadata["parts"])
        except (OSError, SafetensorError):
            return 0  # cut short while it was written: nothing but time is lost
