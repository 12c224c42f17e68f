"""Read the files of a data set of the hub, downloaded or from a local copy, and the rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from tasks.data import hub
from tasks.data.columns import readable_parquet, text_column
from tasks.paths import user_path
from tasks.plugins import TaskError

BATCH_ROWS = 2048


class Repository(NamedTuple):
    """A data set of the hub at a fixed commit."""

    name: str
    revision: str


def files_in(corpus: str, path: Path | None, source: Repository, folder: str, pattern: str = "*.parquet") -> list[Path]:
    """Return the files of one folder of the repository whose names match, sorted; downloaded if no `path` is given.

    Args:
        corpus: its name, for messages.
        path: a local copy of the repository.
        source: the repository that is downloaded without one.
        folder: in the repository.
        pattern: of file names.

    Raises:
        TaskError: the local copy has no such file, or the download fails.
    """
    matching = [f"{folder}/{pattern}"]
    root = user_path(path) if path else hub.dataset_folder(source.name, source.revision, matching)
    files = sorted(file for file in (root / folder).glob(pattern) if file.is_file())
    if not files:
        raise TaskError(f"'{corpus}' needs files {root / folder / pattern}: copy them from {source.name}")
    return files


def parquet_texts(files: Sequence[Path], columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the texts of each row's columns, stripped of white space; rows with an empty text are skipped.

    Raises:
        TaskError: a file is damaged, a Git LFS pointer, or lacks a column.
    """
    for file in files:
        with readable_parquet(file):
            table = pq.ParquetFile(file)
            missing = [column for column in columns if column not in table.schema_arrow.names]
            if missing:
                raise TaskError(f"{file} has the columns {', '.join(table.schema_arrow.names)}, but not {missing[0]}")
            for batch in table.iter_batches(BATCH_ROWS, columns=list(columns)):
                values = (text_column(file, column, batch[column]).to_pylist() for column in columns)
                for row in zip(*values, strict=True):
                    texts = tuple((text or "").strip() for text in row)
                    if all(texts):
                        yield texts
