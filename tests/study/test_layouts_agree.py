"""One small benchmark in five layouts has one and the same figures, and they are those of trec_eval."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ir_measures
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.retrieval.encode import encode
from study.retrieval.evaluation import Evaluation, evaluate
from tasks.plugins import load_benchmark
from tests.hashing_encoder import HashingEncoder

MEASURES = {
    "map": ir_measures.AP,
    "ndcg@10": ir_measures.nDCG @ 10,
    "mrr": ir_measures.RR,
    "recall@1": ir_measures.R @ 1,
    "recall@10": ir_measures.R @ 10,
}
QRELS = ("query-id", "corpus-id", "score")


class Small(NamedTuple):
    """The data of one language, by id."""

    passages: dict[str, tuple[str, str]]
    """Title and text."""
    queries: dict[str, str]
    scores: dict[tuple[str, str], int]
    """Of (query, passage), of the split `test`."""

    def joined(self) -> dict[str, str]:
        return {passage: f"{title} {text}".strip() for passage, (title, text) in self.passages.items()}


def texts(characters: str) -> st.SearchStrategy[str]:
    """Texts with what breaks tables: tabs, line breaks, quotes, commas."""
    return st.text(st.sampled_from(characters + '\t\n", '), min_size=1, max_size=12).map(
        lambda text: characters[0] + text + characters[1]
    )


@st.composite
def small(draw: st.DrawFn, characters: str) -> Small:
    # A character of its own in every text: texts of the same characters would tie.
    passages = {
        f"p{i}": (draw(st.sampled_from(["", characters[2:5]])), draw(texts(characters)) + chr(0x4E00 + i))
        for i in range(draw(st.integers(2, 6)))
    }
    queries = {f"q{i}": draw(texts(characters)) + chr(0x5E00 + i) for i in range(draw(st.integers(1, 3)))}
    pairs = st.tuples(st.sampled_from(sorted(queries)), st.sampled_from(sorted(passages)))
    scores = draw(st.dictionaries(pairs, st.integers(-1, 3), max_size=8))
    return Small(passages, queries, scores | {(next(iter(queries)), next(iter(passages))): 1})


def rows_of(data: Small) -> dict[str, list[dict[str, Any]]]:
    return {
        "corpus": [{"_id": i, "title": title, "text": text} for i, (title, text) in data.passages.items()],
        "queries": [{"_id": i, "text": text} for i, text in data.queries.items()],
        "qrels": [dict(zip(QRELS, (*pair, score), strict=True)) for pair, score in data.scores.items()],
    }


def save(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(content.encode()) if file.suffix == ".gz" else content.encode())


def json_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def table(rows: list[dict[str, Any]], separator: str = "\t") -> str:
    """A table with header in which every text is in quotes."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    quoted = [
        [f'"{v.replace(chr(34), chr(34) * 2)}"' if isinstance(v, str) else str(v) for v in line] for line in lines
    ]
    return "".join(separator.join(line) + "\n" for line in quoted)


def parquet(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file)


def as_beir(folder: Path, data: Small, language: str) -> None:
    rows = rows_of(data)
    save(folder / language / "corpus.jsonl", json_lines(rows["corpus"]))
    save(folder / language / "queries.jsonl", json_lines(rows["queries"]))
    save(folder / language / "qrels" / "test.tsv", "\n".join("\t".join(map(str, r.values())) for r in rows["qrels"]))
    save(folder / language / "qrels" / "train.tsv", "query-id\tcorpus-id\tscore\nq0\tp1\t1\n")


def as_mteb(folder: Path, data: Small, language: str) -> None:
    for part, rows in rows_of(data).items():
        parquet(folder / f"{language}-{part}" / "test-00000-of-00001.parquet", rows)
    parquet(
        folder / f"{language}-qrels" / "dev-00000-of-00001.parquet", [dict(zip(QRELS, ("q0", "p1", 1), strict=True))]
    )


def as_trec(folder: Path, data: Small, language: str) -> None:
    docs = [{"docid": i, "title": title, "text": text} for i, (title, text) in data.passages.items()]
    save(folder / language / "collection" / "docs-0.jsonl.gz", json_lines(docs[:1]))
    save(folder / language / "collection" / "docs-1.jsonl.gz", json_lines(docs[1:]))
    queries = [{"qid": i, "query": text} for i, text in data.queries.items()]
    save(folder / language / "topics.test.tsv", table(queries).split("\n", 1)[1])
    lines = [f"{query} Q0 {passage} {score}" for (query, passage), score in data.scores.items()]
    save(folder / language / "qrels.test.txt", "\n".join(lines) + "\n")


def as_parquet(folder: Path, data: Small, language: str) -> None:
    for part, rows in rows_of(data).items():
        parquet(folder / language / f"{part}.parquet", rows)


def as_tables(folder: Path, data: Small, language: str) -> None:
    for part, rows in rows_of(data).items():
        suffix, separator = ("csv", ",") if part == "queries" else ("tsv", "\t")
        save(folder / language / f"{part}.{suffix}", table(rows, separator))


LAYOUTS: Mapping[str, Callable[[Path, Small, str], None]] = {
    "beir": as_beir,
    "mteb": as_mteb,
    "trec": as_trec,
    "parquet": as_parquet,
    "tables": as_tables,
}


def trec_eval(data: Small) -> dict[str, float]:
    """The figures of one language, from all scores in float64."""
    encoder, passages = HashingEncoder(), data.joined()
    query_QD = encode(encoder, list(data.queries.values()), "query", 10**6).double()
    passage_ND = encode(encoder, list(passages.values()), "passage", 10**6).double()
    scores = (query_QD @ passage_ND.T).tolist()
    run = {query: dict(zip(passages, row, strict=True)) for query, row in zip(data.queries, scores, strict=True)}
    qrels: dict[str, dict[str, int]] = {}
    for (query, passage), score in data.scores.items():
        qrels.setdefault(query, {})[passage] = score
    judged = {query: graded for query, graded in qrels.items() if max(graded.values()) > 0}
    values = ir_measures.calc_aggregate(list(MEASURES.values()), judged, run)
    return {name: float(values[measure]) for name, measure in MEASURES.items()}


def figures(folder: Path, layout: str) -> Evaluation:
    name = "mteb" if layout == "mteb" else "local"
    return evaluate(HashingEncoder(), load_benchmark(name, {"path": str(folder)}))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(thai=small("กขคงจฉชซ"), arabic=small("ابتثجحخد"))
def test_five_layouts_give_the_figures_of_trec_eval(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, thai: Small, arabic: Small
) -> None:
    root = tmp_path_factory.mktemp("layouts")
    monkeypatch.setenv("STUDY_CACHE", str(root / "cache"))
    measured = {}
    for layout, write in LAYOUTS.items():
        write(root / layout, thai, "th")
        write(root / layout, arabic, "ar")
        measured[layout] = figures(root / layout, layout)
    first = measured["beir"]
    for language, data in (("th", thai), ("ar", arabic)):
        own = first.by_language["monolingual"][language]
        assert {name: own[name] for name in MEASURES} == pytest.approx(trec_eval(data), abs=1e-9)
    for other in measured.values():
        assert other.by_language == first.by_language
        assert list(other.metrics.values()) == list(first.metrics.values())
        assert (other.queries, other.passages) == (first.queries, first.passages)
