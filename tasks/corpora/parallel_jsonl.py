"""Parallel JSON lines: one row per line, in any number of languages and of any size.

    {"id": "56be", "pairs": {"th": {"query": "เมืองหลวงของไทยคือเมืองใด", "passage": "กรุงเทพมหานครเป็นเมืองหลวงของไทย"},
                             "zh": {"query": "泰国的首都是哪里？", "passage": "曼谷是泰国的首都。",
                                    "negatives": ["清迈是泰国北部的城市。",
                                                  {"text": "เชียงใหม่อยู่ทางเหนือ", "language": "th"}]}}}

(on one line). The versions of a row are translations of each other; a row may lack languages. `negatives` are passages
that do not answer the query, in that language or in one that is named with them; they are optional, and so is `id`.
Other fields are ignored.
`python -m study.mine` writes such a file. The licence is that of your data.

The file is read once and kept as memory-mapped Arrow files under the hash of its content.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pydantic

from tasks.data.languages import ByLanguage, Language
from tasks.data.records import Text, read_json_lines
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.formats.parallel_writer import Identified, Row
from tasks.paths import user_path
from tasks.plugins import TaskError, nearest
from tasks.schema import Pair


class _Negative(pydantic.BaseModel):
    text: Text
    language: Language | None = None
    """That of the version by default."""


def _named(negative: object) -> object:
    return {"text": negative} if isinstance(negative, str) else negative


class _Version(pydantic.BaseModel):
    query: Text
    passage: Text
    negatives: tuple[Annotated[_Negative, pydantic.BeforeValidator(_named)], ...] = ()

    def pair(self, languages: tuple[str, ...] | None) -> Pair:
        """Return the texts, without negatives in other languages than these."""
        kept = (n.text for n in self.negatives if n.language is None or languages is None or n.language in languages)
        return Pair(self.query, self.passage, tuple(kept))


class _Row(pydantic.BaseModel):
    id: str | int | None = None
    pairs: Annotated[dict[str, _Version], ByLanguage] = pydantic.Field(min_length=1)


def load(*, path: Path, languages: tuple[Language, ...] | None = None) -> ParallelArrow:
    """Open the corpus; a file whose content is new to this machine is converted first.

    Args:
        path: the file described above.
        languages: the languages to train on, negatives included; all by default.

    Raises:
        TaskError: the file does not exist, a line is malformed, or no line has a language.
    """
    file = user_path(path)
    if not file.is_file():
        raise TaskError(f"corpus 'parallel_jsonl', option 'path': there is no file {file}")
    recipe = "parallel_jsonl " + ("all" if languages is None else " ".join(sorted(set(languages))))
    return converted("parallel_jsonl", recipe, [file], lambda: _rows(file, languages))


def _rows(file: Path, languages: tuple[str, ...] | None) -> Iterator[Row]:
    languages_seen: set[str] = set()
    for _, row in read_json_lines(file, _Row):
        languages_seen |= row.pairs.keys()
        pairs = {
            language: version.pair(languages)
            for language, version in row.pairs.items()
            if languages is None or language in languages
        }
        yield pairs if row.id is None else Identified(str(row.id), pairs)
    for language in languages or ():
        if language not in languages_seen:
            raise TaskError(
                f"corpus 'parallel_jsonl', option 'languages': no row of {file} has '{language}', "
                f"{nearest(language, languages_seen)}"
            )
