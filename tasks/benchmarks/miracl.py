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
from dataclasses import replace
from pathlib import Path
from typing import Literal

from tasks.data import hub
from tasks.data.options import local_folder, selected_languages
from tasks.formats.collection import load_collection
from tasks.formats.layouts import data_files
from tasks.formats.subsets import MissingPassages, Options
from tasks.schema import Benchmark, Setting

Variant = Literal["hard_negatives", "full"]
_REPOSITORIES = {
    "hard_negatives": ("mteb/MIRACLRetrievalHardNegatives", "332a9acb49f5e83d5397683f79d23e588f685916"),
    "full": ("mteb/MIRACLRetrieval", "9c09abc13478308c27598f350e31d8f06b9b5481"),
}
FULL_PASSAGES = {
    "ar": 2_061_414, "bn": 297_265, "de": 15_866_222, "en": 32_893_221, "es": 10_373_953, "fa": 2_207_172,
    "fi": 1_883_509, "fr": 14_636_953, "hi": 506_264, "id": 1_446_315, "ja": 6_953_614, "ko": 1_486_752,
    "ru": 9_543_918, "sw": 131_924, "te": 518_079, "th": 542_166, "yo": 49_043, "zh": 4_934_368,
}  # fmt: skip
"""Language -> passages of the full corpus, from the card of mteb/MIRACLRetrieval (their sum is its 106,332,152)."""
_PARTS = ("corpus", "queries", "qrels")
_PASSAGES_PER_SECOND = 310
"""Rate of multilingual-e5-small in bf16 on two CPU cores, which the printed estimate of time assumes."""
_LOG = logging.getLogger(__name__)


def load(
    *,
    path: Path | None = None,
    languages: tuple[str, ...] | None = None,
    variant: Variant = "hard_negatives",
    split: Literal["dev", "train"] = "dev",
    missing: MissingPassages = "refuse",
) -> Benchmark:
    """Read MIRACL.

    Args:
        path: a local copy in the layout of MTEB (`{lang}-corpus`, `{lang}-queries`, `{lang}-qrels`) or as published
            (`miracl-corpus-v1.0-{lang}`, `miracl-v1.0-{lang}`), or the folder that contains it; by default it is
            downloaded once.
        languages: of the queries and the pools; all 18 by default.
        variant: the hard-negatives pools, or the full corpora.
        split: whose questions, where the copy has several.
        missing: whether relevant passages in no corpus are refused, or count as not retrieved.

    Raises:
        TaskError: data that is missing or malformed, or a language that is not among the 18.
    """
    selected = selected_languages("miracl", languages, FULL_PASSAGES)
    details: dict[str, str] = {"variant": variant}
    if variant == "full":
        details["estimate"] = _estimate(selected)
        _LOG.warning("miracl, full corpora: %s", details["estimate"])
    folders = list(dict.fromkeys(_folder(path, variant, language) for language in selected))
    files = [file for folder in folders for file in data_files(folder)]
    options = Options(languages=selected, split=split, settings=(Setting.MONOLINGUAL,), missing=missing)
    benchmark = load_collection("miracl", str(folders[0]), files, options)
    passages = sum(len(pool.passages) for pool in benchmark.pools)
    return replace(
        benchmark,
        metrics=("ndcg@10", "recall@100"),
        details=details | dict(benchmark.details) | {"passages": f"{passages:,}"},
    )


def _folder(path: Path | None, variant: Variant, language: str) -> Path:
    repository, revision = _REPOSITORIES[variant]
    if path:
        return local_folder("miracl", path, repository.split("/")[1])
    return hub.dataset_folder(repository, revision, [f"{language}-{part}/*" for part in _PARTS])


def _estimate(languages: tuple[str, ...]) -> str:
    passages = sum(FULL_PASSAGES[language] for language in languages)
    hours = passages / _PASSAGES_PER_SECOND / 3600
    return f"{passages:,} passages, {hours:,.1f} hours to encode at {_PASSAGES_PER_SECOND} passages/s"
