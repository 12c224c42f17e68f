"""Held-out rows of a training corpus, to select by: their queries against their passages.

The source, licence and citation are those of the corpus. `tasks/holdout_split.py` says which rows are held out and how
training leaves them out.

Protocol: the pools are the distinct passages of the held-out rows, one pool per language. Relevant to a query are the
passages of its own rows; in a language that a row lacks, the versions of its passage that other rows have. Monolingual;
multilingual if the corpus has several languages; cross-lingual if rows have several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.data.records import combined_digest
from tasks.formats.identity import Version, components
from tasks.holdout_split import split
from tasks.plugins import TaskError, load_corpus
from tasks.schema import Benchmark, Corpus, Passage, Pool, Query, Setting, Texts


def load(*, corpus: Mapping[str, Any]) -> Benchmark:
    """Read the held-out rows of a corpus.

    Args:
        corpus: as in a search space: its `name`, its options, and `held_out`, the number of rows to draw queries from.

    Raises:
        TaskError: `name` or `held_out` is missing, or whatever the corpus refuses.
    """
    for key in ("name", "held_out"):
        if key not in corpus:
            raise TaskError(
                f"benchmark 'held_out', option 'corpus' has no '{key}': write it as under `corpora`, such as "
                "{name: factbook, held_out: 200}"
            )
    count = corpus["held_out"]
    if not isinstance(count, int) or isinstance(count, bool):
        raise TaskError(f"benchmark 'held_out', option 'corpus': held_out is {count!r}: write a whole number of rows")
    options = {key: value for key, value in corpus.items() if key not in {"name", "held_out", "weight"}}
    loaded = load_corpus(str(corpus["name"]), options)
    rows = split(loaded, count).held_out
    query_key, passage_key = (keys.tolist() for keys in loaded.components(rows))
    queries, pools, passage_ids = {}, [], []
    for language in loaded.languages:
        places = [place for place, row in enumerate(rows.tolist()) if language in loaded.row_languages(row)]
        languages = [language] * len(places)
        pairs = dict(zip(places, loaded.pairs(rows[places], languages, languages), strict=True))
        id_of_text: dict[str, str] = {}
        for place, pair in pairs.items():
            id_of_text.setdefault(pair.passage, f"{language}/{rows[place]}")
        first = {str(query_key[place]): pair.query for place, pair in reversed(pairs.items())}
        queries[language] = Texts.of(Query(key, text) for key, text in sorted(first.items(), key=lambda q: int(q[0])))
        pools.append(Pool(language, language, Texts.of(Passage(key, text) for text, key in id_of_text.items())))
        passage_ids.append({place: id_of_text[pair.passage] for place, pair in pairs.items()})
    return Benchmark(
        name="held_out",
        revision=combined_digest([loaded.revision, *loaded.languages, str(corpus["held_out"])]),
        queries=queries,
        pools=pools,
        qrels=_qrels(query_key, passage_key, passage_ids),
        settings=_settings(loaded),
        details={"corpus": loaded.name, "held_out": str(corpus["held_out"])},
        documents=_documents(query_key, passage_key),
    )


def _documents(query_key: Sequence[int], passage_key: Sequence[int]) -> dict[str, str]:
    """Return what each query is about: rows with one query or one passage belong together, and so on."""
    every = np.arange(len(query_key))
    versions = (Version(every, np.array(key, dtype=np.int64)) for key in (query_key, passage_key))
    row_of = components(len(every), versions)
    return {str(query): f"row {row}" for query, row in zip(query_key, row_of.tolist(), strict=True)}


def _qrels(
    query_key: Sequence[int], passage_key: Sequence[int], passage_ids: Sequence[Mapping[int, str]]
) -> dict[str, dict[str, int]]:
    """Return the relevant passages of each query.

    Args:
        query_key: the identity of each held-out row's query.
        passage_key: the identity of each held-out row's passage.
        passage_ids: for each language, held-out row -> id of its passage.
    """
    qrels: dict[str, dict[str, int]] = {str(query): {} for query in query_key}
    for ids in passage_ids:
        versions: dict[int, set[str]] = {}
        for place, passage in ids.items():
            versions.setdefault(passage_key[place], set()).add(passage)
        for place, query in enumerate(query_key):
            own = {ids[place]} if place in ids else versions.get(passage_key[place], set())
            qrels[str(query)].update(dict.fromkeys(sorted(own), 1))
    return qrels


def _settings(corpus: Corpus) -> tuple[Setting, ...]:
    several = len(corpus.languages) > 1
    meant = {
        Setting.MONOLINGUAL: True,
        Setting.CROSSLINGUAL: several and len(corpus.rows()) > 0,
        Setting.MULTILINGUAL: several,
    }
    return tuple(setting for setting, has in meant.items() if has)
