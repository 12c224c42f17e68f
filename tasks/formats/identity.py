"""Which rows of a parallel corpus hold the same text, or versions of it in other languages.

There are two answers. Connected components join rows as soon as they share a text in any language, and so on from row
to row: nothing that belongs together is parted, so splits and mined negatives use them. Where sentences are cut
differently (XQuAD-R's Thai has few breaks), components also join rows whose other versions differ: 1,190 rows form 489.
Batches therefore use keys: the text in the one language that most rows have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.schema import Rows


class Version(NamedTuple):
    """The texts of one language: which rows have one, ascending, and a hash of each."""

    rows: Rows
    hashes: npt.NDArray[np.int64]


def main_language_keys(size: int, versions: Iterable[Version]) -> Rows:
    """Return, for each of `size` rows, the first row whose text is the same.

    The text of a row is the one in the first of `versions` that it has. In a complete corpus that is one language for
    all rows.

    Args:
        size: number of rows; each has a text in some language.
        versions: the languages, the one that most rows have first; read only as far as they are needed.
    """
    hash_of_row = np.zeros(size, dtype=np.int64)
    unknown = np.ones(size, dtype=np.bool_)
    for rows, hashes in versions:
        new = unknown[rows]
        hash_of_row[rows[new]] = hashes[new]
        unknown[rows] = False
        if not unknown.any():
            break
    assert not unknown.any(), "a row has no language"
    _, first, text = np.unique(hash_of_row, return_index=True, return_inverse=True)
    return first[text].astype(np.int64)


def components(size: int, versions: Iterable[Version]) -> Rows:
    """Return, for each of `size` rows, the first row of its connected component.

    Two rows are connected if they have the same text in some language. Their texts are then versions of one another,
    whether or not the rows have a language in common: {en: A, de: B} connects {en: A, fr: C} to {de: B, fr: D}.

    Args:
        size: number of rows.
        versions: the languages, one at a time; memory is proportional to the rows of one language.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415 - takes half a second, and a refused search space needs none of it
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    component = np.arange(size, dtype=np.int64)
    for rows, hashes in versions:
        _, text = np.unique(hashes, return_inverse=True)
        nodes = size + len(rows)  # the components, then the texts
        edges = coo_array((np.ones(len(rows), dtype=np.bool_), (component[rows], size + text)), shape=(nodes, nodes))
        _, label = connected_components(edges, directed=False)
        component = label[component]  # below size: no text is a component of its own
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)
