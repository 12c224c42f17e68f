"""Corpus, queries and qrels as BEIR, MTEB, TREC and Pyserini publish them.

    corpus    id, title (optional), text    {"_id": "p1", "title": "曼谷", "text": "泰国的首都"}
    queries   id, text                      {"_id": "q1", "text": "泰国的首都是哪里？"}
    qrels     query, passage, score         query-id	corpus-id	score, or TREC's `q1 Q0 p1 1` without a header

Files are JSON lines, TSV, CSV or Parquet (`tasks.data.columns`). The names of columns differ between data sets:
`docid`, `contents` and the others below are read too. A passage's text is title, a space, text, without white space at
its ends, as MTEB joins them. Ids get a prefix where the same id means different passages in different languages.

A row that repeats an id with the same content is read once and counted; one with other content is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.columns import (
    LANGUAGE,
    Column,
    Record,
    Table,
    id_of,
    parquet_batches,
    read_records,
    refuse_other_language,
    suffix_of,
    text_column,
    text_of,
)
from tasks.data.passage_tables import Batches, MappedPool, TwoTextsError, in_batches, memory_mapped
from tasks.data.text_lines import text_lines
from tasks.plugins import TaskError
from tasks.schema import Passage, Query, Texts

_PASSAGE_ID = ("corpus-id", "corpus_id", "docid", "doc_id", "docno", "passage_id", "passage-id", "pid")
_QUERY_ID = ("query-id", "query_id", "qid")
CORPUS = Table(
    "a corpus",
    {
        "id": Column(("_id", "id", *_PASSAGE_ID)),
        "title": Column(("title",), required=False),
        "text": Column(("text", "contents", "content", "passage", "document", "body")),
        "language": LANGUAGE,
    },
    headerless=("id", "text"),
)
QUERIES = Table(
    "a file of queries",
    {
        "id": Column(("_id", "id", *_QUERY_ID)),
        "text": Column(("text", "query", "question")),
        "language": LANGUAGE,
    },
    headerless=("id", "text"),
)
QRELS = Table(
    "a file of qrels",
    {
        "query": Column(_QUERY_ID),
        "passage": Column(_PASSAGE_ID),
        "score": Column(("score", "relevance", "rel", "grade", "label")),
    },
    headerless=("query", "passage", "score"),
)
_TREC_FIELDS = 4
_HIGHEST_SCORE = 10**6


class Queries(NamedTuple):
    """The queries of some files."""

    texts: Texts
    copies: int
    """Rows that repeat a query; they are left out."""


class Judgements(NamedTuple):
    """The qrels of some files."""

    grades: dict[str, dict[str, int]]
    """Query id -> passage id -> grade. A score of 0 or less means judged and not relevant, and is left out."""
    copies: int
    """Rows that repeat a judgement."""
    unanswered: frozenset[str]
    """Queries whose passages are all judged not relevant."""


def mapped_corpus(pool: str, language: str, files: Sequence[Path], prefix: str) -> MappedPool:
    """Return the passages of the files, memory-mapped.

    Args:
        pool: its name.
        language: that of the passages.
        files: what they are in.
        prefix: of their ids.

    Raises:
        TaskError: the files are malformed, hold no passage, two texts under one id, or passages that say that they are
            in another language.
    """
    try:
        mapped = memory_mapped(
            f"corpus {pool} in {language} {prefix}", files, lambda: _batches(pool, language, files, prefix)
        )
    except TwoTextsError as error:
        places = _places_of(error.id.removeprefix(prefix), files)
        raise TaskError(f"passage '{error.id}' has two texts: {' and '.join(places)}; remove one of them") from None
    if pool not in mapped.pools:
        raise TaskError(f"{files[0]} holds no passage")
    return mapped.pools[pool]


def read_queries(language: str, files: Sequence[Path], prefix: str) -> Queries:
    """Return every query of the files, also those without relevant passages, which `tasks.relevance` leaves out.

    Raises:
        TaskError: the files are malformed, or hold an empty query, two texts under one id, or a query that says that it
            is in another language.
    """
    seen: dict[str, tuple[str, str]] = {}
    rows = 0
    for record in (record for file in files for record in read_records(file, QUERIES)):
        rows += 1
        refuse_other_language(record.values.get("language"), language, record.where)
        key, text = prefix + id_of(record), text_of(record, "text").strip()
        if not text:
            raise TaskError(f"{record.where}, text: the text is empty")
        before, where = seen.setdefault(key, (text, record.where))
        if before != text:
            raise TaskError(f"query '{key}' has two texts: {where} and {record.where}; remove one of them")
    return Queries(Texts.of(Query(key, text) for key, (text, _) in seen.items()), rows - len(seen))


def read_judgements(files: Sequence[Path], prefix: str) -> Judgements:
    """Return the qrels of the files.

    Raises:
        TaskError: the files are malformed, or grade a passage twice, and differently, for one query.
    """
    scores: dict[tuple[str, str], tuple[int, str]] = {}
    rows = 0
    for record in (record for file in files for record in _judgement_records(file)):
        rows += 1
        pair, score = (prefix + id_of(record, "query"), prefix + id_of(record, "passage")), _score(record)
        before, where = scores.setdefault(pair, (score, record.where))
        if before != score:
            raise TaskError(
                f"passage '{pair[1]}' has two grades for query '{pair[0]}': {before} in {where} and {score} in "
                f"{record.where}; remove one of them"
            )
    grades: dict[str, dict[str, int]] = {}
    for (query, passage), (score, _) in scores.items():
        if score > 0:
            grades.setdefault(query, {})[passage] = score
    return Judgements(grades, rows - len(scores), frozenset(query for query, _ in scores) - grades.keys())


def _judgement_records(file: Path) -> Iterator[Record]:
    if suffix_of(file) in (".parquet", ".jsonl", ".json"):
        return read_records(file, QRELS)
    _, first = next(text_lines(file), (1, ""))
    fields = first.split()
    return _trec_records(file) if len(fields) == _TREC_FIELDS and _is_number(fields[-1]) else read_records(file, QRELS)


def _trec_records(file: Path) -> Iterator[Record]:
    """Yield the judgements of a file with lines of a query, an unused field, a passage and a score."""
    for number, line in text_lines(file):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != _TREC_FIELDS:
            raise TaskError(f"{file}, line {number} has {len(fields)} fields: TREC qrels have 4, as `q1 0 p1 1`")
        yield Record({"query": fields[0], "passage": fields[2], "score": fields[3]}, f"{file}, line {number}")


def _score(record: Record) -> int:
    value = record.values["score"]
    if _is_number(str(value)) and float(value).is_integer() and abs(float(value)) <= _HIGHEST_SCORE:
        return int(float(value))
    raise TaskError(f"{record.where}: the score is {value!r}: write a whole number")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lstrip("+-")[:1].isdigit()


def _batches(pool: str, language: str, files: Sequence[Path], prefix: str) -> Batches:
    for file in files:
        if suffix_of(file) == ".parquet":
            for batch in parquet_batches(file):
                yield pool, _passages(file, batch, language, prefix)
        else:
            yield from in_batches((pool, passage) for passage in _passage_rows(file, language, prefix))


def _passage_rows(file: Path, language: str, prefix: str) -> Iterator[Passage]:
    for record in read_records(file, CORPUS):
        refuse_other_language(record.values.get("language"), language, record.where)
        yield Passage(prefix + id_of(record), _joined(record))


def _passages(file: Path, batch: Any, language: str, prefix: str) -> Any:
    """Return the columns `id` and `text` of one batch of a Parquet corpus."""
    names = CORPUS.chosen(batch.schema.names, str(file))
    said = batch[names.pop("language")].to_pylist() if "language" in names else []
    for value in {value for value in said if isinstance(value, str)}:
        refuse_other_language(value, language, f"a row of {file}")
    columns = {column: text_column(file, name, batch[name]) for column, name in names.items()}
    if columns["id"].null_count:
        raise TaskError(f"{file}: a passage has no {names['id']}")
    text = pc.fill_null(columns["text"], "")
    if "title" in columns:
        text = pc.binary_join_element_wise(pc.fill_null(columns["title"], ""), text, " ")
    ids = pc.binary_join_element_wise(prefix, pc.utf8_trim_whitespace(columns["id"]), "")
    return pa.record_batch({"id": ids, "text": pc.utf8_trim_whitespace(text)})


def _joined(record: Record) -> str:
    return f"{text_of(record, 'title')} {text_of(record, 'text')}".strip()


def _places_of(passage: str, files: Iterable[Path]) -> list[str]:
    """Return where the first two different texts of a passage stand."""
    places: dict[str, str] = {}
    for record in (record for file in files for record in read_records(file, CORPUS)):
        if id_of(record) == passage:
            places.setdefault(_joined(record), record.where)
    return list(places.values())[:2]
