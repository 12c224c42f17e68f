"""Factbook: the built-in parallel questions about countries, cities and languages, in XQuAD-R's 11 languages.

Source:   sentences and tables of our own in `tasks/factbook`, names from the Unicode CLDR by `babel`.
Licence:  Apache-2.0, as the project; CLDR names: Unicode License v3.

One fact, in Thai and in Chinese:

    query    0342        เมืองหลวงของอียิปต์มีชื่อว่าอะไร
    passage  th/0342     เมืองหลวงของประเทศอียิปต์คือไคโร
    query    0342        埃及这个国家的首都叫什么名字？
    passage  zh/0342     埃及的首都是开罗。

Protocol: queries are the facts of one split; the pools hold the passages of all facts, so that those read in training
are distractors, the hardest of which share the entity or the relation. A query's relevant passages are the versions of
its fact in every language. Monolingual, cross-lingual and multilingual as in XQuAD-R.
"""

from __future__ import annotations

from typing import Literal

from tasks.data.options import selected_languages
from tasks.data.records import combined_digest
from tasks.factbook.facts import facts
from tasks.factbook.names import LANGUAGES
from tasks.factbook.splits import facts_of
from tasks.factbook.texts import passage, question
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts


def load(*, split: Literal["dev", "test"] = "test", languages: tuple[str, ...] | None = None) -> Benchmark:
    """Make the benchmark.

    Args:
        split: whose facts are asked for: `dev` to select by, `test` to report.
        languages: of the queries and the pools; all 11 by default.

    Raises:
        TaskError: a language that is not among the 11.
    """
    selected = selected_languages("factbook", languages, LANGUAGES)
    asked = facts_of(split)
    queries = {language: Texts.of(Query(fact.id, question(fact, language)) for fact in asked) for language in selected}
    pools = [
        Pool(
            language,
            language,
            Texts.of(Passage(_passage_id(language, fact.id), passage(fact, language)) for fact in facts()),
        )
        for language in selected
    ]
    content = [text for table in (*queries.values(), *(pool.passages for pool in pools)) for text in table.texts()]
    return Benchmark(
        name="factbook",
        revision=combined_digest(content),
        queries=queries,
        pools=pools,
        qrels={fact.id: {_passage_id(language, fact.id): 1 for language in selected} for fact in asked},
        settings=tuple(Setting),
        details={"split": split},
    )


def _passage_id(language: str, fact_id: str) -> str:
    return f"{language}/{fact_id}"
