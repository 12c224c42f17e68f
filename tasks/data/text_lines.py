"""Lines and rows of UTF-8 text files, also compressed ones (`.gz`, `.zst`); a file that cannot be read is named."""

from __future__ import annotations

import csv
import io
import itertools
import re
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tasks.plugins import TaskError

_BYTE_ORDER_MARK = "\ufeff"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_LFS_POINTER = b"version https://git-lfs.github.com/"
_WEB_PAGE = (b"<!doctype html", b"<html")
_JOINED_LINES = 1000
"""Maximum lines in a quoted field; beyond that the quote counts as unclosed."""
_FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^\t\n]*))(\t|\Z)')
Row = tuple[int, list[str]]
"""Number of a row's first line, from 1, and the row's fields."""


def text_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and text of each line, without line ends and without a byte order mark.

    Raises:
        TaskError: the file is damaged, a Git LFS pointer, a web page, or not UTF-8; names the file.
    """
    number = 0
    try:
        with io.BufferedReader(pa.input_stream(str(file), compression=_compression(file))) as stream:
            for number, line in enumerate(stream, start=1):
                if number == 1:
                    _refuse_other_content(file, line)
                yield number, _text(file, number, line)
    except UnicodeDecodeError:
        raise TaskError(f"{file}, line {number} is not UTF-8: convert the file to UTF-8") from None
    except (OSError, pa.ArrowException) as error:
        raise TaskError(f"{file} cannot be read ({error}): bring a whole copy") from None


def _text(file: Path, number: int, line: bytes) -> str:
    if b"\0" in line:
        raise TaskError(
            f"{file}, line {number} holds zero bytes, as in a file that is damaged or UTF-16: bring it in UTF-8"
        )
    text = line.decode("utf-8").rstrip("\r\n")
    return text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text


def separated_rows(file: Path, separator: str) -> Iterator[Row]:
    r"""Yield the rows of a table whose fields are separated by tabs or commas; blank lines are skipped.

    A field in quotes, with quotes inside it doubled, may hold separators and line breaks, as spreadsheets write them
    (RFC 4180). Between tabs any other quote is text, and so is every quote where each line is a row that begins with a
    number, as in MS MARCO's files.

    Raises:
        TaskError: a row has more or fewer fields than the first, or a quote could be either; or what `text_lines`
            raises.
    """
    width = 0
    for number, fields in _comma_rows(file) if separator == "," else _tab_rows(file):
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
    if _has_numbered_lines(file):
        yield from ((number, line.split("\t")) for number, line in text_lines(file) if line)
        return
    lines = _Lines(text_lines(file))
    width = 0
    for number, line in lines:
        if line:
            fields = _fields(file, (number, line), lines, width)
            width = width or len(fields)
            yield number, fields


def _has_numbered_lines(file: Path) -> bool:
    """Return whether each line is a row by itself and begins with a number, and some have quotes that are text."""
    widths, has_loose_quotes = set(), False
    for _, line in text_lines(file):
        if line:
            fields = line.split("\t")
            widths.add(len(fields))
            if len(widths) > 1 or not fields[0].isdecimal():  # a header ends this at once
                return False
            has_loose_quotes |= any(field.startswith('"') and not _QUOTED.fullmatch(field) for field in fields)
    return has_loose_quotes


def _compression(file: Path) -> str | None:
    return {".gz": "gzip", ".zst": "zstd"}.get(file.suffix.lower())


def refuse_pointer(file: Path, start: bytes) -> None:
    """Refuse a file that starts like a Git LFS pointer.

    Raises:
        TaskError: it does.
    """
    if start.startswith(_LFS_POINTER):
        raise TaskError(f"{file} is a Git LFS pointer and not the file itself: run `git lfs pull` where it was cloned")


def _refuse_other_content(file: Path, line: bytes) -> None:
    refuse_pointer(file, line)
    if line.lower().startswith(_WEB_PAGE):
        raise TaskError(f"{file} is a page of a web site and not the data: download the file itself")
    if line.startswith(_UTF_16):
        raise TaskError(f"{file} is UTF-16 and not UTF-8: convert the file to UTF-8")


def _quoted_fields(text: str) -> list[str] | None:
    """Return the fields of a row; None where a line break lies outside of quotes."""
    fields, position = [], 0
    while match := _FIELD.match(text, position):
        quoted, literal, end = match.groups()
        fields.append(literal if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if not end:
            return fields
    return None


class _Lines:
    """Numbered lines that can be put back."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self._put_back: deque[tuple[int, str]] = deque()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return self

    def __next__(self) -> tuple[int, str]:
        return self._put_back.popleft() if self._put_back else next(self._lines)

    def put_back(self, lines: list[tuple[int, str]]) -> None:
        self._put_back.extendleft(reversed(lines))


def _fields(file: Path, numbered: tuple[int, str], lines: _Lines, width: int) -> list[str]:
    """Return the fields of a row that begins with a line; `width` is their number, 0 if it is not known."""
    number, line = numbered
    literal = line.split("\t")
    if line.count('"') % 2:
        following = _lines_of_field(lines)
        fields = _quoted_fields("\n".join([line, *(text for _, text in following)]))
        if following and fields is not None and len(fields) == (width or len(fields)):
            are_rows = all(len(text.split("\t")) == (width or len(literal)) for _, text in following)
            if not are_rows or line.startswith('"'):
                return fields
            raise TaskError(
                f'{file}, line {number} has a quote (") that line {following[-1][0]} may close, or that is text: '
                "use JSON lines"
            )
        lines.put_back(following)
    fields = _quoted_fields(line)
    return literal if fields is None or (width and len(fields) != width) else fields


def _lines_of_field(lines: _Lines) -> list[tuple[int, str]]:
    """Return the next lines up to one with an odd number of quotes, which may close a field."""
    following = []
    for number, text in itertools.islice(lines, _JOINED_LINES):
        following.append((number, text))
        if text.count('"') % 2:
            break
    return following
