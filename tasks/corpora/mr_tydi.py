"""Mr. TyDi's training questions: TyDi QA's, with the Wikipedia passage that answers and 30 of BM25 that do not.

Source:   https://huggingface.co/datasets/castorini/mr-tydi, `mrtydi-v1.1-{name}/train.jsonl.gz`. The loading script
          beside them no longer runs.
Licence:  Apache-2.0; passages from Wikipedia: CC BY-SA.
Citation: Zhang et al., Mr. TyDi: A multi-lingual benchmark for dense retrieval, MRL 2021, arXiv 2108.08787.

A line has this form:

    {"query_id": "1", "query": "...", "positive_passages": [{"docid": "26569#0", "title": "...", "text": "..."}],
     "negative_passages": [{"docid": "...", "title": "...", "text": "..."}]}

A passage is its title, a space, its text, as in the MIRACL benchmark. A query has a row for each passage that answers
it. Some queries have no negatives. Questions were never translated, so no row has a second language: monolingual
batches only. The paper trains on English alone: 3,547 rows.

Passages without any text are left out.

Not run here: file names were read in the repository's listing, fields in its script.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pydantic

from tasks.data.languages import Language
from tasks.data.options import selected_languages
from tasks.data.records import Text, read_row
from tasks.data.repository import Repository, files_in
from tasks.data.text_lines import text_lines
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.plugins import TaskError
from tasks.schema import Pair

_SOURCE = Repository("castorini/mr-tydi", "a05d7f0bf105cb974d293c1d782938074de8d419")
_NAMES = {
    "ar": "arabic", "bn": "bengali", "en": "english", "fi": "finnish", "id": "indonesian", "ja": "japanese",
    "ko": "korean", "ru": "russian", "sw": "swahili", "te": "telugu", "th": "thai",
}  # fmt: skip


class _Passage(pydantic.BaseModel):
    title: str = ""
    text: str

    def joined(self) -> str:
        """Return title, a space, text."""
        return f"{self.title} {self.text}".strip()


class _Question(pydantic.BaseModel):
    query: Text
    positive_passages: list[_Passage]
    negative_passages: list[_Passage] = []


def load(*, path: Path | None = None, languages: tuple[Language, ...] = ("en",)) -> ParallelArrow:
    """Open the corpus; data that is new to this machine is downloaded and converted first.

    Args:
        path: a local copy of the repository; it is downloaded by default.
        languages: any of the 11.

    Raises:
        TaskError: a language that is not among the 11, or data that is missing or malformed.
    """
    selected = selected_languages("mr_tydi", languages, _NAMES, "corpus")
    files = {
        language: files_in("mr_tydi", path, _SOURCE, f"mrtydi-v1.1-{_NAMES[language]}", "train.jsonl.gz")[0]
        for language in selected
    }
    return converted("mr_tydi", f"triplets 2 {' '.join(selected)}", list(files.values()), lambda: _rows(files))


def _question(line: str, where: str) -> _Question:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise TaskError(f"{where}: {error}") from None
    return read_row(fields, _Question, where)


def _rows(files: Mapping[str, Path]) -> Iterator[dict[str, Pair]]:
    for language, file in files.items():
        for number, line in text_lines(file):
            question = _question(line, f"{file}, line {number}")
            positives, negatives = (
                tuple(filter(None, (passage.joined() for passage in passages)))
                for passages in (question.positive_passages, question.negative_passages)
            )
            for passage in positives:
                yield {language: Pair(question.query, passage, negatives)}
