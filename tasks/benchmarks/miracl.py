"""MIRACL: questions and Wikipedia passages in 18 languages, judged by native speakers; the development set.

Source:   https://huggingface.co/datasets/mteb/MIRACLRetrievalHardNegatives (default) and .../mteb/MIRACLRetrieval
          (`variant: full`), configurations `{lang}-corpus`, `{lang}-queries`, `{lang}-qrels` as Parquet. The original
          `miracl/miracl` needs a loading script that no longer runs.
Licence:  CC BY-SA 4.0 (MTEB's copy; passages from Wikipedia).
Citation: Zhang et al., MIRACL: A multilingual retrieval dataset covering 18 diverse languages, TACL 2023,
          doi 10.1162/tacl_a_00595.

One row of `en-corpus` and one of `en-qrels`, shortened:

    {"_id": "39#0", "title": "Albedo", "text": "Albedo (meaning 'whiteness') is the measure of ..."}
    {"query-id": "...", "corpus-id": "39#0", "score": 1}

Protocol: monolingual; nDCG@10 graded by the qrels, and Recall@100. A passage is title, a space, text, as MTEB joins
them. Of each language the hard-negatives version has the 250 best passages a query of BM25, multilingual-e5-large and
e5-mistral: scores are higher than on the full corpora and comparable only among themselves. The full corpora are
106 million passages, 33 million in English; they are converted to memory-mapped Arrow files once.

Not run here: configurations, columns, counts and revisions were read in the data set's card and in others' pinned
loaders; nothing could be downloaded.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from tasks.data import hub
from tasks.data.options import local_folder, selected_languages
from tasks.formats.collection import load_collection
from tasks.formats.layouts import DataFile, data_files
from tasks.formats.subsets import MissingPassages, Options
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Pool, Setting

Variant = Literal["hard_negatives", "full"]
_REPOSITORIES: dict[Variant, tuple[str, str]] = {
    "hard_negatives": ("mteb/MIRACLRetrievalHardNegatives", "332a9acb49f5e83d5397683f79d23e588f685916"),
    "full": ("mteb/MIRACLRetrieval", "9c09abc13478308c27598f350e31d8f06b9b5481"),
}
FULL_PASSAGES = {
    "ar": 2_061_414, "bn": 297_265, "de": 15_866_222, "en": 32_893_221, "es": 10_373_953, "fa": 2_207_172,
    "fi": 1_883_509, "fr": 14_636_953, "hi": 506_264, "id": 1_446_315, "ja": 6_953_614, "ko": 1_486_752,
    "ru": 9_543_918, "sw": 131_924, "te": 518_079, "th": 542_166, "yo": 49_043, "zh": 4_934_368,
}  # fmt: skip
"""Language -> passages of the full corpus, from the card of mteb/MIRACLRetrieval (their sum is its 106,332,152)."""
_FULL_PART = 0.95
"""Part of a full corpus that no pool of hard negatives reaches: 250 for each of 482 queries in Swahili are 91 %."""
_PUBLISHED = "miracl-corpus-v"
"""Folders of the full corpora as MIRACL's authors publish them, who have no others."""
_PARTS = ("corpus", "queries", "qrels")
_PASSAGES_PER_SECOND = 310
"""Rate of multilingual-e5-small in bf16 on two CPU cores, which the printed estimate of time assumes."""
_LOG = logging.getLogger(__name__)


def load(
    *,
    path: Path | None = None,
    languages: tuple[str, ...] | None = None,
    variant: Variant | None = None,
    split: Literal["dev", "train"] = "dev",
    missing: MissingPassages = "refuse",
) -> Benchmark:
    """Read MIRACL.

    Args:
        path: a local copy in the layout of MTEB (`{lang}-corpus`, `{lang}-queries`, `{lang}-qrels`) or as published
            (`miracl-corpus-v1.0-{lang}`, `miracl-v1.0-{lang}`), or the folder that contains it; by default it is
            downloaded once.
        languages: of the queries and the pools; all 18 by default.
        variant: what is downloaded, the hard-negatives pools without; a local copy tells by itself, and one that is not
            what is named here is refused.
        split: whose questions, where the copy has several.
        missing: whether relevant passages in no corpus are refused, or count as not retrieved.

    Raises:
        TaskError: data that is missing or malformed, of another variant, or a language that is not among the 18.
    """
    selected = selected_languages("miracl", languages, FULL_PASSAGES)
    if variant == "full":
        _LOG.warning("miracl, full corpora: %s", _estimate(selected))
    folders = list(dict.fromkeys(_folder(path, variant, language) for language in selected))
    files = [file for folder in folders for file in data_files(folder)]
    options = Options(languages=selected, split=split, settings=(Setting.MONOLINGUAL,), missing=missing)
    benchmark = load_collection("miracl", str(folders[0]), files, options)
    found = _variant(files, benchmark.pools, variant)
    details: dict[str, str] = {"variant": found}
    if found == "full":
        details["estimate"] = _estimate(selected)
    passages = sum(len(pool.passages) for pool in benchmark.pools)
    return replace(
        benchmark,
        metrics=("ndcg@10", "recall@100"),
        details=details | dict(benchmark.details) | {"passages": f"{passages:,}"},
    )


def _folder(path: Path | None, variant: Variant | None, language: str) -> Path:
    if path:
        published = [_REPOSITORIES[variant]] if variant else _REPOSITORIES.values()
        return local_folder("miracl", path, *(repository.split("/")[1] for repository, _ in published))
    repository, revision = _REPOSITORIES[variant or "hard_negatives"]
    return hub.dataset_folder(repository, revision, [f"{language}-{part}/*" for part in _PARTS])


def _variant(files: Sequence[DataFile], pools: Sequence[Pool], wanted: Variant | None) -> Variant:
    """Return what the pools are, which is the same for all: their scores are comparable only among themselves.

    Raises:
        TaskError: a pool is of another variant than what is wanted, or than the first.
    """
    is_published = any(file.path.parent.name.startswith(_PUBLISHED) for file in files)
    for pool in pools:
        count, full = len(pool.passages), FULL_PASSAGES[pool.language]
        if is_published and count < _FULL_PART * full:
            raise TaskError(
                f"benchmark 'miracl': the full corpus in '{pool.language}' has {full:,} passages, and {count:,} are "
                "here: copy the other files of its folder too"
            )
        found: Variant = "full" if count >= _FULL_PART * full else "hard_negatives"
        wanted = wanted or found
        if found != wanted:
            raise TaskError(
                f"benchmark 'miracl', option 'variant': the {count:,} passages in '{pool.language}' are those of "
                f"'{found}' (the full corpus has {full:,}) and not of '{wanted}': write variant: {found}, or bring the "
                "other passages"
            )
    return wanted or "hard_negatives"


def _estimate(languages: tuple[str, ...]) -> str:
    passages = sum(FULL_PASSAGES[language] for language in languages)
    hours = passages / _PASSAGES_PER_SECOND / 3600
    return f"{passages:,} passages, {hours:,.1f} hours to encode at {_PASSAGES_PER_SECOND} passages/s"
