"""Training pairs from the columns of a table, as data sets for training retrievers are published.

A value may be a text, a list of texts, an object with a `text` and perhaps a `title`, or a list of such objects:

    plain                  {"question": "...", "answer": "..."}
    sentence-transformers  {"anchor": "...", "positive": "...", "negative_1": "...", "negative_2": "..."}
    FlagEmbedding          {"query": "...", "pos": ["..."], "neg": ["...", "..."]}
    Tevatron               {"query": "...", "positive_passages": [{"docid": "1", "title": "...", "text": "..."}],
                            "negative_passages": [...]}

Each passage that answers a query is a pair of its own. A passage is its title, a space, its text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pydantic

from tasks.data.columns import Record
from tasks.plugins import TaskError
from tasks.schema import Pair

_NEGATIVES = re.compile(r"negatives|negative(_\d+)?")


class Columns(pydantic.BaseModel):
    """The columns that hold one language's texts."""

    model_config = pydantic.ConfigDict(extra="forbid")

    query: str
    passage: str
    negatives: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All columns."""
        return [self.query, self.passage, *self.negatives]


_PUBLISHED = (
    Columns(query="query", passage="positive_passages", negatives=("negative_passages",)),
    Columns(query="query", passage="pos", negatives=("neg",)),
    Columns(query="anchor", passage="positive"),
    Columns(query="query", passage="positive"),
    Columns(query="query", passage="passage"),
    Columns(query="query", passage="answer"),
    Columns(query="question", passage="answer"),
)


def published_names() -> list[str]:
    """Return the columns of all published layouts."""
    return sorted({name for layout in _PUBLISHED for name in layout.names})


def published_columns(names: Sequence[str], where: str) -> Columns:
    """Return the columns of a published layout.

    Args:
        names: all columns of a table.
        where: names the table, for messages.

    Raises:
        TaskError: the columns are of no known layout.
    """
    for layout in _PUBLISHED:
        if {layout.query, layout.passage} <= set(names):
            negatives = [*layout.negatives, *filter(_NEGATIVES.fullmatch, names)]
            present = tuple(dict.fromkeys(name for name in negatives if name in names))
            return layout.model_copy(update={"negatives": present})
    raise TaskError(
        f"corpus 'dataset': {where} has the columns {', '.join(names)}, which are of no known layout: name them with "
        "`columns`, such as {th: {query: question, passage: answer}}"
    )


def rows_of(record: Record, columns: Mapping[str, Columns]) -> Iterator[dict[str, Pair]]:
    """Yield the rows of one record: one for each passage, in every language that has a query and passages.

    A record without any is one row without a language.

    Raises:
        TaskError: a value is not text, a query is several texts, or languages differ in their number of passages.
    """
    versions = {}
    for language, names in columns.items():
        queries, passages = _texts(record, names.query), _texts(record, names.passage)
        if len(queries) > 1:
            raise TaskError(f"{record.where}: the column '{names.query}' holds {len(queries)} texts; a query is one")
        if queries and passages:
            negatives = [text for name in names.negatives for text in _texts(record, name) if text not in passages]
            versions[language] = [Pair(queries[0], passage, tuple(negatives)) for passage in passages]
    counts = {language: len(pairs) for language, pairs in versions.items()}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{count} in '{language}'" for language, count in counts.items())
        raise TaskError(f"{record.where} has passages {shown}: give every language as many, in the same order")
    for number in range(max(counts.values(), default=1)):
        yield {language: pairs[number] for language, pairs in versions.items()}


def _texts(record: Record, column: str) -> list[str]:
    """Return the texts of a column that are not empty, without white space at their ends."""
    value = record.values.get(column)
    if record.is_text and _is_list(str(value).strip()):
        raise TaskError(
            f"{record.where}: the column '{column}' holds a list that was written as a text ({str(value)[:40]}): write "
            "the table as JSON lines or Parquet, which keep lists"
        )
    texts = [_text(item, column, record.where) for item in (value if isinstance(value, list) else [value])]
    return [text for text in texts if text]


def _text(value: Any, column: str, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        return f"{value.get('title') or ''} {value['text']}".strip()
    raise TaskError(
        f"{where}: the column '{column}' holds {str(value)[:40]!r} ({type(value).__name__}), neither a text, an object "
        "with a `text`, nor a list of these: name the columns to read with `columns`"
    )


def _is_list(text: str) -> bool:
    """Return whether a text is a list of texts or objects in JSON or Python, as CSV files of pandas hold them."""
    if not (text.startswith("[") and text.endswith("]")):
        return False
    try:
        items = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return isinstance(items, list) and bool(items) and all(isinstance(item, str | dict) for item in items)
