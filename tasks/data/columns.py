"""Rows of JSON lines, TSV, CSV and Parquet files with the names of their columns, which differ between data sets.

A file format is told by its name: `.jsonl` and `.json` hold JSON lines, `.csv` commas, `.parquet` Parquet, and other
names (`.tsv`, `.txt`) tabs; all but Parquet may be compressed (`.gz`, `.zst`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pydantic_core

from tasks.data.languages import may_be_same_language, named_language
from tasks.data.passage_tables import BATCH_ROWS
from tasks.data.text_lines import Row, refuse_pointer, separated_rows, text_lines
from tasks.plugins import TaskError

ROWS_LOOKED_AT = 1000
"""Rows of JSON lines may lack columns that others have."""

SUFFIXES = (".jsonl", ".json", ".tsv", ".csv", ".txt", ".parquet")
"""Names of data files end in one of these, compressed ones in `.gz` or `.zst` after it."""
COMPRESSED = (".gz", ".zst")
_JSON_SUFFIXES = (".jsonl", ".json")
_LIKE_A_HEADER = re.compile(r"(\w*[_\- ])?(ids?|docno|number|key)", re.IGNORECASE)
"""Matches the first field of a header with other names, such as `article_id`; ids themselves hardly look like this."""


class Column(NamedTuple):
    """One column of a table."""

    names: tuple[str, ...]
    """Accepted names, the preferred one first; upper and lower case are the same."""
    required: bool = True


LANGUAGE = Column(("lang", "language", "locale"), required=False)
"""Says of each row in which language it is."""


class Table(NamedTuple):
    """A kind of file."""

    title: str
    """For messages, such as `a corpus`."""
    columns: Mapping[str, Column]
    headerless: tuple[str, ...]
    """Columns of a TSV file without a header line."""

    def chosen(self, names: Iterable[str], where: str) -> dict[str, str]:
        """Return, for each column that is there, its name in the file.

        Raises:
            TaskError: required columns are missing, of which it names all, or two columns hold an id.
        """
        names = list(names)
        exact = {name for column in self.columns.values() for name in column.names}
        lowered = {name.casefold(): name for name in reversed(names) if name not in exact}
        chosen, missing = dict[str, str](), list[str]()
        for column, (accepted, required) in self.columns.items():
            # As it is written, if it is there: `Q` and `q` may be two columns.
            found = [name if name in names else lowered.get(name.casefold()) for name in accepted]
            present = list(dict.fromkeys(name for name in found if name is not None))
            if column == "id" and len(present) > 1:
                raise TaskError(
                    f"{where} has {' and '.join(present)}, and only one can be the id: remove or rename the other"
                )
            if present:
                chosen[column] = present[0]
            elif required:
                missing.append(f"{column}: {' or '.join(accepted)}")
        if missing:
            needed, there = "; and one for its ".join(missing), ", ".join(names) or "nothing"
            raise TaskError(f"{where} has {there}, but {self.title} needs a column for its {needed}")
        return chosen


class Record(NamedTuple):
    """One row: its values by column, and where it stands."""

    values: dict[str, Any]
    where: str
    """File and line, for messages."""
    is_text: bool = False
    """Whether all values are texts because the file has no other kind, as CSV."""


def read_records(file: Path, table: Table) -> Iterator[Record]:
    """Yield the rows of a file.

    Raises:
        TaskError: the file cannot be read, or a required column is missing; names the file and the line.
    """
    suffix = suffix_of(file)
    if suffix == ".parquet":
        return _parquet_records(file, table)
    if suffix in _JSON_SUFFIXES:
        return _json_records(file, table)
    return _separated_records(file, table, _separator(suffix))


def suffix_of(file: Path) -> str:
    """Return the suffix that tells the format of a file, in lower case: `.tsv` of `CORPUS.TSV.gz`."""
    stem = file.with_suffix("") if file.suffix.lower() in COMPRESSED else file
    return stem.suffix.lower()


def _separator(suffix: str) -> str:
    return "," if suffix == ".csv" else "\t"


def column_names(file: Path) -> list[str]:
    """Return the columns of a file: those of its first `ROWS_LOOKED_AT` rows if it holds JSON lines.

    Raises:
        TaskError: the file cannot be read, or one of these rows is malformed.
    """
    suffix = suffix_of(file)
    if suffix == ".parquet":
        with readable_parquet(file):
            return list(pq.ParquetFile(file).schema_arrow.names)
    if suffix in _JSON_SUFFIXES:
        first = islice(_json_objects(file), ROWS_LOOKED_AT)
        return list(dict.fromkeys(name for _, row in first for name in row))
    return next((fields for _, fields in separated_rows(file, _separator(suffix))), [])


def parquet_batches(file: Path) -> Iterator[Any]:
    """Yield the record batches of a Parquet file.

    Raises:
        TaskError: it is not a readable Parquet file.
    """
    with readable_parquet(file):
        yield from pq.ParquetFile(file).iter_batches(BATCH_ROWS)


@contextmanager
def readable_parquet(file: Path) -> Iterator[None]:
    """Name the file in errors of reading Parquet.

    Raises:
        TaskError: it is missing, damaged, or a Git LFS pointer.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        if file.is_file():
            with file.open("rb") as stream:
                refuse_pointer(file, stream.read(100))
        raise TaskError(f"{file} is not a readable Parquet file: {error}") from None


