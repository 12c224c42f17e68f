"""Types of all tasks: texts, pools, qrels, benchmarks and training corpora.

Texts are rows of Arrow tables: thirteen thousand passages in memory and thirty-three million on disk have the same
interface, and neither needs a Python object per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Rows = npt.NDArray[np.int64]
Qrels = Mapping[str, Mapping[str, int]]
"""Query id -> passage id -> grade (1 or more). Language versions of one query share its id and so its relevant
passages, which may lie in any pool."""
UNANSWERED = "unanswered"
"""The detail that says how many queries are left out, as they are judged to have no relevant passage."""


class Setting(StrEnum):
    """Which passages a query competes for (LAReQA, arXiv 2004.05484, section 3; arXiv 2408.10536, section 4)."""

    MONOLINGUAL = "monolingual"
    """The pool of the query's own language."""
    CROSSLINGUAL = "crosslingual"
    """One pool of another language at a time."""
    MULTILINGUAL = "multilingual"
    """The union of all pools."""


class Query(NamedTuple):
    """One question; its language is that of its table."""

    id: str
    text: str


class Passage(NamedTuple):
    """One candidate text; its id is unique over all pools of the benchmark."""

    id: str
    text: str


def _nothing() -> None:
    """No-op for tables in memory."""


class Texts:
    """Rows of (id, text), one language, random access; in memory or memory-mapped."""

    def __init__(self, table: pa.Table, release: Callable[[], None] | None = None) -> None:
        """Wrap an Arrow table with the string columns `id` and `text`.

        Args:
            table: in memory or memory-mapped.
            release: called after every read; releases the memory of a mapped file (`tasks.data.mapped`).
        """
        assert {"id", "text"} <= set(table.column_names), table.column_names
        self._table = table
        self._release = release or _nothing
        self._starts = np.cumsum([0, *(len(chunk) for chunk in table["id"].chunks)])

    @classmethod
    def of(cls, rows: Iterable[Query | Passage]) -> Texts:
        """Build an in-memory table from queries or passages."""
        rows = list(rows)
        columns = {"id": [row.id for row in rows], "text": [row.text for row in rows]}
        return cls(pa.table(columns, schema=pa.schema({"id": pa.string(), "text": pa.string()})))

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._table.num_rows)

    def ids(self, rows: Rows | None = None) -> list[str]:
        """Return the ids of `rows` in that order; of all rows without an argument."""
        return self._column("id", rows)

    def texts(self, rows: Rows | None = None) -> list[str]:
        """Return the texts of `rows` in that order; of all rows without an argument."""
        return self._column("text", rows)

    def empty(self) -> int:
        """Return the number of rows without text."""
        import pyarrow.compute as pc  # noqa: PLC0415 - takes 0.1 s, and a refused search space needs none of it

        return sum(pc.sum(pc.equal(chunk, "")).as_py() or 0 for chunk in self._text_chunks())

    def _text_chunks(self) -> Iterator[Any]:
        for chunk in self._table["text"].chunks:
            yield chunk
            self._release()

    def repeated(self) -> int:
        """Return the number of rows with a text that an earlier row has too; rows without text do not count."""
        hashes = [np.array([hash(text) for text in part.to_pylist() if text], np.int64) for part in self._text_chunks()]
        every = np.concatenate([np.empty(0, np.int64), *hashes])
        return len(every) - len(np.unique(every))

    def rows_of(self, ids: Sequence[str]) -> Rows:
        """Return the row of each id; -1 for ids that are not in this table."""
        import pyarrow.compute as pc  # noqa: PLC0415 - see above

        wanted = pa.array(ids, pa.string())
        matches = [np.empty(0, dtype=np.int64)]
        for start, chunk in zip(self._starts[:-1], self._table["id"].chunks, strict=True):
            matches.append(start + np.flatnonzero(pc.is_in(chunk, value_set=wanted).to_numpy(zero_copy_only=False)))
            self._release()
        rows = np.concatenate(matches)
        row_of = dict(zip(self.ids(rows), rows.tolist(), strict=True))
        return np.array([row_of.get(i, -1) for i in ids], dtype=np.int64)

    def _column(self, name: str, rows: Rows | None) -> list[str]:
        column = self._table[name]
        if rows is None:
            every: list[str] = column.to_pylist()
            return every
        # Chunk by chunk: Arrow's own `take` would first copy the whole memory-mapped column into one.
        chunk_of = np.searchsorted(self._starts, rows, side="right") - 1
        values = np.empty(len(rows), dtype=object)
        for number in np.unique(chunk_of):
            here = np.flatnonzero(chunk_of == number)
            values[here] = column.chunk(int(number)).take(pa.array(rows[here] - self._starts[number])).to_pylist()
        self._release()
        taken: list[str] = values.tolist()
        return taken


class Pool(NamedTuple):
    """Passages of one language that are searched together.

    Its name is the language unless a benchmark has several pools of one language (Tatoeba: one English pool per pair).
    """

    name: str
    language: str
    passages: Texts


