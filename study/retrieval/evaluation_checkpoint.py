"""Checkpoints of a long evaluation, so that one that is interrupted continues where it stopped.

Counts, and the best passages for a few queries, are all that an evaluation keeps of the passages it has read, so a few
megabytes stand for any number of embeddings. Each process writes its own file. It continues from the file only if the
code and the benchmark's revision are the same, and the embeddings of the queries and relevant passages are equal to the
last bit. With another model, other data, other code or another number of processes it starts from the beginning.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from study.distributed import rank, world_size
from study.results.provenance import project_version
from study.retrieval.positions import PositionCounter
from study.retrieval.search import TopK
from tasks.schema import Benchmark

logger = logging.getLogger(__name__)
SAVE_EVERY_S = 60.0
"""Seconds between two writes; an evaluation that takes less never writes."""


class Partial:
    """The checkpoint of one process on one benchmark."""

    def __init__(
        self, folder: Path | None, benchmark: Benchmark, counters: Sequence[PositionCounter], searches: Sequence[TopK]
    ) -> None:
        """Continue from what an earlier run left in `folder`, if it counted for the same queries and passages.

        Without a folder nothing is kept.
        """
        self._file = folder / f"{benchmark.name}-{rank()}-of-{world_size()}.safetensors" if folder else None
        self._counters = counters
        self._searches = searches
        self._saved = time.monotonic()
        asked = (tensor.cpu().numpy().tobytes() for counter in counters for tensor in counter.asked())
        self._identity = blake2b(
            b"".join([project_version().encode(), benchmark.revision.encode(), *asked])
        ).hexdigest()
        self.parts = self._restored()
        """How many parts of the benchmark are counted already, in the order in which they are read."""

    def counted(self, parts: int) -> None:
        """Record that the first `parts` parts are counted."""
        self.parts = parts
        if time.monotonic() - self._saved >= SAVE_EVERY_S:
            self._write()

    def complete(self) -> None:
        """Record that all parts are counted: other processes or benchmarks may take long yet, or fail."""
        if self._file and (self._file.is_file() or time.monotonic() - self._saved >= SAVE_EVERY_S):
            self._write()

    def _write(self) -> None:
        if not self._file:
            return
        try:
            self._save(self._file)
        except (OSError, SafetensorError) as error:
            logger.warning("%s cannot be written (%s): this evaluation cannot be resumed", self._file, error)
        self._saved = time.monotonic()

    def _save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = file.with_suffix(".partial")
        metadata = {"identity": self._identity, "parts": str(self.parts)}
        save_file(self._tensors(), whole, metadata)
        whole.replace(file)

    def _tensors(self) -> dict[str, Tensor]:
        """Return everything that is kept, by its name in the file."""
        counts = {
            f"counts-{n}-{m}": t for n, counter in enumerate(self._counters) for m, t in enumerate(counter.counts)
        }
        best = {f"best-{n}-{m}": t for n, search in enumerate(self._searches) for m, t in enumerate(search.kept)}
        return counts | best

    def _restored(self) -> int:
        if not self._file or not self._file.is_file():
            return 0
        try:
            with safe_open(self._file, framework="pt") as saved:
                metadata = saved.metadata()
                if metadata["identity"] != self._identity:
                    return 0
                parts, now = int(metadata["parts"]), self._tensors()
                kept = {name: saved.get_tensor(name) for name in now}
        except (OSError, SafetensorError):
            return 0  # an incomplete file: count from the beginning
        if any(kept[name].shape != tensor.shape for name, tensor in now.items()):
            return 0
        for n, counter in enumerate(self._counters):
            counter.counts = (kept[f"counts-{n}-0"], kept[f"counts-{n}-1"])
        for n, search in enumerate(self._searches):
            search.kept = (kept[f"best-{n}-0"], kept[f"best-{n}-1"])
        return parts
