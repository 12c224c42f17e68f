"""LAReQA: questions and answer sentences of XQuAD-R or MLQA-R as training pairs, parallel by question id.

Source:   the published JSON files of either data set, one per language (`tasks/benchmarks/xquad_r.py`,
          `tasks/benchmarks/mlqa_r.py`).
Licence:  XQuAD-R: CC BY-SA 4.0; MLQA-R: CC BY-NC 4.0.
Citation: Roy et al., LAReQA: Language-agnostic answer retrieval from a multilingual pool, arXiv 2004.05484.

A row is a question id, in every language whose file has it: the query is the question, the passage the sentence in
which its answer starts. XQuAD-R gives 1,190 rows in 11 languages; MLQA-R gives 1,148 rows in 2 to 4 of 7 languages.

    corpora: [{name: lareqa, path: data/mlqa-r}]                                     # X-X and X-Y
    corpora: [{name: lareqa, path: data/mlqa-r, languages: [en]}]                    # En-En
    corpora: [{name: lareqa, path: data/xquad-r, rows: 400}]                         # a point of a size curve

A model that is trained on one of the two data sets must be evaluated on another benchmark.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import pydantic

from tasks.data.languages import Language
from tasks.data.options import selected_languages
from tasks.formats.lareqa import read_pairs
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.formats.parallel_writer import Identified
from tasks.paths import user_path
from tasks.plugins import TaskError
from tasks.schema import Pair

SEED = 20240810
"""Chooses the order in which `rows` takes questions."""


def load(
    *,
    path: Path,
    languages: tuple[Language, ...] | None = None,
    rows: Annotated[int, pydantic.Field(ge=1)] | None = None,
) -> ParallelArrow:
    """Read the training pairs of XQuAD-R or MLQA-R.

    Args:
        path: the folder that holds `<language>.json`.
        languages: of both sides; every file in the folder by default.
        rows: the number of rows to keep, the first of a seeded shuffle of the question ids; all by default. A smaller
            number keeps a subset of what a larger one keeps. The languages do not change the order of the rows, so that
            `held_out` keeps the same questions out of an English corpus as out of one in all languages.

    Raises:
        TaskError: a file or language that is missing, a file that is malformed, a question id that occurs twice in a
            language, or fewer questions than `rows`.
    """
    folder = user_path(path)
    published = {file.stem: file for file in folder.glob("??.json") if file.is_file()}
    if not published:
        raise TaskError(f"corpus 'lareqa', option 'path': {folder} holds no <language>.json of XQuAD-R or MLQA-R")
    files = {language: published[language] for language in selected_languages("lareqa", languages, published, "corpus")}
    recipe = f"lareqa shuffled rows {rows or 'all'}"
    return converted("lareqa", recipe, list(files.values()), lambda: _rows(files, rows))


def _rows(files: Mapping[str, Path], count: int | None) -> list[Identified]:
    versions: dict[str, dict[str, Pair]] = {}
    for language, file in files.items():
        for question, pair in read_pairs(file):
            row = versions.setdefault(question, {})
            if language in row:
                raise TaskError(f"{file}: the question id '{question}' occurs twice; keep one of the two questions")
            row[language] = pair
    if count is not None and count > len(versions):
        raise TaskError(f"corpus 'lareqa', option 'rows': {count} is more than its {len(versions)} rows")
    return [Identified(question, versions[question]) for question in sorted(versions, key=_shuffled)[:count]]


def _shuffled(question: str) -> bytes:
    """Return the key that sorts question ids into the seeded shuffle, whichever other ids there are."""
    return hashlib.sha256(f"{SEED} {question}".encode()).digest()
