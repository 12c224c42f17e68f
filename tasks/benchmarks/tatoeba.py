"""Tatoeba: find the English translation of a sentence among up to 1,000 (LASER's test set, as used by XTREME).

Source:   https://github.com/facebookresearch/LASER, folder `data/tatoeba/v1`: two aligned text files per pair.
Licence:  CC BY 2.0 FR (tatoeba.org).
Citation: Artetxe and Schwenk, Massively multilingual sentence embeddings for zero-shot cross-lingual transfer and
          beyond, arXiv 1812.10464; Hu et al., XTREME, arXiv 2003.11080.

Line 1 of `tatoeba.tha-eng.tha` and of `tatoeba.tha-eng.eng`:

    เหลือเวลาอีกกี่ชั่วโมงกว่าจะเดินทางไปถึง?
    How many hours left till arrival?

Protocol: accuracy, x -> en. A sentence competes for the English sentences of its own pair, one pool per pair, because
English sides differ between pairs. 1,000 pairs per language, fewer for some (Thai 548, Javanese 205). Repeated
sentences stay: only the one on the same line is right, as in XTREME. The task is symmetric, so both sides are encoded
as queries: with the prompt that a model has for them, as E5's authors prescribe (arXiv 2402.05672). Without
`languages`, XTREME's 36; XTREME-R's az, lt, pl, ro and uk on request.

Not run: the layout and the Thai and Javanese files were read in the repository; nothing could be downloaded.
"""

from __future__ import annotations

from pathlib import Path

from tasks.data.options import local_folder, required_file, selected_languages
from tasks.data.pinned_files import File, fetch, github_file
from tasks.data.records import content_digest, read_lines
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts

_REPOSITORY = "facebookresearch/LASER"
_COMMIT = "fec5c7d63daa2bea9d127e8252b10e87278586c0"
_FOLDER = "data/tatoeba/v1"
_XTREME = {
    "af": "afr", "ar": "ara", "bg": "bul", "bn": "ben", "de": "deu", "el": "ell", "es": "spa", "et": "est", "eu": "eus",
    "fa": "pes", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hu": "hun", "id": "ind", "it": "ita", "ja": "jpn",
    "jv": "jav", "ka": "kat", "kk": "kaz", "ko": "kor", "ml": "mal", "mr": "mar", "nl": "nld", "pt": "por", "ru": "rus",
    "sw": "swh", "ta": "tam", "te": "tel", "th": "tha", "tl": "tgl", "tr": "tur", "ur": "urd", "vi": "vie", "zh": "cmn",
}  # fmt: skip
"""ISO 639-1 -> the ISO 639-3 of the file names, the member where 639-1 names a group (fa: pes, sw: swh, zh: cmn)."""
_ALL = _XTREME | {"az": "aze", "lt": "lit", "pl": "pol", "ro": "ron", "uk": "ukr"}


def load(*, path: Path | None = None, languages: tuple[str, ...] | None = None) -> Benchmark:
    """Read Tatoeba.

    Args:
        path: a local copy: LASER's `data/tatoeba/v1`, or a folder `tatoeba` or `v1` in it; without, downloaded once.
        languages: the languages of the queries; XTREME's 36 without.

    Raises:
        TaskError: a file is missing, has an empty line, or another number of lines than its translation.
    """
    selected = selected_languages("tatoeba", _XTREME if languages is None else languages, _ALL)
    folder = local_folder("tatoeba", path, "v1") if path else fetch("tatoeba", _COMMIT, _files()) / _FOLDER
    files, queries, pools = [], {}, []
    qrels: dict[str, dict[str, int]] = {}
    for language in selected:
        pair = [required_file("tatoeba", folder / name) for name in _names(language)]
        sentences, translations = (read_lines(file) for file in pair)
        if len(sentences) != len(translations):
            raise TaskError(f"{pair[0]} has {len(sentences)} lines and {pair[1]} {len(translations)}: they must match")
        files += pair
        queries[language] = Texts.of(Query(f"{language}-{i}", text) for i, text in enumerate(sentences, start=1))
        english = Texts.of(Passage(f"{language}-en-{i}", text) for i, text in enumerate(translations, start=1))
        pools.append(Pool(f"{language}-en", "en", english))
        qrels |= {f"{language}-{i}": {f"{language}-en-{i}": 1} for i in range(1, len(sentences) + 1)}
    return Benchmark(
        name="tatoeba",
        revision=content_digest(files),
        queries=queries,
        pools=pools,
        qrels=qrels,
        settings=(Setting.CROSSLINGUAL,),
        metrics=("accuracy",),
        candidate_form="query",
        details={"direction": "x -> en"},
    )


def _names(language: str) -> tuple[str, str]:
    """Return the file names of the sentences and of their English translations."""
    pair = f"tatoeba.{_ALL[language]}-eng"
    return f"{pair}.{_ALL[language]}", f"{pair}.eng"


def _files() -> list[File]:
    return [github_file(_REPOSITORY, _COMMIT, f"{_FOLDER}/{name}") for lang in _ALL for name in _names(lang)]
