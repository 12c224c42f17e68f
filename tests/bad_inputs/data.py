"""Data files of every layout, damaged: cut, in another encoding, of another kind, or missing; and contradictions."""

from __future__ import annotations

import gzip
import io
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.bad_inputs.case import SPACE, BadInput, Templates, files, written
from tests.bad_inputs.layouts import CORPUS, FOLDER, LAYOUTS, QRELS, QUERIES, RIVER, Layout, lines, parquet, zipped

EVERY = 5
"""Of all pairs of a file and a damage, each so many-th is taken: all of them would take hours."""
Damage = Callable[[bytes], bytes]
ANY: dict[str, Damage] = {
    "empty": lambda _: b"",
    "cut": lambda content: content[:-3],
    "zeros at its end": lambda content: content[: len(content) // 2] + bytes(len(content) - len(content) // 2),
    "a Git LFS pointer": lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "a page of a web site": lambda _: b"<!DOCTYPE html>\n<html><body>Sign in to continue</body></html>\n",
    "a picture": lambda _: b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
}
TEXT: dict[str, Damage] = {
    "UTF-16": lambda content: content.decode().encode("utf-16"),
    "GB 18030": lambda content: content.decode().encode("gb18030") + "。".encode("gb18030"),
    "compressed": zipped,
}
JSON: dict[str, Damage] = {
    "numbers in place of objects": lambda content: b"1\n" * content.count(b"\n") + b"2",
    "other keys": lambda _: lines([{"ก": "ข"}]),
    "texts that are lists": lambda content: (
        content.replace(b'": "', b'": ["').replace(b'"}', b'"]}').replace(b'", "', b'"], "')
    ),
    "null everywhere": lambda content: content.replace(b'": "', b'": null, "x": "'),
    "half a surrogate pair": lambda content: content.replace("ก".encode(), b"\\ud83d").replace(
        "ม".encode(), b"\\ud83d"
    ),
    "5,000 brackets": lambda _: b"[" * 5000,
    "NaN": lambda content: content.replace(b'": "', b'": NaN, "x": "'),
}
COMPRESSED: dict[str, Damage] = {
    "not compressed": gzip.decompress,
    "compressed twice": zipped,
    "cut inside": lambda content: zipped(gzip.decompress(content)[:-5]),
    "with a wrong checksum": lambda content: content[:-8] + bytes(8),
}


def _with_types(content: bytes, kind: pa.DataType) -> bytes:
    names = pq.read_table(io.BytesIO(content)).column_names
    value: Any = 1.5 if kind == pa.float64() else ["ก"]
    buffer = io.BytesIO()
    pq.write_table(pa.table({name: pa.array([value], kind) for name in names}), buffer)
    return buffer.getvalue()


def _without_rows(content: bytes) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(content)).slice(0, 0), buffer)
    return buffer.getvalue()


TABLES: dict[str, Damage] = {
    "without its columns": lambda _: parquet([{"ก": 1}]),
    "with numbers for texts": lambda content: _with_types(content, pa.float64()),
    "with lists for texts": lambda content: _with_types(content, pa.list_(pa.string())),
    "without rows": _without_rows,
    "JSON lines": lambda _: lines(CORPUS),
}


ALLOWED = {
    ("dataset, JSON lines", "texts that are lists"),
    ("dataset, Parquet", "with lists for texts"),
}
"""No damage: these columns may hold lists of texts."""


def damages(name: str) -> Mapping[str, Damage]:
    """Return what can happen to a file of this name."""
    if name.endswith(".gz"):
        return ANY | COMPRESSED
    if name.endswith(".parquet"):
        return ANY | TABLES
    return ANY | TEXT | (JSON if name.endswith(("jsonl", "json")) else {})


def inputs() -> Iterator[BadInput]:
    """Yield damaged data, so that every file and every damage occurs, and data that contradicts itself."""
    yield from itertools.islice(_all_damages(), 0, None, EVERY)
    yield from contradictions()


def _all_damages() -> Iterator[BadInput]:
    """Yield every layout with each of its files damaged in every way."""
    for layout_name, layout in LAYOUTS.items():
        for file in layout.files:
            title = f"{layout_name}: {file}"
            yield BadInput("data missing", title, layout.arguments, _without(layout, file))
            for name, damage in damages(file).items():
                if damage(layout.files[file]) != layout.files[file] and (layout_name, name) not in ALLOWED:
                    content = {**layout.sound, f"{FOLDER}/{file}": damage(layout.files[file])}
                    yield BadInput(_family(file), f"{title}: {name}", layout.arguments, prepared(content))
            yield BadInput("data a folder", title, layout.arguments, _as_folder(layout, file))


