"""Read and write files on this machine or on shared storage (S3, GCS, NFS).

A file is written under another name, forced to disk and then renamed: after a crash it is the old one or the new one.
"""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from tasks.errors import UserError
from tasks.paths import user_path

NOT_IN_URIS = r"""[?#<>"{}|\\^`]|[^!-~]|%(?![0-9A-Fa-f]{2})"""
"""Characters that would end a path in a URI, or that a URI has to write otherwise."""
SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs")
"""File systems that pyarrow can use."""


def absolute(folder: str) -> str:
    """Return a URI unchanged and a local path as an absolute one, since workers have another working directory.

    Links are not followed: other nodes may have the same path without the same link.

    Raises:
        UserError: a URI of an unknown scheme or with characters that a URI reads otherwise, or what can be no path on
            this machine.
    """
    folder = folder.removeprefix("file://")
    scheme, _, place = folder.partition("://")
    if not is_local(folder) and (scheme not in SCHEMES or not place):
        raise UserError(
            f"'{folder}' is refused: write a folder, or a URI that begins with "
            f"{', '.join(f'{known}://' for known in SCHEMES)}"
        )
    if is_local(folder):
        return os.path.abspath(user_path(folder))  # noqa: PTH100 - pathlib's own `absolute` keeps `..`
    if other := re.search(NOT_IN_URIS, place):
        raise UserError(
            f"'{folder}' is refused: {other[0]!r} ends a path in a URI or is written otherwise: use other characters, "
            "and for a region or an endpoint the environment variables AWS_REGION and AWS_ENDPOINT_URL"
        )
    return folder.rstrip("/")


def is_local(folder: str) -> bool:
    """Return whether a folder is a path on this machine (NFS mounts included), not a URI."""
    return "://" not in folder


def check_writable(folder: Path) -> None:
    """Check that files can be written into a local folder, or that it can be made; make nothing.

    Raises:
        OSError: neither is so; with the reason.
    """
    while not folder.exists():
        folder = folder.parent
    tempfile.TemporaryFile(dir=folder).close()


def join(folder: str, *parts: str) -> str:
    """Return a path or URI below `folder`."""
    return "/".join((folder.rstrip("/"), *parts))


def exists(path: str) -> bool:
    """Return whether a file or folder exists."""
    filesystem, inner = fs.FileSystem.from_uri(path)
    return bool(filesystem.get_file_info(inner).type != fs.FileType.NotFound)


def modified(path: str) -> float:
    """Return when a file was last written, in seconds since 1970."""
    filesystem, inner = fs.FileSystem.from_uri(path)
    return float(filesystem.get_file_info(inner).mtime_ns) / 1e9


def written(paths: Sequence[str]) -> list[int | None]:
    """Return when each of some files of one storage was last written, in nanoseconds; None where there is no file."""
    if not paths:
        return []
    filesystem, _ = fs.FileSystem.from_uri(paths[0])
    found = filesystem.get_file_info([fs.FileSystem.from_uri(path)[1] for path in paths])
    return [info.mtime_ns if info.type == fs.FileType.File else None for info in found]


def folders(path: str) -> list[str]:
    """Return the names of the folders in `path`, sorted; none if there is no such folder."""
    filesystem, inner = fs.FileSystem.from_uri(path)
    if filesystem.get_file_info(inner).type == fs.FileType.File:
        return []
    entries = filesystem.get_file_info(fs.FileSelector(inner, allow_not_found=True))
    return sorted(info.base_name for info in entries if info.type == fs.FileType.Directory)


def remove(path: str) -> None:
    """Remove a file, or a folder with its content; do nothing if there is none."""
    filesystem, inner = fs.FileSystem.from_uri(path)
    kind = filesystem.get_file_info(inner).type
    if kind == fs.FileType.Directory:
        filesystem.delete_dir(inner)
    elif kind != fs.FileType.NotFound:
        filesystem.delete_file(inner)


def read_bytes(path: str) -> bytes:
    """Return what a file holds.

    Raises:
        IsADirectoryError: it is a folder.
    """
    filesystem, inner = _file(path)
    with filesystem.open_input_stream(inner) as stream:
        return bytes(stream.read())


def read_json(path: str) -> Any:
    """Return the value of a JSON file."""
    return json.loads(read_bytes(path))


def write_json(path: str, value: object) -> None:
    """Write a JSON file, replacing any there."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: str, text: str) -> None:
    """Write a text file in UTF-8, replacing any there."""
    _write(path, lambda filesystem, inner: _write_bytes(filesystem, inner, text.encode()))


def read_table(path: str) -> pa.Table:
    """Return a Parquet file's table.

    Raises:
        IsADirectoryError: it is a folder.
    """
    filesystem, inner = _file(path)
    return pq.read_table(inner, filesystem=filesystem)


def read_columns(path: str, names: Sequence[str]) -> pa.Table | None:
    """Return some columns of a Parquet file's table; None if it lacks one, which its end tells.

    Raises:
        IsADirectoryError: it is a folder.
    """
    filesystem, inner = _file(path)
    with filesystem.open_input_file(inner) as source, pq.ParquetFile(source) as opened:
        return opened.read(list(names)) if set(names) <= set(opened.schema_arrow.names) else None


def write_table(path: str, table: pa.Table) -> None:
    """Write a Parquet file, replacing any there."""
    _write(path, lambda filesystem, inner: pq.write_table(table, inner, filesystem=filesystem, compression="zstd"))


def _file(path: str) -> tuple[fs.FileSystem, str]:
    filesystem, inner = fs.FileSystem.from_uri(path)
    if filesystem.get_file_info(inner).type == fs.FileType.Directory:
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    return filesystem, inner


def _write(path: str, write: Callable[[fs.FileSystem, str], None]) -> None:
    filesystem, inner = fs.FileSystem.from_uri(path)
    folder = inner.rpartition("/")[0]
    filesystem.create_dir(folder, recursive=True)
    write(filesystem, inner + ".partial")
    local = isinstance(filesystem, fs.LocalFileSystem)
    if local:
        _sync(inner + ".partial")  # else the rename may reach the disk before the content does
    filesystem.move(inner + ".partial", inner)
    if local:
        _sync(folder)


def _write_bytes(filesystem: fs.FileSystem, inner: str, content: bytes) -> None:
    with filesystem.open_output_stream(inner) as stream:
        stream.write(content)


def _sync(path: str) -> None:
    """Force a file's content, or a folder's list of files, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
