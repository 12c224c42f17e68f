"""Files of a study, on this machine or on shared storage (S3, GCS, NFS): written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs


def absolute(folder: str) -> str:
    """Return a URI as it is, and a local path made absolute: workers do not share the driver's working directory."""
    folder = folder.removeprefix("file://")
    return str(Path(folder).expanduser().resolve()) if is_local(folder) else folder.rstrip("/")


def is_local(folder: str) -> bool:
    """Return whether a folder is a path: on this machine, or mounted here as NFS is."""
    return "://" not in folder


def join(folder: str, *parts: str) -> str:
    """Return a path or URI below `folder`."""
    return "/".join((folder.rstrip("/"), *parts))


def exists(path: str) -> bool:
    """Return whether a file or folder is there."""
    filesystem, inner = fs.FileSystem.from_uri(path)
    return bool(filesystem.get_file_info(inner).type != fs.FileType.NotFound)


def modified(path: str) -> float:
    """Return when a file was last written, in seconds since 1970."""
    filesystem, inner = fs.FileSystem.from_uri(path)
    return float(filesystem.get_file_info(inner).mtime_ns) / 1e9


def folders(path: str) -> list[str]:
    """Return the names of the folders in `path`, sorted; none where it does not exist."""
    filesystem, inner = fs.FileSystem.from_uri(path)
    found = filesystem.get_file_info(fs.FileSelector(inner, allow_not_found=True))
    return sorted(info.base_name for info in found if info.type == fs.FileType.Directory)


def remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    filesystem, inner = fs.FileSystem.from_uri(path)
    kind = filesystem.get_file_info(inner).type
    if kind == fs.FileType.Directory:
        filesystem.delete_dir(inner)
    elif kind != fs.FileType.NotFound:
        filesystem.delete_file(inner)


def read_json(path: str) -> Any:
    """Return the value of a JSON file."""
    filesystem, inner = fs.FileSystem.from_uri(path)
    with filesystem.open_input_stream(inner) as stream:
        return json.loads(stream.read())


def write_json(path: str, value: object) -> None:
    """Write a JSON file, replacing any there."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: str, text: str) -> None:
    """Write a text file in UTF-8, replacing any there."""
    _write(path, lambda filesystem, inner: _write_bytes(filesystem, inner, text.encode()))


def read_table(path: str) -> pa.Table:
    """Return a Parquet file's table."""
    filesystem, inner = fs.FileSystem.from_uri(path)
    return pq.read_table(inner, filesystem=filesystem)


def write_table(path: str, table: pa.Table) -> None:
    """Write a Parquet file, replacing any there."""
    _write(path, lambda filesystem, inner: pq.write_table(table, inner, filesystem=filesystem, compression="zstd"))


def _write(path: str, write: Callable[[fs.FileSystem, str], None]) -> None:
    filesystem, inner = fs.FileSystem.from_uri(path)
    filesystem.create_dir(inner.rpartition("/")[0], recursive=True)
    write(filesystem, inner + ".partial")
    filesystem.move(inner + ".partial", inner)


def _write_bytes(filesystem: fs.FileSystem, inner: str, content: bytes) -> None:
    with filesystem.open_output_stream(inner) as stream:
        stream.write(content)
