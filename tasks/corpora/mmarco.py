"""mMARCO: MS MARCO's questions and passages, machine-translated into 13 languages; parallel by their shared ids.

Source:   https://huggingface.co/datasets/unicamp-dl/mmarco, raw TSV files: `data/triples.train.ids.small.tsv` and, per
          language, `data/google/collections/{name}_collection.tsv` and
          `data/google/queries/train/{name}_queries.train.tsv`. The loading script beside them no longer runs.
Licence:  Apache-2.0 (translations); MS MARCO is for non-commercial research.
Citation: Bonifacio et al., mMARCO: A multilingual version of the MS MARCO passage ranking dataset, arXiv 2108.13897.

A line of the triples is a row: query id, id of a passage that answers it, id of one that does not, the row's negative:

    400296	1540783	3518497

39,780,811 rows over 808,731 queries and 8,841,823 passages. Each text is stored once per language and each row as three
numbers, so the corpus takes the disk space of its texts. Files are large: 2.7 to 7.7 GB per language.

Triples of which a text is empty in one of the chosen languages are left out.

Not run here: file names and sizes were read in the repository's listing, counts and columns in `ir_datasets` and the
repository's script; nothing could be downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tasks.data import hub
from tasks.data.cache import conversion
from tasks.data.languages import Language
from tasks.data.mapped import MappedArray, slices
from tasks.data.options import required_file, selected_languages
from tasks.data.records import combined_digest
from tasks.data.text_by_id import TextById, converted_numbers, converted_texts
from tasks.holdout_split import Remaining
from tasks.paths import user_path
from tasks.schema import Corpus, Keys, Pair, Rows

_REPOSITORY, _REVISION = "unicamp-dl/mmarco", "b1a2c25def4bd95274199be3fb226ee36b7c8bad"
_NAMES = {
    "ar": "arabic", "de": "german", "en": "english", "es": "spanish", "fr": "french", "hi": "hindi",
    "id": "indonesian", "it": "italian", "ja": "japanese", "nl": "dutch", "pt": "portuguese", "ru": "russian",
    "vi": "vietnamese", "zh": "chinese",
}  # fmt: skip
_COLLECTIONS, _QUERIES = "data/google/collections", "data/google/queries/train"
_WITHOUT_TEXT, _BLOCK = "rows", 1 << 20
_TRIPLES = "data/triples.train.ids.small.tsv"
PAPER_LANGUAGES = ("ar", "de", "en", "es", "hi", "ru", "zh")
"""Those arXiv 2408.10536 trains on."""


class _Language(NamedTuple):
    queries: TextById
    passages: TextById


def load(*, path: Path | None = None, languages: tuple[Language, ...] = PAPER_LANGUAGES) -> Corpus:
    """Open the corpus; data that is new to this machine is downloaded and converted first.

    Args:
        path: a local copy of the repository; the files of the languages are downloaded by default.
        languages: of both sides; any of the 14.

    Raises:
        TaskError: a language that is not among the 14, a file that is missing or malformed, or a triple whose text is
            missing.
    """
    selected = selected_languages("mmarco", languages, _NAMES, "corpus")
    texts, digests, files = {}, [], []
    for language in selected:
        folder, name = user_path(path) if path else _downloaded(language), _NAMES[language]
        queries = required_file("mmarco", folder / _QUERIES / f"{name}_queries.train.tsv")
        passages = required_file("mmarco", folder / _COLLECTIONS / f"{name}_collection.tsv")
        files += [queries, passages]
        sides = [converted_texts(f"mmarco-{language}", file) for file in (queries, passages)]
        texts[language] = _Language(*(side for side, _ in sides))
        digests += [digest for _, digest in sides]
    folder = user_path(path) if path else hub.dataset_folder(_REPOSITORY, _REVISION, [_TRIPLES])
    triples = required_file("mmarco", folder / _TRIPLES)
    rows, digest = converted_numbers("mmarco-triples", triples, columns=3)
    corpus = MmarcoCorpus(combined_digest([digest, *digests]), texts, rows)
    without_text = _rows_without_text(rows, texts, [triples, *files])
    return Remaining(corpus, without_text, "triples with an empty text") if len(without_text) else corpus


def _rows_without_text(rows: MappedArray, texts: Mapping[str, _Language], sources: Sequence[Path]) -> Rows:
    """Return the triples, ascending, of which some text is empty in some language; found once per machine."""

    def build(folder: Path) -> None:
        with (folder / _WITHOUT_TEXT).open("wb") as out:
            for start in range(0, len(rows.values), _BLOCK):
                query, *passages = rows.values[start : start + _BLOCK].T
                usable = np.ones(len(query), dtype=np.bool_)
                for language in texts.values():
                    usable &= language.queries.has_text(query)
                    for passage in passages:
                        usable &= language.passages.has_text(passage)
                (start + np.flatnonzero(~usable)).tofile(out)
                rows.release()

    folder, _ = conversion("mmarco-without-text", f"without text {' '.join(texts)}", sources, build)
    return np.fromfile(folder / _WITHOUT_TEXT, dtype=np.int64)


class MmarcoCorpus:
    """Every row in every language; a row is the ids of its query, its passage and its negative."""

    name = "mmarco"
    left_out: Mapping[str, int] = {}
    fewest_negatives = 1

    def __init__(self, revision: str, texts: dict[str, _Language], rows: MappedArray) -> None:
        self.revision = revision
        self._texts, self._rows = texts, rows

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that were asked for."""
        return tuple(self._texts)

    def __len__(self) -> int:
        """Return the number of triples."""
        return len(self._rows.values)

    def rows(self, language: str | None = None) -> Sequence[int]:
        """Return all rows, or none for a language the corpus lacks or a second language it lacks."""
        available = language in self._texts if language else len(self._texts) > 1
        return range(len(self) if available else 0)

    def row_languages(self, row: int) -> tuple[str, ...]:
        """Return the languages of the corpus."""
        return self.languages

    def text_keys(self, rows: Rows) -> Rows:
        """Return MS MARCO's ids of query and passage as one number; negatives aside."""
        ids = self._rows.take(rows).astype(np.int64)
        return ids[:, 0] << 32 | ids[:, 1]

    def ids(self, rows: Rows) -> list[str]:
        """Return the line numbers of the triples, from 0."""
        return [str(row) for row in rows]

    def keys(self, rows: Rows) -> Keys:
        """Return MS MARCO's own ids."""
        ids = self._rows.take(rows).astype(np.int64)
        return Keys(ids[:, 0], ids[:, 1])

    def components(self, rows: Rows) -> Keys:
        """Return the same ids: MS MARCO gives the versions of a text one id."""
        return self.keys(rows)

    def pairs(self, rows: Rows, query_languages: Sequence[str], passage_languages: Sequence[str]) -> list[Pair]:
        """Return one pair per row, with one negative in the passage's language."""
        read = []
        languages = iter(zip(query_languages, passage_languages, strict=True))
        for part in slices(rows):
            read += [self._pair(ids, *next(languages)) for ids in self._rows.take(part).tolist()]
            for language in self._texts.values():
                language.queries.release()
                language.passages.release()
        return read

    def _pair(self, ids: Sequence[int], query_language: str, passage_language: str) -> Pair:
        query, answering, other = ids
        passages = self._texts[passage_language].passages
        text = self._texts[query_language].queries.text(query)
        return Pair(text, passages.text(answering), (passages.text(other),))


def _downloaded(language: str) -> Path:
    name = _NAMES[language]
    return hub.dataset_folder(
        _REPOSITORY, _REVISION, [f"{_COLLECTIONS}/{name}_collection.tsv", f"{_QUERIES}/{name}_queries.train.tsv"]
    )
