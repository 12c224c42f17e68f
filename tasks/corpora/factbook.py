"""Factbook: the training split of the built-in parallel questions, complete in XQuAD-R's 11 languages.

Source:   sentences and tables of our own in `tasks/factbook`, names from the Unicode CLDR by `babel`.
Licence:  Apache-2.0, as the project; CLDR names: Unicode License v3.

One row, its query in Arabic and its passage in Hindi:

    query    اليابان: بأي نقود يدفع الناس في هذا البلد؟
    passage  जापान देश में क़ानूनी तौर पर यह मुद्रा मान्य है: जापानी येन।

A row is a fact; no two rows share a question or a passage. `tasks/benchmarks/factbook.py` asks for other facts about
the same entities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tasks.data.languages import Language
from tasks.data.options import selected_languages
from tasks.data.records import combined_digest
from tasks.factbook.names import LANGUAGES
from tasks.factbook.splits import facts_of
from tasks.factbook.texts import passage, question
from tasks.schema import Keys, Pair, Rows


def load(*, languages: tuple[Language, ...] | None = None) -> FactbookCorpus:
    """Make the corpus.

    Args:
        languages: of both sides; all 11 by default.

    Raises:
        TaskError: a language that is not among the 11.
    """
    selected = selected_languages("factbook", languages, LANGUAGES, "corpus")
    rows = facts_of("train")
    return FactbookCorpus(
        languages=selected,
        facts=np.array([int(fact.id) for fact in rows]),
        questions={language: [question(fact, language) for fact in rows] for language in selected},
        passages={language: [passage(fact, language) for fact in rows] for language in selected},
    )


@dataclass(frozen=True)
class FactbookCorpus:
    """Rows that all have the same languages."""

    languages: tuple[str, ...]
    facts: Rows
    """Each row's fact."""
    questions: Mapping[str, Sequence[str]]
    """Language -> the text of each row."""
    passages: Mapping[str, Sequence[str]]
    name: str = "factbook"
    left_out: Mapping[str, int] = field(default_factory=dict)
    fewest_negatives: int = 0

    @property
    def revision(self) -> str:
        """Identifies the texts of all rows."""
        return combined_digest(
            text for side in (self.questions, self.passages) for language in self.languages for text in side[language]
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.facts)

    def rows(self, language: str | None = None) -> Sequence[int] | Rows:
        """Return all rows, or none for a language the corpus lacks or a second language it lacks."""
        available = language in self.languages if language else len(self.languages) > 1
        return range(len(self) if available else 0)

    def row_languages(self, row: int) -> tuple[str, ...]:
        """Return the languages of the corpus."""
        return self.languages

    def text_keys(self, rows: Rows) -> Rows:
        """Return the fact of each row: no two rows have the same texts."""
        return self.facts[rows]

    def ids(self, rows: Rows) -> list[str]:
        """Return the number of each row's fact."""
        return [str(fact) for fact in self.facts[rows]]

    def keys(self, rows: Rows) -> Keys:
        """Return the fact of each row, which identifies its query and its passage."""
        return Keys(self.facts[rows], self.facts[rows])

    def components(self, rows: Rows) -> Keys:
        """Return the same: facts share no text."""
        return self.keys(rows)

    def pairs(self, rows: Rows, query_languages: Sequence[str], passage_languages: Sequence[str]) -> list[Pair]:
        """Return one question and its passage per row, without negatives."""
        return [
            Pair(self.questions[query][row], self.passages[passage][row])
            for row, query, passage in zip(rows, query_languages, passage_languages, strict=True)
        ]
