"""Typed records from JSON files and JSON lines; errors name the file and the line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
import pydantic_core

from tasks.data.text_lines import text_lines
from tasks.plugins import TaskError


def _not_empty(text: str) -> str:
    if not text:
        raise pydantic_core.PydanticCustomError("empty_text", "the text is empty")
    return text


Record = TypeVar("Record", bound=pydantic.BaseModel)
Text = Annotated[str, pydantic.StringConstraints(strip_whitespace=True), pydantic.AfterValidator(_not_empty)]
"""A text without white space at its ends, never empty."""


def read_json(path: Path, kind: type[Record]) -> Record:
    """Read one JSON document.

    Raises:
        TaskError: the file cannot be read or does not fit `kind`; names the file and the place in it.
    """
    content = "\n".join(line for _, line in text_lines(path))
    with _located(str(path)):
        return kind.model_validate_json(content)


def read_json_lines(path: Path, kind: type[Record]) -> Iterator[tuple[int, Record]]:
    """Yield the line number, from 1, and record of each line that is not blank, one at a time.

    Raises:
        TaskError: the file cannot be read or a line does not fit `kind`; names the file, the line and the place in it.
    """
    for number, line in text_lines(path):
        if line.strip():
            with _located(f"{path}, line {number}"):
                record = kind.model_validate_json(line)
            yield number, record


def read_row(row: Mapping[str, Any], kind: type[Record], where: str) -> Record:
    """Check one row of a table; `where` names it, such as `qrels.tsv, line 3`.

    Raises:
        TaskError: the row does not fit `kind`; names the row and the column.
    """
    with _located(where):
        return kind.model_validate(row)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, one sentence each, without white space at their ends.

    Raises:
        TaskError: a line is empty or not UTF-8; names the file and the line.
    """
    lines = [line.strip() for _, line in text_lines(path)]
    if "" in lines:
        raise TaskError(f"{path}, line {lines.index('') + 1}: the text is empty")
    return lines


def content_digest(files: Iterable[Path]) -> str:
    """Return 12 hexadecimal digits that identify the names and contents of files: a copy's revision."""
    parts = []
    for file in files:
        with file.open("rb") as stream:
            parts += [file.name, hashlib.file_digest(stream, "sha256").hexdigest()]
    return combined_digest(parts)


def combined_digest(parts: Iterable[str]) -> str:
    """Return 12 hexadecimal digits that identify a sequence of strings without line breaks."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


@contextmanager
def _located(where: str) -> Iterator[None]:
    """Turn pydantic's first problem into `<where>, data.3.question: the text is empty`."""
    try:
        yield
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise TaskError(f"{where}{', ' if place else ''}{place}: {first['msg']}") from None
