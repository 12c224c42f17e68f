"""Passages of a batch that are no negatives of a query, because they answer it (arXiv 2408.10536, section 3).

Two passages are the same if they have the same text, are versions of one row's passage, or are both the same as a
third; so are two queries. A passage answers a query if it is the same as one that a row pairs with the same query. Hard
negatives that are passages of rows, as mined ones are, count among these.

Shapes: B queries of a rank, N passages of all ranks, P pairs of a query and a passage, I passages that differ,
Q queries that differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from tasks.schema import Keys, Pair, Rows

RowKeys = tuple[int, int]
"""The keys of a row's query and passage."""


def false_negatives(
    pairs: Sequence[Pair], keys: Keys, known: Mapping[str, Collection[RowKeys]], shares: Sequence[Rows], rank: int
) -> Rows:
    """Return which passages of a batch answer a query of `rank` without being the passage that it is paired with.

    Args:
        pairs: the whole batch's, with equally many negatives.
        keys: of their rows.
        known: negatives that are passages, in any language, of rows of the batch -> the keys of every such row.
        shares: the places in `pairs` of each rank. A rank's passages are those of its pairs, then their negatives.
        rank: whose queries.

    Returns:
        Pairs (P, 2) of the number of a query in its rank's share, and of a passage among those of all ranks in turn.
    """
    query_keys = keys.queries.tolist()
    rows = list(zip(query_keys, keys.passages.tolist(), strict=True))
    # Where rows lack languages, their keys may be of different languages, and differ for one text.
    asked = [(pair.query, [key]) for pair, key in zip(pairs, query_keys, strict=True)]
    queries = dict(zip(query_keys, _identities(asked), strict=True))
    passages: list[tuple[str, Collection[RowKeys]]] = []
    for share in shares:
        passages += [(pairs[place].passage, [rows[place]]) for place in share]
        passages += [(text, known.get(text, ())) for place in share for text in pairs[place].negatives]
    identity_N = _identities([(text, [key for _, key in of_rows]) for text, of_rows in passages])
    answers = ((queries[query], identity_N[n]) for n, (_, of_rows) in enumerate(passages) for query, _ in of_rows)
    answers_QI = _incidence(answers, len(pairs), len(passages))
    same_IN = _incidence(((identity, n) for n, identity in enumerate(identity_N)), len(passages), len(passages))
    own_B = [queries[rows[place][0]] for place in shares[rank]]
    found = (answers_QI[own_B] @ same_IN).sorted_indices().tocoo()
    first = rank * len(passages) // len(shares)  # a rank's first passages are those of its queries, in their order
    others_P = found.col - found.row != first
    pairs_P2: Rows = np.stack([found.row, found.col], axis=1)[others_P].astype(np.int64)
    return pairs_P2


def _identities(texts: Sequence[tuple[str, Collection[int]]]) -> list[int]:
    """Return a number below N for each of N texts with the keys of their rows, equal for those that are the same."""
    places: dict[str | int, int] = {}
    edges = [
        (places.setdefault(text, len(places)), places.setdefault(key, len(places)))
        for text, of_rows in texts
        for key in of_rows
    ]
    for text, _ in texts:
        places.setdefault(text, len(places))
    joined = connected_components(_incidence(edges, len(places), len(places)), directed=False)[1]
    return list(np.unique(joined[[places[text] for text, _ in texts]], return_inverse=True)[1])


def _incidence(entries: Iterable[tuple[int, int]], height: int, width: int) -> csr_array[Any, tuple[int, int]]:
    """Return a matrix of ones at `entries`, which may repeat, and zeros."""
    place_E2: npt.NDArray[np.int64] = np.array([*dict.fromkeys(entries)], dtype=np.int64).reshape(-1, 2)
    return csr_array((np.ones(len(place_E2), np.int32), place_E2.T), shape=(height, width))
