"""Sound data in every layout that is read, each with the command that reads it."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from tests.bad_inputs.case import DRY_RUN

FOLDER = "data"
THAI, RIVER = "เมืองหลวงของประเทศไทยคือกรุงเทพมหานคร", "แม่น้ำเจ้าพระยาไหลผ่านภาคกลาง"
CHINESE, MOON = "泰国的首都是曼谷", "月亮绕着地球转"
ARABIC = "عاصمة تايلاند هي بانكوك"
HEADER = "query-id\tcorpus-id\tscore\n"
Rows = Sequence[Mapping[str, Any]]


def lines(rows: Rows) -> bytes:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def parquet(rows: Rows) -> bytes:
    """Return rows as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), buffer)
    return buffer.getvalue()


def zipped(content: bytes) -> bytes:
    """Return content as gzip does."""
    return gzip.compress(content, mtime=0)


class Layout(NamedTuple):
    """A data set as it is published, or as people have it."""

    arguments: tuple[str, ...]
    """The command that reads it."""
    files: Mapping[str, bytes]
    """Content by path below `FOLDER`; all of them are needed."""

    @property
    def sound(self) -> Mapping[str, bytes]:
        """The files by their path in the folder of a command."""
        return {f"{FOLDER}/{name}": content for name, content in self.files.items()}


def _fetch(name: str, *options: str) -> tuple[str, ...]:
    return ("fetch", name, *(part for text in (f"path={FOLDER}", *options) for part in ("--option", text)))


CORPUS: Rows = [{"_id": "p1", "text": THAI}, {"_id": "p2", "text": RIVER}]
QUERIES: Rows = [{"_id": "q1", "text": "เมืองหลวงของไทยคือเมืองใด"}, {"_id": "q2", "text": "แม่น้ำใดไหลผ่านภาคกลาง"}]
QRELS: Rows = [{"query-id": "q1", "corpus-id": "p1", "score": 1}, {"query-id": "q2", "corpus-id": "p2", "score": 1}]
PAIRS: Rows = [
    {"id": str(row), "pairs": {"th": {"query": f"ถาม {row}", "passage": f"ตอบ {row}", "negatives": [f"ผิด {row}"]}}}
    for row in range(4)
]
COLUMNS: Rows = [{"q": f"ถาม {row}", "p": f"ตอบ {row}"} for row in range(4)]
PARAGRAPH = {
    "context": f"{THAI} {RIVER}",
    "qas": [{"id": "q1", "question": "เมืองใด", "answers": [{"answer_start": 1, "text": THAI[1:4]}]}],
    "sentence_breaks": [[0, len(THAI)], [len(THAI) + 1, len(THAI) + 1 + len(RIVER)]],
    "sentences": [THAI, RIVER],
}
LAREQA = json.dumps({"data": [{"title": "ไทย", "paragraphs": [PARAGRAPH]}]}, ensure_ascii=False).encode()
MENTIONS: Rows = [
    {
        "context": {"language": "ar", "text": ARABIC, "sentence_spans": [{"start": 0, "end": len(ARABIC)}]},
        "mentions": [
            {"example_id": "a1", "entity_id": "Q1", "mention_span": {"start": 0, "end": 5, "text": ARABIC[:5]}}
        ],
    }
]
ENTITIES: Rows = [
    {"entity_id": "Q1", "description": THAI, "description_language": "th"}
    | {"sentence_spans": [{"start": 0, "end": len(THAI)}]}
]
QUESTIONS: Rows = [{"query_id": "1", "query": "ใคร", "positive_passages": [{"docid": "1", "title": "ก", "text": THAI}]}]


def _table(rows: Rows, separator: str) -> bytes:
    names = list(rows[0])
    return "".join(separator.join(map(str, line)) + "\n" for line in [names, *(row.values() for row in rows)]).encode()


def _own(suffix: str, write: Callable[[Rows], bytes]) -> Mapping[str, bytes]:
    parts = {"corpus": CORPUS, "queries": QUERIES, "qrels": QRELS}
    return {f"th/{name}{suffix}": write(rows) for name, rows in parts.items()}


