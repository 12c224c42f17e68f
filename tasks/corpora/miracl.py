"""MIRACL's training questions: asked and judged by native speakers, with passages of their own Wikipedia.

Source:   https://huggingface.co/datasets/sentence-transformers/miracl, folders `{lang}-triplet/train` (Parquet) of its
          converted branch. The original `miracl/miracl` needs a loading script that no longer runs.
Licence:  Apache-2.0 (annotations), CC BY-SA (passages from Wikipedia).
Citation: Zhang et al., MIRACL: A multilingual retrieval dataset covering 18 diverse languages, TACL 2023,
          doi 10.1162/tacl_a_00595.

A row has the columns `anchor` (the question), `positive` and `negative`, a passage that annotators judged and found not
to answer: the hard negative. 3,495 rows in Arabic. Questions were asked in their own language and never translated, so
no row has a second language: monolingual batches only.

Not run here: columns and counts were read in the repository's card, the commit and layout in its listings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tasks.data.languages import Language
from tasks.data.options import selected_languages
from tasks.data.repository import Repository, files_in, parquet_texts
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.schema import Pair

_SOURCE = Repository("sentence-transformers/miracl", "be79f8bca79ef81bf0fd78df7334bffdfcf9462e")
_LANGUAGES = "ar bn en es fa fi fr hi id ja ko ru sw te th zh".split()  # noqa: SIM905 (a line of codes reads better)


def load(*, path: Path | None = None, languages: tuple[Language, ...] | None = None) -> ParallelArrow:
    """Open the corpus; data that is new to this machine is downloaded and converted first.

    Args:
        path: a local copy of the repository; it is downloaded by default.
        languages: any of the 16; all by default.

    Raises:
        TaskError: a language that is not among the 16, or data that is missing or malformed.
    """
    selected = selected_languages("miracl", languages, _LANGUAGES, "corpus")
    files = {language: files_in("miracl", path, _SOURCE, f"{language}-triplet/train") for language in selected}
    return converted(
        "miracl",
        f"triplets {' '.join(selected)}",
        [file for of_language in files.values() for file in of_language],
        lambda: _rows(files),
    )


def _rows(files: Mapping[str, list[Path]]) -> Iterator[dict[str, Pair]]:
    for language, of_language in files.items():
        for query, passage, negative in parquet_texts(of_language, ["anchor", "positive", "negative"]):
            yield {language: Pair(query, passage, (negative,))}
