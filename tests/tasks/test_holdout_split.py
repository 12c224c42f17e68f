"""Which rows are kept out of training, and the corpus that is left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.holdout_split import HELD_OUT, Remaining, split
from tasks.plugins import TaskError
from tasks.schema import Keys, Rows
from tests.tasks.corpus_contract import check_contract
from tests.toy_corpus import ToyCorpus

LANGUAGES = ("ar", "th", "zh")


class SharedCorpus(ToyCorpus):
    """A toy corpus in which rows share queries too: row r asks question r // 3."""

    def keys(self, rows: Rows) -> Keys:
        return super().keys(rows)._replace(queries=rows // 3)


def test_the_two_parts_share_neither_a_query_nor_a_passage() -> None:
    rng = np.random.default_rng(0)
    corpus = SharedCorpus("toy", [LANGUAGES] * 300, rng.integers(0, 250, 300).tolist())
    training, held_out = split(corpus, 20)
    asked, trained = corpus.keys(held_out), training.keys(np.arange(len(training)))
    assert not set(asked.queries) & set(trained.queries)
    assert not set(asked.passages) & set(trained.passages)
    assert 100 < len(training) < 300


def test_every_row_of_a_held_out_query_is_held_out() -> None:
    corpus = SharedCorpus("toy", [LANGUAGES] * 300, range(300))
    _, held_out = split(corpus, 20)
    queries = set(corpus.keys(held_out).queries)
    assert len(queries) <= 20
    assert held_out.tolist() == [row for row in range(300) if row // 3 in queries]


def test_the_same_rows_are_held_out_every_time() -> None:
    corpus = ToyCorpus.parallel(1000, LANGUAGES)
    first, second = split(corpus, 50), split(corpus, 50)
    assert first.held_out.tolist() == second.held_out.tolist()
    assert len(first.held_out) == 50
    assert first.training.revision == second.training.revision != split(corpus, 49).training.revision


@given(
    st.lists(st.sets(st.sampled_from(LANGUAGES), min_size=1), min_size=2, max_size=30),
    st.sets(st.integers(0, 29), max_size=28),
)
def test_what_remains_is_the_corpus_without_the_rows_in_their_order(held: list[set[str]], left_out: set[int]) -> None:
    corpus = ToyCorpus("toy", [tuple(sorted(languages)) for languages in held], range(len(held)))
    excluded = np.array(sorted(row for row in left_out if row < len(held) - 1), dtype=np.int64)
    remaining = Remaining(corpus, excluded, "unreadable")
    kept = [row for row in range(len(held)) if row not in set(excluded.tolist())]
    assert len(remaining) == len(kept)
    assert remaining.keys(np.arange(len(kept))).queries.tolist() == kept
    for language in (*LANGUAGES, None):
        expected = set(np.asarray(corpus.rows(language)).tolist()) & set(kept)
        assert [kept[row] for row in remaining.rows(language)] == sorted(expected)
    for row, original in enumerate(kept):
        languages = corpus.row_languages(original)
        assert remaining.row_languages(row) == languages
        asked = ([original], languages[:1], languages[-1:])
        assert remaining.pairs(np.array([row]), *asked[1:]) == corpus.pairs(np.array(asked[0]), *asked[1:])


def test_a_complete_corpus_stays_one_that_lists_no_rows() -> None:
    training = split(ToyCorpus.parallel(100, LANGUAGES, negatives=1), 10).training
    assert training.rows() == training.rows("th") == range(90)
    check_contract(training)


@pytest.mark.parametrize("rows", [0, 100, -1])
def test_a_number_that_leaves_nothing_on_one_side_is_refused(rows: int) -> None:
    with pytest.raises(TaskError, match=f"corpus 'toy', held_out {rows}: choose from 1 to 99"):
        split(ToyCorpus.parallel(100, LANGUAGES), rows)


def test_one_passage_for_all_rows_leaves_nothing_to_train_on() -> None:
    with pytest.raises(TaskError, match="no row is left to train on"):
        split(ToyCorpus("toy", [LANGUAGES] * 10, [0] * 10), 1)


def test_rows_that_do_not_remain_are_told_by_their_reasons() -> None:
    without_text = Remaining(ToyCorpus.parallel(100, LANGUAGES), np.arange(3), "triples with an empty text")
    assert without_text.left_out == {"triples with an empty text": 3}
    training = split(without_text, 10).training
    assert isinstance(training, Remaining)
    assert training.left_out == {"triples with an empty text": 3, HELD_OUT: 10}
