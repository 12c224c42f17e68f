"""The splits: in proportion, without leaks, and with every entity trained."""

from __future__ import annotations

import pytest

from tasks.factbook.facts import RELATIONS, Fact, facts
from tasks.factbook.names import LANGUAGES, name
from tasks.factbook.splits import Split, facts_of
from tasks.factbook.texts import Form, phrasings


def test_splits_part_every_relation_seventy_ten_twenty() -> None:
    parts: dict[Split, tuple[Fact, ...]] = {split: facts_of(split) for split in ("train", "dev", "test")}
    assert sorted(fact for part in parts.values() for fact in part) == sorted(facts())
    for relation in RELATIONS:
        sizes = {split: sum(fact.relation == relation for fact in part) for split, part in parts.items()}
        total = sum(sizes.values())
        assert sizes["test"] == total * 20 // 100, relation
        assert sizes["dev"] == total * 10 // 100, relation


@pytest.mark.parametrize("split", ["dev", "test"])
def test_every_entity_that_is_held_out_is_trained_under_another_relation(split: Split) -> None:
    trained = {(RELATIONS[fact.relation].entity, fact.entity) for fact in facts_of("train")}
    train = {(fact.relation, fact.entity) for fact in facts_of("train")}
    for fact in facts_of(split):
        assert (RELATIONS[fact.relation].entity, fact.entity) in trained
        assert (fact.relation, fact.entity) not in train


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_question_and_no_passage_of_dev_or_test_occurs_in_training(language: str) -> None:
    train = facts_of("train")
    held_out = [*facts_of("dev"), *facts_of("test")]
    # In every phrasing, not just the chosen one.
    for form in ("questions", "passages"):
        seen = {text for fact in train for text in all_versions(fact, form, language)}
        assert not seen & {text for fact in held_out for text in all_versions(fact, form, language)}


def all_versions(fact: Fact, form: Form, language: str) -> set[str]:
    entity = name(RELATIONS[fact.relation].entity, fact.entity, language)
    stated = fact.answers if form == "passages" else ()
    return {template.format(entity=entity, answer=stated) for template in phrasings(fact.relation, form, language)}
