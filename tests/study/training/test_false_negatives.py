"""Which passages of a batch answer which queries, against the definition. Columns are positives, then negatives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from study.training.false_negatives import RowKeys, false_negatives
from tasks.schema import Keys, Pair


def found(
    pairs: Sequence[Pair],
    queries: Sequence[int],
    passages: Sequence[int],
    known: Mapping[str, Collection[RowKeys]] | None = None,
) -> list[list[int]]:
    """Return the pairs of a batch that one rank holds."""
    keys = Keys(np.array(queries), np.array(passages))
    numbers: list[list[int]] = false_negatives(pairs, keys, known or {}, [np.arange(len(pairs))], 0).tolist()
    return numbers


THREE = [Pair("ถาม", "ตอบ"), Pair("问", "答"), Pair("سؤال", "جواب")]


def test_other_passages_are_negatives() -> None:
    assert found(THREE, [0, 1, 2], [0, 1, 2]) == []


def test_versions_of_the_positive_its_text_and_answers_to_the_same_query_are_no_negatives() -> None:
    assert found(THREE, [0, 1, 2], [5, 5, 2]) == [[0, 1], [1, 0]]
    assert found(THREE, [4, 1, 4], [0, 1, 2]) == [[0, 2], [2, 0]]
    same_text = [pair._replace(negatives=("คำ" if number else "答",)) for number, pair in enumerate(THREE)]
    assert found(same_text, [0, 1, 2], [0, 1, 2]) == [[1, 3]]


def test_an_answer_to_the_same_query_is_no_negative_in_the_rows_and_languages_of_other_queries_either() -> None:
    # Rows 0 and 1 have one query; row 2 has the passage of row 1 in another language, and row 3 its text.
    pairs = [*THREE, Pair("τι;", "答")]
    assert found(pairs, [0, 0, 2, 3], [0, 1, 1, 9]) == [
        *([0, 1], [0, 2], [0, 3]),
        *([1, 0], [1, 2], [1, 3]),
        *([2, 1], [2, 3]),
        *([3, 1], [3, 2]),
    ]


def test_an_answer_to_a_query_of_the_same_text_is_no_negative_though_the_keys_of_the_rows_differ() -> None:
    # As where one row has the question in Thai and Chinese and the other in Thai alone.
    pairs = [Pair("ถาม", "ตอบ"), Pair("ถาม", "คำ"), Pair("سؤال", "جواب")]
    assert found(pairs, [0, 1, 2], [0, 1, 2]) == [[0, 1], [1, 0]]
    # Row 2 has the question of row 1 in another language.
    assert found(pairs, [0, 1, 1], [0, 1, 2]) == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]


def test_keys_are_whole_numbers_of_64_bits() -> None:
    pairs = [pair._replace(negatives=("ก",)) for pair in THREE[:2]]
    assert found(pairs, [2**62 + 1, 2**62], [2**61 + 1, 2**61]) == []
    assert found(pairs, [2**62, 2**62], [2**61 + 1, 2**61]) == [[0, 1], [1, 0]]


def test_a_hard_negative_that_is_a_passage_of_the_batch_in_another_language_is_none_for_its_query() -> None:
    pairs = [Pair("ถาม", "ตอบ", ("B", "ข")), Pair("问", "答", ("ค", "A"))]
    known = {"ตอบ": {(1, 3)}, "A": {(1, 3)}, "答": {(2, 4)}, "B": {(2, 4)}}
    assert found(pairs, [1, 2], [3, 4], known) == [[0, 5], [1, 2]]


def test_a_hard_negative_that_is_the_passage_of_several_rows_is_none_for_any_of_their_queries() -> None:
    pairs = [pair._replace(negatives=("แม่น้ำ",)) for pair in (*THREE, Pair("คำ", "เมือง"))]
    known = {"แม่น้ำ": {(1, 5), (2, 6), (3, 7)}, "เมือง": {(4, 8)}}
    masked = found(pairs, [1, 2, 3, 4], [5, 6, 7, 8], known)
    assert {query for query, passage in masked if passage >= 4} == {0, 1, 2}
    assert {passage for _, passage in masked if passage >= 4} == {4, 5, 6, 7}


def test_passages_are_numbered_rank_by_rank_each_with_its_positives_first() -> None:
    pairs = [Pair(f"q{n}", f"p{n}", (f"n{n}", "p0")) for n in range(4)]
    keys, shares = Keys(np.arange(4), np.arange(4)), [np.array([1, 2]), np.array([0, 3])]
    # Rank 0: p1 p2, n1 p0, n2 p0; rank 1: p0 p3, n0 p0, n3 p0.
    assert false_negatives(pairs, keys, {}, shares, 0).tolist() == []
    assert false_negatives(pairs, keys, {}, shares, 1).tolist() == [[0, 3], [0, 5], [0, 9], [0, 11]]


def same(texts: set[str], keys: set[int], known: Sequence[tuple[str, set[int]]]) -> tuple[set[str], set[int]]:
    """Follow what is the same from these texts and keys until nothing is added."""
    while True:
        more_keys = keys.union(*(of_text for text, of_text in known if text in texts))
        more_texts = texts | {text for text, of_text in known if of_text & more_keys}
        if (more_texts, more_keys) == (texts, keys):
            return texts, keys
        texts, keys = more_texts, more_keys


def by_definition(
    pairs: Sequence[Pair], queries: Sequence[int], passages: Sequence[int], known: Mapping[str, Collection[RowKeys]]
) -> list[list[int]]:
    """Find the passages that answer each query one by one."""
    rows = list(zip(queries, passages, strict=True))
    columns: list[tuple[str, set[RowKeys]]] = [(pair.passage, {row}) for pair, row in zip(pairs, rows, strict=True)]
    columns += [(text, set(known.get(text, ()))) for pair in pairs for text in pair.negatives]
    answering = []
    for number, query in enumerate(queries):
        asked = same(
            {pairs[number].query}, {query}, [(pair.query, {key}) for pair, key in zip(pairs, queries, strict=True)]
        )[1]
        answers = {text for text, of_rows in columns if any(key in asked for key, _ in of_rows)}
        texts, _ = same(answers, set(), [(text, {key for _, key in of_rows}) for text, of_rows in columns])
        answering += [[number, n] for n, (text, _) in enumerate(columns) if text in texts and n != number]
    return answering


@given(st.data())
def test_what_is_found_is_what_the_definition_says(data: st.DataObject) -> None:
    count, negatives = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 2))
    query, text, key = st.sampled_from("问谁哪何几"), st.sampled_from("กขคงจฉ"), st.integers(0, 5)
    pairs = [
        Pair(
            data.draw(query), data.draw(text), tuple(data.draw(st.lists(text, min_size=negatives, max_size=negatives)))
        )
        for _ in range(count)
    ]
    queries, passages = (data.draw(st.lists(key, min_size=count, max_size=count)) for _ in range(2))
    rows = list(zip(queries, passages, strict=True))
    known = data.draw(st.dictionaries(text, st.sets(st.sampled_from(rows), min_size=1, max_size=2), max_size=2))
    assert found(pairs, queries, passages, known) == by_definition(pairs, queries, passages, known)
