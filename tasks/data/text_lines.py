"""Lines and rows of UTF-8 text files, also compressed ones (`.gz`, `.zst`); a file that cannot be read is named."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tasks.plugins import TaskError

_BYTE_ORDER_MARK = "\ufeff"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LFS_POINTER = b"version https://git-lfs.github.com/"
_JOINED_LINES = 1000
"""A quoted field may span so many lines; beyond that its quote is taken for one that is never closed."""
Row = tuple[int, list[str]]
"""Number of a row's first line, from 1, and the row's fields."""


def text_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and text of each line, without line ends and without a byte order mark.

    Raises:
        TaskError: the file is damaged, a Git LFS pointer, or not UTF-8; names the file.
    """
    number = 0
    try:
        with io.BufferedReader(pa.input_stream(str(file), compression=_compression(file))) as stream:
            for number, line in enumerate(stream, start=1):
                if number == 1:
                    _refuse_other_content(file, line)
                text = line.decode("utf-8").rstrip("\r\n")
                yield number, text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text
    except UnicodeDecodeError:
        raise TaskError(f"{file}, line {number} is not UTF-8: convert the file to UTF-8") from None
    except (OSError, pa.ArrowException) as error:
        raise TaskError(f"{file} cannot be read ({error}): bring a whole copy") from None


def separated_rows(file: Path, separator: str) -> Iterator[Row]:
    r"""Yield the rows of a table whose fields are separated by tabs or commas; blank lines are skipped.

    A field in quotes, with quotes inside it doubled, may hold separators and line breaks, as spreadsheets write them
    (RFC 4180). Between tabs any other quote is text, and a line that has enough fields without its quotes is a row.

    Raises:
        TaskError: a row has more or fewer fields than the first, or what `text_lines` raises.
    """
    width = 0
    rows = _comma_rows(file) if separator == "," else _tab_rows(file)
    for number, fields in rows:
        width = width or len(fields)
        if len(fields) != width:
            name = {"\t": "tab", ",": "comma"}[separator]
            raise TaskError(
                f"{file}, line {number} has {len(fields)} fields where the first line has {width}: "
                f'put a text that contains a {name} into quotes ("), or use JSON lines'
            )
        yield number, fields


def _comma_rows(file: Path) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader((f"{line}\n" for _, line in text_lines(file)), strict=True)
    number = 1
    try:
        for fields in reader:
            if fields:
                yield number, fields
            number = reader.line_num + 1
    except csv.Error as error:
        raise TaskError(f"{file}, line {number} cannot be read: {error}") from None


def _tab_rows(file: Path) -> Iterator[Row]:
    separator = "\t"
    lines = text_lines(file)
    width = 0
    for number, line in lines:
        if not line:
            continue
        fields = _quoted_fields(line, separator)
        if width and (fields is None or len(fields) != width):
            literal = line.split(separator)
            fields = literal if len(literal) == width else _joined_fields(line, lines, separator, width)
        elif fields is None:
            fields = line.split(separator)
        width = width or len(fields)
        yield number, fields


def _compression(file: Path) -> str | None:
    return {".gz": "gzip", ".zst": "zstd"}.get(file.suffix)


def _refuse_other_content(file: Path, line: bytes) -> None:
    if line.startswith(_LFS_POINTER):
        raise TaskError(f"{file} is a Git LFS pointer and not the file itself: run `git lfs pull` where it was cloned")
    if line.startswith(_UTF_16):
        raise TaskError(f"{file} is UTF-16 and not UTF-8: convert the file to UTF-8")


def _quoted_fields(text: str, separator: str) -> list[str] | None:
    """Return the fields of a row; None where a line break lies outside of quotes."""
    field = re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|([^{separator}\n]*))({separator}|\Z)')
    fields, position = [], 0
    while match := field.match(text, position):
        quoted, literal, end = match.groups()
        fields.append(literal if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if not end:
            return fields
    return None


def _joined_fields(line: str, lines: Iterator[tuple[int, str]], separator: str, width: int) -> list[str]:
    """Return the fields of a row that goes on over several lines inside quotes, else those of its first line."""
    first = line.split(separator)
    if len(first) < width and any(field.startswith('"') for field in first):
        for _, (_, following) in zip(range(_JOINED_LINES), lines, strict=False):
            line = f"{line}\n{following}"
            fields = _quoted_fields(line, separator)
            if fields is not None and len(fields) == width:
                return fields
    return first
