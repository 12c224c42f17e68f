"""Passages of any number in Arrow files: written once in one pass, memory-mapped afterwards, no object per row.

Thirty-three million passages cost their bytes on disk, a batch of rows while they are converted, and nothing after.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tasks.data.cache import cache_folder, once
from tasks.data.mapped import MappedTable
from tasks.data.records import content_digest
from tasks.plugins import TaskError
from tasks.schema import Passage, Rows, Texts

BATCH_ROWS = 2048
_VERSION = "3"
"""Version of the converted files; another version converts again."""
_SCHEMA = pa.schema({"id": pa.string(), "text": pa.string()})
_DIGEST, _COPIES = "digest", "copies.json"

Batches = Iterator[tuple[str, Any]]
"""Pool name and Arrow record batch with the columns `id` and `text`."""


class TwoTextsError(TaskError):
    """Two passages with one id and different texts."""

    def __init__(self, passage: str, sources: Sequence[Path]) -> None:
        super().__init__(f"passage '{passage}' has two texts in {', '.join(map(str, sources))}: remove one of them")
        self.id = passage


class MappedPool(NamedTuple):
    """The passages of one pool."""

    texts: Texts
    digest: str
    """Digest of the content of all sources."""
    copies: int
    """Rows of the sources that repeat a passage; they are left out."""


class Mapped(NamedTuple):
    """A finished conversion."""

    pools: Mapping[str, MappedPool]
    digest: str
    """Digest of the content of the sources."""


def memory_mapped(recipe: str, sources: Sequence[Path], batches: Callable[[], Batches]) -> Mapped:
    """Return one memory-mapped table per pool, converted on first use.

    A conversion is kept in the cache under what identifies it: the recipe and each source's path, size and time.
    Folders under `<cache>/tables` may be deleted at any time.

    Args:
        recipe: says how rows are made; another recipe is another conversion.
        sources: the files `batches` reads.
        batches: yields all rows; called only for a conversion.

    Raises:
        TwoTextsError: rows of one pool have the same id and different texts.
    """
    state = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in sources]
    key = hashlib.sha256(json.dumps([_VERSION, recipe, state]).encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        files = _write(folder, batches())
        copies = {pool: _remove_copies(file, sources) for pool, file in files.items()}
        (folder / _COPIES).write_text(json.dumps(copies), encoding="utf-8")
        (folder / _DIGEST).write_text(content_digest(sources), encoding="ascii")

    folder = once(cache_folder() / "tables" / key, build)
    digest = (folder / _DIGEST).read_text(encoding="ascii")
    pools = {}
    for pool, copies in json.loads((folder / _COPIES).read_text(encoding="utf-8")).items():
        mapped = MappedTable(folder / f"{pool}.arrow")
        pools[pool] = MappedPool(Texts(mapped.table, mapped.release), digest, copies)
    return Mapped(pools, digest)


def in_batches(rows: Iterable[tuple[str, Passage]]) -> Batches:
    """Group a stream of (pool name, passage) into record batches of at most `BATCH_ROWS` rows, one list per pool."""
    waiting: dict[str, list[Passage]] = {}
    for pool, passage in rows:
        passages = waiting.setdefault(pool, [])
        passages.append(passage)
        if len(passages) == BATCH_ROWS:
            yield pool, _batch(waiting.pop(pool))
    for pool, passages in waiting.items():
        yield pool, _batch(passages)


def _batch(passages: Sequence[Passage]) -> Any:
    ids, texts = zip(*passages, strict=True)
    return pa.record_batch([pa.array(ids, pa.string()), pa.array(texts, pa.string())], schema=_SCHEMA)


def _write(folder: Path, batches: Batches) -> dict[str, Path]:
    """Write a file per pool, and return them sorted by pool."""
    files: dict[str, Path] = {}
    with ExitStack() as open_files:
        writers: dict[str, Any] = {}
        for pool, batch in batches:
            if pool not in writers:
                files[pool] = folder / f"{pool}.arrow"
                writers[pool] = open_files.enter_context(pa.ipc.new_file(str(files[pool]), _SCHEMA))
            writers[pool].write_batch(batch)
    return dict(sorted(files.items()))


def _remove_copies(file: Path, sources: Sequence[Path]) -> int:
    """Keep the first row of each id, and return how many are removed.

    Raises:
        TwoTextsError: rows of one id have different texts.
    """
    mapped = MappedTable(file)
    copies = _copies(mapped, sources)
    if len(copies):
        kept = file.with_suffix(".kept")
        is_kept = np.ones(len(mapped), np.bool_)
        is_kept[copies] = False
        with pa.ipc.new_file(str(kept), _SCHEMA) as out:
            start = 0
            for batch in mapped.table.to_batches():
                out.write_batch(batch.filter(pa.array(is_kept[start : start + len(batch)])))
                start += len(batch)
                mapped.release()
        kept.replace(file)
    return len(copies)


def _copies(mapped: MappedTable, sources: Sequence[Path]) -> Rows:
    """Return the rows, ascending, that repeat an earlier one."""
    hashes = np.empty(len(mapped), np.int64)  # 8 bytes per passage, where a set of ids would take a hundred
    start = 0
    for chunk in mapped.table["id"].chunks:
        hashes[start : start + len(chunk)] = [hash(passage) for passage in chunk.to_pylist()]
        start += len(chunk)
        mapped.release()
    values, counts = np.unique(hashes, return_counts=True)
    text_of: dict[str, str] = {}
    copies = []
    for row in np.flatnonzero(np.isin(hashes, values[counts > 1])).tolist():
        passage, text = mapped.value("id", row), mapped.value("text", row)
        if passage not in text_of:
            text_of[passage] = text
        elif text_of[passage] == text:
            copies.append(row)
        else:
            raise TwoTextsError(passage, sources)
    return np.array(copies, np.int64)
