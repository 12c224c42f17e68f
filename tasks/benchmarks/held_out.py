"""Held out: queries of a training corpus that training leaves out, to select by.

Source, licence and citation are the corpus's. `tasks/holdout_split.py` says which rows, and how training leaves them
out.

Protocol: a query's relevant passages are the versions of every passage that answers it; the pools are the passages of
the rows that are held out, one pool a language. Monolingual; multilingual where there are several languages;
cross-lingual where rows have several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.data.records import combined_digest
from tasks.holdout_split import split
from tasks.plugins import TaskError, load_corpus
from tasks.schema import Benchmark, Corpus, Pair, Passage, Pool, Query, Rows, Setting, Texts


def load(*, corpus: Mapping[str, Any]) -> Benchmark:
    """Make the benchmark.

    Args:
        corpus: as in a search space: its `name`, its options, and `held_out`, from how many rows queries are held out.

    Raises:
        TaskError: no name, no number, or what the corpus refuses.
    """
    for key in ("name", "held_out"):
        if key not in corpus:
            raise TaskError(
                f"benchmark 'held_out', option 'corpus' has no '{key}': write it as under `corpora`, such as "
                "{name: factbook, held_out: 200}"
            )
    options = {key: value for key, value in corpus.items() if key not in {"name", "held_out", "weight"}}
    loaded = load_corpus(str(corpus["name"]), options)
    rows = split(loaded, int(corpus["held_out"])).held_out
    queries, pools = {}, []
    qrels: dict[str, dict[str, int]] = {}
    for language in loaded.languages:
        held = rows[[language in loaded.row_languages(row) for row in rows.tolist()]]
        keys = loaded.keys(held)
        queries[language] = Texts.of(
            Query(str(key), pair.query) for key, pair in _distinct(loaded, language, held, keys.queries)
        )
        passages = Texts.of(
            Passage(f"{language}/{key}", pair.passage) for key, pair in _distinct(loaded, language, held, keys.passages)
        )
        pools.append(Pool(language, language, passages))
        for query, passage in zip(keys.queries.tolist(), keys.passages.tolist(), strict=True):
            qrels.setdefault(str(query), {})[f"{language}/{passage}"] = 1
    return Benchmark(
        name="held_out",
        revision=combined_digest([loaded.revision, *loaded.languages, str(corpus["held_out"])]),
        queries=queries,
        pools=pools,
        qrels=qrels,
        settings=_settings(loaded),
        details={"corpus": loaded.name, "held_out": str(corpus["held_out"])},
    )


def _distinct(corpus: Corpus, language: str, rows: Rows, keys: npt.NDArray[np.int64]) -> Iterator[tuple[int, Pair]]:
    """Yield each distinct key with the pair, in one language, of the first row that has it."""
    distinct, first = np.unique(keys, return_index=True)
    languages = [language] * len(first)
    yield from zip(distinct.tolist(), corpus.pairs(rows[first], languages, languages), strict=True)


def _settings(corpus: Corpus) -> tuple[Setting, ...]:
    several = len(corpus.languages) > 1
    meant = {
        Setting.MONOLINGUAL: True,
        Setting.CROSSLINGUAL: several and len(corpus.rows()) > 0,
        Setting.MULTILINGUAL: several,
    }
    return tuple(setting for setting, has in meant.items() if has)
