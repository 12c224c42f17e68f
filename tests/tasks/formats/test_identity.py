"""Identities of texts across languages, against a plain search."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.formats.identity import Version, components, main_language_keys

LANGUAGES = ("ar", "th", "zh")


def first_rows(rows: list[dict[str, int]]) -> list[int]:
    """Return for each row the first row that it reaches over texts they share, by repeated search."""
    reached = [{i} for i in range(len(rows))]
    for start in range(len(rows)):
        while True:
            texts = {version for i in reached[start] for version in rows[i].items()}
            more = {i for i, row in enumerate(rows) if texts & row.items()}
            if more == reached[start]:
                break
            reached[start] = more
    return [min(rows) for rows in reached]


def versions(rows: list[dict[str, int]]) -> list[Version]:
    having = {language: [i for i, row in enumerate(rows) if language in row] for language in LANGUAGES}
    return [
        Version(np.array(held, dtype=np.int64), np.array([rows[i][language] for i in held], dtype=np.int64))
        for language, held in having.items()
    ]


@given(
    st.lists(st.dictionaries(st.sampled_from(LANGUAGES), st.integers(-(2**63), 2**63 - 1), min_size=1), min_size=1),
    st.integers(1, 3),
)
def test_a_row_has_the_number_of_the_first_row_of_its_component(rows: list[dict[str, int]], digits: int) -> None:
    rows = [{language: text % (10**digits) for language, text in row.items()} for row in rows]
    assert components(len(rows), versions(rows)).tolist() == first_rows(rows)


def test_rows_without_a_common_language_are_connected_by_a_third() -> None:
    rows = [{"ar": 1, "th": 2}, {"zh": 3}, {"th": 2, "zh": 3}, {"zh": 4}]
    assert components(4, versions(rows)).tolist() == [0, 0, 0, 3]


@given(
    st.lists(st.dictionaries(st.sampled_from(LANGUAGES), st.integers(-(2**63), 2**63 - 1), min_size=1), min_size=1),
    st.integers(1, 3),
)
def test_a_key_is_the_first_row_with_the_same_main_text(rows: list[dict[str, int]], digits: int) -> None:
    rows = [{language: text % (10**digits) for language, text in row.items()} for row in rows]
    texts = [next(row[language] for language in LANGUAGES if language in row) for row in rows]
    assert main_language_keys(len(rows), versions(rows)).tolist() == [texts.index(text) for text in texts]


def test_rows_that_share_a_text_in_a_minor_language_alone_have_one_component_and_two_keys() -> None:
    rows = [{"ar": 1, "th": 9}, {"ar": 2, "th": 9}]
    assert components(2, versions(rows)).tolist() == [0, 0]
    assert main_language_keys(2, versions(rows)).tolist() == [0, 1]