def _family(file: str) -> str:
    suffix = Path(file).suffix
    kinds = {".gz": "compressed data", ".parquet": "data in Parquet", ".jsonl": "data in JSON", ".json": "data in JSON"}
    return kinds.get(suffix, "data in text")


def prepared(content: Mapping[str, bytes]) -> Callable[[Path, Templates], None]:
    """Return what writes data files, and a search space that trains on `train.jsonl`."""
    corpus = {"name": "parallel_jsonl", "path": f"{FOLDER}/train.jsonl"}
    space = written({"corpora": [corpus], "batch_size": 2, "alpha": 1})
    return files({SPACE: space, **content})


def _without(layout: Layout, file: str) -> Callable[[Path, Templates], None]:
    return prepared({name: content for name, content in layout.sound.items() if name != f"{FOLDER}/{file}"})


def _as_folder(layout: Layout, file: str) -> Callable[[Path, Templates], None]:
    def prepare(folder: Path, templates: Templates) -> None:
        _without(layout, file)(folder, templates)
        (folder / FOLDER / file).mkdir(parents=True)

    return prepare


def contradictions() -> Iterator[BadInput]:
    """Yield files that are sound one by one, and that do not go together."""
    own = LAYOUTS["own, JSON lines"]
    changes: dict[str, dict[str, bytes]] = {
        "an unknown passage": {"th/qrels.jsonl": lines([{"query-id": "q1", "corpus-id": "p9", "score": 1}])},
        "an unknown query": {"th/qrels.jsonl": lines([{"query-id": "q9", "corpus-id": "p1", "score": 1}])},
        "no relevant passage": {"th/qrels.jsonl": lines([{"query-id": "q1", "corpus-id": "p1", "score": 0}])},
        "a score that is a word": {"th/qrels.jsonl": lines([{"query-id": "q1", "corpus-id": "p1", "score": "สูง"}])},
        "a score of 1e400": {"th/qrels.jsonl": b'{"query-id": "q1", "corpus-id": "p1", "score": 1e400}\n'},
        "a score of 30 digits": {"th/qrels.jsonl": lines([{"query-id": "q1", "corpus-id": "p1", "score": 10**30}])},
        "a fraction as score": {"th/qrels.jsonl": lines([{"query-id": "q1", "corpus-id": "p1", "score": 0.5}])},
        "two scores": {"th/qrels.jsonl": lines([*QRELS, {"query-id": "q1", "corpus-id": "p1", "score": 2}])},
        "a passage with two texts": {"th/corpus.jsonl": lines([*CORPUS, {"_id": "p1", "text": RIVER}])},
        "a query with two texts": {"th/queries.jsonl": lines([*QUERIES, {"_id": "q1", "text": RIVER}])},
        "an empty id": {"th/corpus.jsonl": lines([*CORPUS, {"_id": " ", "text": RIVER}])},
        "a fraction as id": {"th/corpus.jsonl": lines([*CORPUS, {"_id": 1.5, "text": RIVER}])},
        "true as id": {"th/queries.jsonl": lines([*QUERIES, {"_id": True, "text": RIVER}])},
        "an empty query": {
            "th/queries.jsonl": lines([*QUERIES, {"_id": "q3", "text": "  "}]),
            "th/qrels.jsonl": lines([*QRELS, {"query-id": "q3", "corpus-id": "p1", "score": 1}]),
        },
        "two splits and no choice": {
            "th/qrels.dev.jsonl": lines(QRELS),
            "th/qrels.train.jsonl": lines(QRELS),
            "th/qrels.jsonl": b"",
        },
    }
    for name, change in changes.items():
        content = {**own.sound, **{f"{FOLDER}/{file}": value for file, value in change.items()}}
        yield BadInput("data that contradicts itself", name, own.arguments, prepared(content))
    for option in (
        "languages=[de]",
        "languages=[สยาม]",
        "split=ทดสอบ",
        "settings=[crosslingual]",
        "settings=[x]",
        "missing=no",
        "ignore_identical_ids=2",
    ):
        arguments = (*own.arguments, "--option", option)
        yield BadInput("data that lacks what is asked for", option, arguments, prepared(own.sound))