COLUMN_OPTION = "columns={th: {query: q, passage: p}}"
LAYOUTS: dict[str, Layout] = {
    "own, JSON lines": Layout(_fetch("local"), _own(".jsonl", lines)),
    "own, TSV": Layout(_fetch("local"), _own(".tsv", lambda rows: _table(rows, "\t"))),
    "own, CSV": Layout(_fetch("local"), _own(".csv", lambda rows: _table(rows, ","))),
    "own, Parquet": Layout(_fetch("local"), _own(".parquet", parquet)),
    "own, compressed": Layout(_fetch("local"), _own(".jsonl.gz", lambda rows: zipped(lines(rows)))),
    "BEIR": Layout(
        _fetch("local", "language=th"),
        {"corpus.jsonl": lines(CORPUS), "queries.jsonl": lines(QUERIES), "qrels/test.tsv": _table(QRELS, "\t")},
    ),
    "MTEB": Layout(
        _fetch("mteb"),
        {
            "th-corpus/test-00000-of-00001.parquet": parquet(CORPUS),
            "th-queries/test-00000-of-00001.parquet": parquet(QUERIES),
            "th-qrels/test-00000-of-00001.parquet": parquet(QRELS),
        },
    ),
    "MIRACL": Layout(
        _fetch("local", "split=dev"),
        {
            "miracl-corpus-v1.0-th/docs-0.jsonl.gz": zipped(lines([{"docid": "7#0", "title": "ไทย", "text": THAI}])),
            "miracl-v1.0-th/topics/topics.miracl-v1.0-th-dev.tsv": f"1\t{THAI}\n2\t{RIVER}\n".encode(),
            "miracl-v1.0-th/qrels/qrels.miracl-v1.0-th-dev.tsv": b"1 Q0 7#0 1\n",
        },
    ),
    "Mr. TyDi": Layout(
        _fetch("local"),
        {
            "mrtydi-v1.1-thai/collection/docs.jsonl.gz": zipped(lines([{"id": "7#0", "contents": THAI}])),
            "mrtydi-v1.1-thai/topic.test.tsv": f"1\t{THAI}\n".encode(),
            "mrtydi-v1.1-thai/qrels.test.txt": b"1\t0\t7#0\t1\n",
        },
    ),
    "CIRAL": Layout(
        _fetch("local", "query_language=en", "split=test-a"),
        {
            "passages-v1.0/hausa_passages.jsonl": lines([{"docid": "V#1#0", "title": "", "text": "ƙasar Hausa"}]),
            "ciral-hausa/topics/topics.ciral-v1.0-ha-test-a.tsv": "7\tƙasa\n".encode(),
            "ciral-hausa/qrels/qrels.ciral-v1.0-ha-test-a.tsv": b"7 Q0 V#1#0 1\n",
        },
    ),
    "FlagEmbedding": Layout(
        _fetch("local", "language=zh"),
        {
            "corpus.jsonl": lines(
                [{"id": "p1", "title": "", "text": CHINESE}, {"id": "p2", "title": "", "text": MOON}]
            ),
            "test_queries.jsonl": lines([{"id": "q1", "text": CHINESE}]),
            "test_qrels.jsonl": lines([{"qid": "q1", "docid": "p1", "relevance": 1}]),
        },
    ),
    "MS MARCO": Layout(
        _fetch("local", "language=zh"),
        {
            "collection.tsv": f"0\t{CHINESE}\n1\t{MOON}\n".encode(),
            "queries.dev.small.tsv": f"7\t{CHINESE}\n".encode(),
            "qrels.dev.small.tsv": b"7\t0\t0\t1\n",
        },
    ),
    "XQuAD-R": Layout(_fetch("xquad_r", "languages=[th]"), {"th.json": LAREQA}),
    "Tatoeba": Layout(
        _fetch("tatoeba", "languages=[th]"),
        {
            "tatoeba.tha-eng.tha": f"{THAI}\n{RIVER}\n".encode(),
            "tatoeba.tha-eng.eng": "“Bangkok”\n“A river”\n".encode(),
        },
    ),
    "Mewsli-X": Layout(
        _fetch("mewsli_x", "languages=[ar]"),
        {"wikinews_mentions-test.jsonl": lines(MENTIONS), "candidate_set_entities.jsonl": lines(ENTITIES)},
    ),
    "SQuADShifts": Layout(
        _fetch("squad_shifts", "domains=[nyt]"),
        {"nyt/test.parquet": parquet([{"id": "1", "title": "", "context": THAI, "question": "เมืองใด"}])},
    ),
    "parallel JSON lines": Layout(
        (*_fetch("parallel_jsonl")[:3], f"path={FOLDER}/train.jsonl"), {"train.jsonl": lines(PAIRS)}
    ),
    "dataset, JSON lines": Layout(_fetch("dataset", COLUMN_OPTION), {"train.jsonl": lines(COLUMNS)}),
    "dataset, CSV": Layout(_fetch("dataset", COLUMN_OPTION), {"train.csv": _table(COLUMNS, ",")}),
    "dataset, Parquet": Layout(_fetch("dataset", COLUMN_OPTION), {"train.parquet": parquet(COLUMNS)}),
    "mMARCO": Layout(
        _fetch("mmarco", "languages=[zh]"),
        {
            "data/triples.train.ids.small.tsv": b"7\t1\t0\n",
            "data/google/queries/train/chinese_queries.train.tsv": f"7\t{CHINESE}\n".encode(),
            "data/google/collections/chinese_collection.tsv": f"0\t{MOON}\n1\t{CHINESE}\n".encode(),
        },
    ),
    "Mr. TyDi, training": Layout(
        _fetch("mr_tydi", "languages=[th]"), {"mrtydi-v1.1-thai/train.jsonl.gz": zipped(lines(QUESTIONS))}
    ),
    "Natural Questions": Layout(
        _fetch("natural_questions"), {"pair/train-0.parquet": parquet([{"query": "ใคร", "answer": "เขา"}])}
    ),
    "in a search space": Layout(DRY_RUN, {"train.jsonl": lines(PAIRS)}),
    "for mining": Layout(("mine", "builtin/xlmr-tiny", f"{FOLDER}/train.jsonl"), {"train.jsonl": lines(PAIRS)}),
    "in an evaluation": Layout(
        ("evaluate", "builtin/xlmr-tiny", "--benchmarks", "local", "--data", FOLDER), _own(".jsonl", lines)
    ),
}
"""Sound data: each is accepted as it is."""