def text_column(file: Path, name: str, column: Any) -> Any:
    """Return a column of a Parquet file as texts; whole numbers, such as ids, are written out.

    Raises:
        TaskError: it holds something else.
    """
    kind = column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    coded = pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type)
    if not (text or coded or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise TaskError(f"{file}, column {name} has the type {kind}: a column of texts is needed")
    return column.cast(pa.string())


def _parquet_records(file: Path, table: Table) -> Iterator[Record]:
    number = 0
    for batch in parquet_batches(file):
        names = table.chosen(batch.schema.names, str(file))
        for row in batch.select(list(dict.fromkeys(names.values()))).to_pylist():
            number += 1
            yield Record({column: row[name] for column, name in names.items()}, f"{file}, row {number}")


def _json_records(file: Path, table: Table) -> Iterator[Record]:
    names_of: dict[tuple[str, ...], dict[str, str]] = {}
    for where, row in _json_objects(file):
        keys = tuple(row)
        if keys not in names_of:
            names_of[keys] = table.chosen(keys, where)
        yield Record({column: row[name] for column, name in names_of[keys].items()}, where)


def _json_objects(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place, for messages, and the object of each line that is not blank."""
    for number, line in text_lines(file):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            row = pydantic_core.from_json(line)
        except ValueError as error:
            raise TaskError(f"{where} is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise TaskError(f"{where} is not a JSON object: write one object per line")
        yield where, row


def _separated_records(file: Path, table: Table, separator: str) -> Iterator[Record]:
    rows = separated_rows(file, separator)
    first = next(rows, None)
    if first is None:
        return
    places, is_header = _places(file, table, first)
    for number, fields in rows if is_header else _chain(first, rows):
        yield Record({column: fields[i] for column, i in places.items()}, f"{file}, line {number}", is_text=True)


def _chain(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rest


def _places(file: Path, table: Table, first: Row) -> tuple[dict[str, int], bool]:
    """Return the place of each column, and whether the first row is a header."""
    number, fields = first
    names = [field.strip() for field in fields]
    known = {name.casefold() for column in table.columns.values() for name in column.names}
    is_header = known & {name.casefold() for name in names} or _LIKE_A_HEADER.fullmatch(names[0])
    if len(fields) == len(table.headerless) and not is_header:
        return {column: i for i, column in enumerate(table.headerless)}, False
    chosen = table.chosen(names, f"{file}, line {number}")
    return {column: names.index(name) for column, name in chosen.items()}, True


def text_of(record: Record, column: str) -> str:
    """Return a text as it is written; empty where there is none.

    Raises:
        TaskError: the value is no text.
    """
    value = record.values.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TaskError(f"{record.where}: the {column} is a {type(value).__name__}, not a text: {str(value)[:40]}")
    return value


def refuse_other_language(value: object, language: str, where: str) -> None:
    """Refuse a row that says of itself that it is in another language than the one it is read as.

    Args:
        value: of the row's column `LANGUAGE`; what is no language says nothing.
        language: that it is read as.
        where: names the row, for messages.

    Raises:
        TaskError: the two are different languages.
    """
    own = named_language(value) if isinstance(value, str) else None
    if own and not may_be_same_language(own, named_language(language) or own):
        raise TaskError(
            f"{where} says that it is in '{value}' and is read as in '{language}': keep only rows in '{language}' "
            "there, or remove the column of languages if it is wrong"
        )


def id_of(record: Record, column: str = "id") -> str:
    """Return an identifier, which may be written as a number.

    Raises:
        TaskError: the value is empty or of another type.
    """
    value = record.values[column]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise TaskError(f"{record.where}: the {column} is {value!r}: write a text or a whole number")
    return value.strip()
