"""MFAQ: questions and answers of FAQ pages from Common Crawl, in 21 languages.

Source:   https://huggingface.co/datasets/clips/mfaq, `data/{lang}/train.jsonl`. The loading script beside them no
          longer runs.
Licence:  CC0 1.0.
Citation: De Bruyn et al., MFAQ: A multilingual FAQ dataset, MRQA 2021, arXiv 2109.12870.

A line is a page, of this form:

    {"id": 1, "domain": "example.org", "qa_pairs": [{"question": "Wo parke ich?", "answer": "Im Hof."}], ...}

A pair of a page is a row; pages are not translations of each other, so no row has a second language: monolingual
batches only. The paper trains on English alone and counts 3,567,659 rows.

Not run here: file names were read in the repository's listing, fields in its card and script.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pydantic

from tasks.data.languages import Language
from tasks.data.options import selected_languages
from tasks.data.records import read_json_lines
from tasks.data.repository import Repository, files_in
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.schema import Pair

_SOURCE = Repository("clips/mfaq", "72248e10c1bbe5e3c3710e5e969a41947ca43937")
_LANGUAGES = "cs da de en es fi fr he hr hu id it nl no pl pt ro ru sv tr vi".split()  # noqa: SIM905 (a line of codes reads better)


class _Entry(pydantic.BaseModel):
    question: str
    answer: str


class _Page(pydantic.BaseModel):
    qa_pairs: list[_Entry]


def load(*, path: Path | None = None, languages: tuple[Language, ...] = ("en",)) -> ParallelArrow:
    """Open the corpus; data that is new to this machine is downloaded and converted first.

    Args:
        path: a local copy of the repository; it is downloaded by default.
        languages: any of the 21.

    Raises:
        TaskError: a language that is not among the 21, or data that is missing or malformed.
    """
    selected = selected_languages("mfaq", languages, _LANGUAGES, "corpus")
    files = {language: files_in("mfaq", path, _SOURCE, f"data/{language}", "train.jsonl")[0] for language in selected}
    return converted("mfaq", f"pages {' '.join(selected)}", list(files.values()), lambda: _rows(files))


def _rows(files: Mapping[str, Path]) -> Iterator[dict[str, Pair]]:
    for language, file in files.items():
        for _, page in read_json_lines(file, _Page):
            for entry in page.qa_pairs:
                question, answer = entry.question.strip(), entry.answer.strip()
                if question and answer:
                    yield {language: Pair(question, answer)}
