"""The built-in benchmark: one pool a language that holds all facts, asked for the held-out ones."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.factbook.facts import facts
from tasks.factbook.names import LANGUAGES
from tasks.factbook.splits import Split, facts_of
from tasks.plugins import TaskError, load_benchmark
from tasks.relevance import relevance
from tasks.schema import Setting


@pytest.mark.parametrize("split", ["dev", "test"])
def test_the_pools_hold_all_facts_and_the_queries_those_of_the_split(split: Split) -> None:
    benchmark = load_benchmark("factbook", {"split": split})
    assert benchmark.languages == LANGUAGES
    assert [(pool.name, pool.language) for pool in benchmark.pools] == [(language, language) for language in LANGUAGES]
    assert {len(pool.passages) for pool in benchmark.pools} == {len(facts())}
    assert {tuple(queries.ids()) for queries in benchmark.queries.values()} == {tuple(f.id for f in facts_of(split))}
    assert benchmark.settings == tuple(Setting)
    assert benchmark.details == {"split": split}


def test_a_query_is_answered_by_its_fact_in_every_language_and_by_nothing_else() -> None:
    benchmark = load_benchmark("factbook", {})
    texts = {i: t for pool in benchmark.pools for i, t in zip(pool.passages.ids(), pool.passages.texts(), strict=True)}
    assert len(texts) == 11 * len(facts()), "passage ids are unique over all pools"
    pound = next(fact for fact in facts() if (fact.relation, fact.entity) == ("currency", "EG"))
    assert benchmark.qrels[pound.id] == {f"{language}/{pound.id}": 1 for language in LANGUAGES}
    assert "جنيه مصري" in texts[f"ar/{pound.id}"]
    assert "ปอนด์อียิปต์" in texts[f"th/{pound.id}"]
    assert "埃及镑" in texts[f"zh/{pound.id}"]
    assert benchmark.qrels.keys() == set(benchmark.queries["th"].ids())


def test_passage_ids_sort_as_facts_do() -> None:
    for pool in load_benchmark("factbook", {"languages": ["th", "zh"]}).pools:
        assert pool.passages.ids() == sorted(pool.passages.ids())


def test_every_query_takes_part_with_one_passage_a_language() -> None:
    found = relevance(load_benchmark("factbook", {"languages": ["ar", "th", "zh"]}))
    assert len(found.query_row_Q) == 3 * len(facts_of("test"))
    assert len(found.pool_T) == 3 * len(found.query_row_Q)


def test_the_revision_tells_the_content() -> None:
    options: list[dict[str, Any]] = [{}, {"split": "dev"}, {"languages": ["th", "zh"]}, {"languages": ["zh"]}]
    assert len({load_benchmark("factbook", chosen).revision for chosen in options}) == 4
    first, again = (load_benchmark("factbook", {"languages": order}) for order in (["zh", "th"], ["th", "zh"]))
    assert first.revision == again.revision
    assert first.languages == ("th", "zh")


@pytest.mark.parametrize(("languages", "problem"), [(["zh", "ja"], "there is no 'ja'"), ([], "the list is empty")])
def test_languages_it_does_not_have_are_refused(languages: list[str], problem: str) -> None:
    with pytest.raises(TaskError, match=problem):
        load_benchmark("factbook", {"languages": languages})


def test_training_facts_are_no_split_to_evaluate_on() -> None:
    with pytest.raises(TaskError, match="option 'split': 'train' is refused"):
        load_benchmark("factbook", {"split": "train"})