@dataclass(frozen=True)
class Benchmark:
    """Queries by language, pools of passages, and which passage answers which query."""

    name: str
    revision: str
    """Identifies the exact data: a pinned revision or a digest of the content."""
    queries: Mapping[str, Texts]
    """Language (ISO 639-1) -> queries."""
    pools: Sequence[Pool]
    qrels: Qrels
    settings: tuple[Setting, ...]
    metrics: tuple[str, ...] = ("map", "ndcg@10", "mrr", "recall@1", "recall@10", "recall@100")
    """Names from `tasks.metrics`; rank distance is added wherever the multilingual setting is measured."""
    candidate_form: Literal["query", "passage"] = "passage"
    """Whether candidates get the prompt and length limit of passages or, in a symmetric task, those of queries."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Protocol switches printed with every result, such as LAReQA's `context`."""
    missing: Mapping[str, str | None] = field(default_factory=dict)
    """Relevant passages that are in no pool and count as not retrieved -> the pool that lacks them, None if unknown.
    Any other relevant passage in no pool is an error."""
    ignore_identical_ids: bool = False
    """Whether a passage with the id of a query is left out of its rankings, as BEIR does (ArguAna, Quora)."""
    copies: Mapping[str, int] = field(default_factory=dict)
    """Language -> rows of the data that repeat a query, passage or judgement; they were read once."""
    splits: tuple[str, ...] = ()
    """The splits that the data has qrels for."""
    documents: Mapping[str, str] = field(default_factory=dict)
    """Query id -> the text that the query was written about, if the data says so (`document_of`)."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language with queries, sorted."""
        return tuple(sorted(self.queries))

    def document_of(self) -> dict[str, str]:
        """Return what each query is about, query id -> document; queries about one document are not independent.

        Where the data does not say, queries with the same relevant passages are about one document.
        """
        first: dict[frozenset[str], str] = {}
        return {
            query: self.documents.get(query) or first.setdefault(frozenset(self.qrels[query]), f"that of query {query}")
            for query in sorted({query.id for query in self.asked()})
        }

    def asked(self) -> list[Query]:
        """Return the queries with a relevant passage, in each language; the data may hold those of other splits too."""
        tables = self.queries.values()
        versions = (version for table in tables for version in zip(table.ids(), table.texts(), strict=True))
        return [Query(*version) for version in versions if self.qrels.get(version[0])]

    @property
    def questions(self) -> int:
        """Number of queries with a relevant passage, those of several languages counted in each."""
        return len(self.asked())


class Pair(NamedTuple):
    """One training example: a query, a passage that answers it, and passages that do not."""

    query: str
    passage: str
    negatives: tuple[str, ...] = ()


class Keys(NamedTuple):
    """Identity of what B rows hold: equal keys mean the same text or its version in another language."""

    queries: npt.NDArray[np.int64]
    passages: npt.NDArray[np.int64]


class Corpus(Protocol):
    """Training pairs in rows; a row holds the same pair in one or more languages."""

    @property
    def name(self) -> str:
        """The corpus's name in a search space."""
        ...

    @property
    def revision(self) -> str:
        """Identifies the exact data: a pinned revision or a digest of the content."""
        ...

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language some row has, sorted ISO 639-1."""
        ...

    @property
    def left_out(self) -> Mapping[str, int]:
        """What the rows of the data that are not in the corpus are, to follow `rows are` -> how many there are."""
        ...

    @property
    def fewest_negatives(self) -> int:
        """The smallest number of hard negatives of any row in any of its languages."""
        ...

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def rows(self, language: str | None = None) -> Sequence[int] | Rows:
        """Return the rows that have `language`; without one, the rows in two or more languages.

        A complete parallel corpus answers `range(len(self))`, which costs no memory.
        """
        ...

    def row_languages(self, row: int) -> tuple[str, ...]:
        """Return the languages of one row, sorted."""
        ...

    def text_keys(self, rows: Rows) -> Rows:
        """Return identities of the rows' texts: equal for rows with the same texts in the same languages."""
        ...

    def ids(self, rows: Rows) -> list[str]:
        """Return what people call the rows: the ids of the data, or the row numbers if it has none."""
        ...

    def keys(self, rows: Rows) -> Keys:
        """Return identities of the rows' queries and passages for batches: equal for versions of one text.

        Rows that only some language joins may have different keys; `components` are equal for them.
        """
        ...

    def components(self, rows: Rows) -> Keys:
        """Return identities that are equal for rows which share a text in any language, directly or over other rows.

        Two parts of a corpus that share no component share no text and no version of one.
        """
        ...

    def pairs(self, rows: Rows, query_languages: Sequence[str], passage_languages: Sequence[str]) -> list[Pair]:
        """Return one pair per row, its query in one language and its passage (and negatives) in another or the same."""
        ...
