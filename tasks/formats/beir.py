"""Corpus, queries and qrels as BEIR and MTEB publish them: JSON lines and TSV, or Parquet with the same columns.

A corpus row has `_id` (or `id`), `title` and `text`; a query row `_id` and `text`; a qrels row `query-id`,
`corpus-id` and `score`. A passage's text is title, a space, text, without white space at its ends, as MTEB joins them.
Ids get a prefix, because the same id means different passages in different languages.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pydantic

from tasks.data.passage_tables import BATCH_ROWS, Batches, in_batches, memory_mapped
from tasks.data.records import Record, Text, read_json_lines, read_row
from tasks.plugins import TaskError
from tasks.schema import Passage, Query, Texts

Id = Annotated[str, pydantic.Field(validation_alias=pydantic.AliasChoices("_id", "id"), min_length=1)]


class _Document(pydantic.BaseModel):
    id: Id
    title: str | None = None
    text: str | None = None


class _Question(pydantic.BaseModel):
    id: Id
    text: Text


class _Judgement(pydantic.BaseModel):
    query: str = pydantic.Field(alias="query-id")
    passage: str = pydantic.Field(alias="corpus-id")
    score: int


def files_of(folder: Path, stem: str) -> list[Path]:
    """Return `<stem>.jsonl`, `.tsv` or `.parquet`, or every such file in the folder `<stem>/`, sorted by name.

    Raises:
        TaskError: there is none.
    """
    suffixes = (".jsonl", ".tsv", ".parquet")
    one = [folder / f"{stem}{suffix}" for suffix in suffixes]
    inside = sorted(file for file in (folder / stem).glob("*") if file.suffix in suffixes)
    files = [file for file in one if file.is_file()] or inside
    if not files:
        raise TaskError(f"{folder} holds neither {stem}.jsonl nor files in {stem}/: put them there")
    return files


def mapped_corpus(language: str, files: Sequence[Path], prefix: str) -> tuple[Texts, str]:
    """Return the passages of the files, memory-mapped, and the digest of the files' content.

    Raises:
        TaskError: the files are malformed or hold no passage.
    """
    tables, digest = memory_mapped(f"beir {language} {prefix}", files, lambda: _batches(language, files, prefix))
    if not tables:
        raise TaskError(f"{files[0]} holds no passage")
    return tables[language], digest


def read_queries(files: Sequence[Path], prefix: str) -> Texts:
    """Return every query of the files, also those that nothing answers, which `tasks.relevance` leaves out."""
    return Texts.of(Query(prefix + row.id, row.text) for file in files for row in _rows(file, _Question))


def read_judgements(files: Sequence[Path], prefix: str) -> dict[str, dict[str, int]]:
    """Return query id -> passage id -> grade; a score of 0 or less means judged and not relevant, and is left out."""
    qrels: dict[str, dict[str, int]] = {}
    for row in (row for file in files for row in _rows(file, _Judgement)):
        if row.score > 0:
            qrels.setdefault(prefix + row.query, {})[prefix + row.passage] = row.score
    return qrels


def _batches(pool: str, files: Sequence[Path], prefix: str) -> Batches:
    for file in files:
        if file.suffix == ".parquet":
            for batch in _parquet_batches(file):
                yield pool, _passages(file, batch, prefix)
        else:
            yield from in_batches((pool, Passage(prefix + d.id, _joined(d))) for d in _rows(file, _Document))


def _rows(file: Path, kind: type[Record]) -> Iterator[Record]:
    if file.suffix == ".jsonl":
        yield from (row for _, row in read_json_lines(file, kind))
    elif file.suffix == ".parquet":
        plain = (row for batch in _parquet_batches(file) for row in batch.to_pylist())
        yield from (read_row(row, kind, f"{file}, row {number}") for number, row in enumerate(plain, start=1))
    else:
        with file.open(encoding="utf-8", newline="") as stream:
            table = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
            yield from (read_row(row, kind, f"{file}, line {table.line_num}") for row in table)


def _parquet_batches(file: Path) -> Iterator[Any]:
    try:
        yield from pq.ParquetFile(file).iter_batches(BATCH_ROWS)
    except pa.ArrowException as error:
        raise TaskError(f"{file} is not a readable Parquet file: {error}") from None


def _passages(file: Path, batch: Any, prefix: str) -> Any:
    """Return the columns `id` and `text` of one batch of a Parquet corpus."""
    names = batch.schema.names
    key = "_id" if "_id" in names else "id"
    if key not in names or "text" not in names:
        raise TaskError(f"{file} has the columns {', '.join(names)}: a corpus needs _id and text")
    columns = {name: pc.fill_null(batch[name].cast(pa.string()), "") for name in (key, "text")}
    text = columns["text"]
    if "title" in names:
        text = pc.binary_join_element_wise(pc.fill_null(batch["title"].cast(pa.string()), ""), text, " ")
    ids = pc.binary_join_element_wise(prefix, columns[key], "")
    return pa.record_batch({"id": ids, "text": pc.utf8_trim_whitespace(text)})


def _joined(document: _Document) -> str:
    return f"{document.title or ''} {document.text or ''}".strip()
