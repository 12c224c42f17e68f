"""Which candidates answer which queries, so that they are no hard negatives.

Shapes: R rows of the corpus, P candidates, Q queries.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from study.retrieval.candidates import Candidates
from tasks.schema import Keys, Rows


class Answers:
    """What the corpus pairs with a query in any row and any language, and every candidate with a text of that.

    Texts are compared as `tasks.same_text.bare` does: a passage may differ from an answer in case or spaces alone, or
    lie in the pool of another language, such as one that is a name.
    """

    def __init__(self, keys_R: Keys, candidates: Candidates) -> None:
        """Number queries, passages and texts; a pair of them is one number, and pairs are kept in ascending order."""
        queries, self.query_R = np.unique(keys_R.queries, return_inverse=True)
        passages, passage_R = np.unique(keys_R.passages, return_inverse=True)
        self._passages, self._texts = len(passages), int(candidates.text_P.max()) + 1
        self._passage_P = np.searchsorted(passages, candidates.key_P)
        self._text_P = candidates.text_P
        self._known = np.unique(self.query_R * self._passages + passage_R)
        self._known_texts = self._with_shared_texts()
        of_passage = np.bincount(self._passage_P, minlength=self._passages)
        query, passage = np.divmod(self._known, self._passages)
        self.most_Q = np.bincount(query, of_passage[passage], len(queries)).astype(np.int64)
        """At least the number of texts of candidates that answer a query."""
        self.most_Q += np.bincount(self._known_texts // self._texts, minlength=len(queries))

    def hold(self, query: Rows, numbers: Rows) -> npt.NDArray[np.bool_]:
        """Return whether candidates answer queries; both are numbers, and are broadcast against each other."""
        by_passage = _contains(self._known, query * self._passages + self._passage_P[numbers])
        return by_passage | _contains(self._known_texts, query * self._texts + self._text_P[numbers])

    def _with_shared_texts(self) -> Rows:
        """Return the pairs of query and text where candidates with the text are of several passages: few, in most data.

        Of other texts the passage tells it all.
        """
        text, passage = np.divmod(np.unique(self._text_P * self._passages + self._passage_P), self._passages)
        shared = np.bincount(text)[text] > 1
        order = np.argsort(passage[shared], kind="stable")
        text, passage = text[shared][order], passage[shared][order]
        query, answer = np.divmod(self._known, self._passages)
        first, end = (np.searchsorted(passage, answer, side) for side in ("left", "right"))
        count = end - first
        place = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(count.sum())
        return np.unique(np.repeat(query, count) * self._texts + text[place])


def _contains(ascending: Rows, values: Rows) -> npt.NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(values.shape, dtype=np.bool_)
    place = np.searchsorted(ascending, values).clip(max=len(ascending) - 1)
    contained: npt.NDArray[np.bool_] = ascending[place] == values
    return contained
