"""Passages of any number in Arrow files: written once in one pass, memory-mapped ever after, no object per row.

Thirty-three million passages cost their bytes on disk, a batch of rows while they are converted, and nothing after.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.data.cache import cache_folder, once
from tasks.data.mapped import MappedTable
from tasks.data.records import content_digest
from tasks.schema import Passage, Texts

BATCH_ROWS = 2048
_SCHEMA = pa.schema({"id": pa.string(), "text": pa.string()})
_DIGEST = "digest"

Batches = Iterator[tuple[str, Any]]
"""Pool name and Arrow record batch with the columns `id` and `text`."""


def memory_mapped(recipe: str, sources: Sequence[Path], batches: Callable[[], Batches]) -> tuple[dict[str, Texts], str]:
    """Return one memory-mapped table a pool, converted on first use, and the digest of the sources' content.

    A conversion is kept in the cache under what identifies it: the recipe and each source's path, size and time.
    Folders under `<cache>/tables` may be deleted at any time.

    Args:
        recipe: says how rows are made; another recipe is another conversion.
        sources: the files `batches` reads.
        batches: yields all rows; called only for a conversion.
    """
    state = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in sources]
    key = hashlib.sha256(json.dumps([recipe, state]).encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        _write(folder, batches())
        (folder / _DIGEST).write_text(content_digest(sources), encoding="ascii")

    folder = once(cache_folder() / "tables" / key, build)
    mapped = {file.stem: MappedTable(file) for file in sorted(folder.glob("*.arrow"))}
    tables = {name: Texts(held.table, held.release) for name, held in mapped.items()}
    return tables, (folder / _DIGEST).read_text(encoding="ascii")


def in_batches(rows: Iterable[tuple[str, Passage]]) -> Batches:
    """Group a stream of (pool name, passage) into record batches of at most `BATCH_ROWS` rows, one list a pool."""
    waiting: dict[str, list[Passage]] = {}
    for pool, passage in rows:
        held = waiting.setdefault(pool, [])
        held.append(passage)
        if len(held) == BATCH_ROWS:
            yield pool, _batch(waiting.pop(pool))
    for pool, held in waiting.items():
        yield pool, _batch(held)


def _batch(passages: Sequence[Passage]) -> Any:
    ids, texts = zip(*passages, strict=True)
    return pa.record_batch([pa.array(ids, pa.string()), pa.array(texts, pa.string())], schema=_SCHEMA)


def _write(folder: Path, batches: Batches) -> None:
    with ExitStack() as open_files:
        writers: dict[str, Any] = {}
        for pool, batch in batches:
            if pool not in writers:
                writers[pool] = open_files.enter_context(pa.ipc.new_file(str(folder / f"{pool}.arrow"), _SCHEMA))
            writers[pool].write_batch(batch)
