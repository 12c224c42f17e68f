"""Identities of texts across languages, against a plain loop."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.formats.parallel_writer import Version, identities


def plainly(rows: list[dict[str, int]], order: list[str]) -> list[int]:
    known_by = [next((language, row[language]) for language in order if language in row) for row in rows]
    texts = [text for _, text in known_by]
    return [texts.index(text) for text in texts]


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["ar", "th", "zh"]), st.integers(-(2**63), 2**63 - 1), min_size=1), min_size=1
    ),
    st.integers(1, 3),
)
def test_a_row_has_the_number_of_the_first_row_with_its_text(rows: list[dict[str, int]], few: int) -> None:
    rows = [{language: text % (10**few) for language, text in row.items()} for row in rows]
    order = ["th", "ar", "zh"]
    versions = []
    for language in order:
        held = [(i, row[language]) for i, row in enumerate(rows) if language in row]
        versions.append(
            Version(*(np.array(column, dtype=np.int64) for column in zip(*held, strict=True)))
            if held
            else Version(np.empty(0, np.int64), np.empty(0, np.int64))
        )
    assert identities(len(rows), versions).tolist() == plainly(rows, order)


def test_languages_beyond_the_one_that_all_rows_have_are_not_read() -> None:
    def versions() -> object:
        yield Version(np.arange(3), np.array([7, 8, 7]))
        raise AssertionError("read on")

    assert identities(3, versions()).tolist() == [0, 1, 0]  # type: ignore[arg-type]  # a generator, to see it stop
