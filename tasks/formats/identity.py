"""Which rows of a parallel corpus hold the same text or versions of it, whatever the language."""

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


def identities(size: int, versions: Iterable[Version]) -> Rows:
    """Return, for each of `size` rows, the first row whose text is the same.

    A row is known by its text in the one of its languages that most rows have: in a complete corpus that is one
    language for all. Agreement in any language would be too much: where sentences are cut or translated differently
    (XQuAD-R's Thai), it runs from row to row and ends in one identity for many texts.

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
