"""The corpora that are not made of files keep to the contract too; the others' own tests check it."""

from __future__ import annotations

from tasks.corpora import factbook
from tests.tasks.corpus_contract import check_contract
from tests.toy_corpus import ToyCorpus


def test_the_factbook_keeps_to_the_contract() -> None:
    check_contract(factbook.load(languages=("ar", "th", "zh")))
    check_contract(factbook.load(languages=("el",)))


def test_the_toy_that_training_is_tested_with_keeps_to_it() -> None:
    check_contract(ToyCorpus.parallel(9, ("ar", "th", "zh"), negatives=2))
    check_contract(ToyCorpus("toy", [("ar", "th"), ("th",), ("th", "zh")], [0, 0, 1]))
