"""The built-in training pairs: parallel, distinct, and none of what is asked later."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.corpora import factbook
from tasks.factbook.names import LANGUAGES
from tasks.factbook.splits import facts_of
from tasks.plugins import TaskError, load_benchmark, load_corpus
from tasks.schema import Corpus


def test_every_row_is_a_training_fact_in_all_languages() -> None:
    corpus: Corpus = factbook.load()
    assert len(corpus) == len(facts_of("train")) > 1300
    assert corpus.languages == LANGUAGES
    assert corpus.rows() == corpus.rows("th") == range(len(corpus))
    assert corpus.row_languages(7) == LANGUAGES


def test_rows_share_neither_question_nor_passage() -> None:
    corpus = load_corpus("factbook", {})
    keys = corpus.keys(np.arange(len(corpus)))
    assert keys.queries.tolist() == keys.passages.tolist() == [int(fact.id) for fact in facts_of("train")]
    assert corpus.keys(np.array([5, 3, 5])).passages.tolist() == keys.passages[[5, 3, 5]].tolist()


def test_a_pair_is_a_question_and_its_passage_in_the_languages_asked_for() -> None:
    corpus = load_corpus("factbook", {})
    row = next(i for i, fact in enumerate(facts_of("train")) if (fact.relation, fact.entity) == ("capital", "JP"))
    rows = np.array([row, row, 0])
    arabic, chinese, other = corpus.pairs(rows, ["ar", "zh", "hi"], ["th", "zh", "el"])
    assert "اليابان" in arabic.query
    assert "โตเกียว" in arabic.passage
    assert "日本" in chinese.query
    assert "东京" in chinese.passage
    assert other.negatives == ()


def test_its_passages_are_the_ones_that_distract_in_the_benchmark() -> None:
    corpus = load_corpus("factbook", {"languages": ["th", "zh"]})
    rows = np.arange(len(corpus))
    pool = load_benchmark("factbook", {"languages": ["th"]}).pools[0].passages
    trained = [pair.passage for pair in corpus.pairs(rows, ["zh"] * len(rows), ["th"] * len(rows))]
    wanted = pool.rows_of([f"th/{key:04d}" for key in corpus.keys(rows).passages])
    assert trained == pool.texts(wanted)


def test_a_single_language_serves_no_crosslingual_pair() -> None:
    corpus = load_corpus("factbook", {"languages": ["th"]})
    assert len(corpus.rows()) == 0
    assert len(corpus.rows("th")) == len(corpus)
    assert len(corpus.rows("zh")) == 0


def test_the_revision_tells_the_content() -> None:
    revisions = {load_corpus("factbook", {"languages": chosen}).revision for chosen in (["th"], ["zh"], ["th", "zh"])}
    assert len(revisions) == 3
    assert factbook.load(languages=("zh", "th")).revision in revisions


def test_a_language_it_does_not_have_is_refused() -> None:
    with pytest.raises(TaskError, match="there is no 'ja'"):
        load_corpus("factbook", {"languages": ["ja"]})
