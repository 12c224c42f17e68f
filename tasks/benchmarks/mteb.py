"""Any retrieval data set of the Hugging Face hub in the layout of MTEB or BEIR, without code of its own.

Source:   https://huggingface.co/mteb and others, by id and commit: `{name: mteb, repository: mteb/XQuADRetrieval,
          revision: <commit>, label: xquad}`; or a local copy: `{name: mteb, path: XQuADRetrieval}`.
Licence:  that of the data set, in its card.
Citation: Enevoldsen et al., MMTEB: Massive multilingual text embedding benchmark, arXiv 2502.13595.

A data set has the configurations `corpus`, `queries` and `qrels` (or `default`), or each of them per language, such as
`th-corpus`; its card says which files they are (`tasks.formats.dataset_card`), and without a card their names do
(`tasks.formats.layouts`). One row of `th-corpus`, `th-queries` and `th-qrels`:

    {"_id": "p1", "title": "กรุงเทพมหานคร", "text": "เมืองหลวงของประเทศไทย"}
    {"_id": "q1", "text": "เมืองหลวงของไทยคือเมืองใด"}
    {"query-id": "q1", "corpus-id": "p1", "score": 1}

Protocol: that of `local`; ids count within their language. Where names are pairs of languages (MLQA's `ara-deu`),
`pairs` says whether the queries' or the passages' language comes first, as the data sets differ in it. Data sets with
instructions for their queries are refused, and those of `BeIR/`, whose qrels lie in repositories of their own, are read
from MTEB's copies, such as mteb/scifact. MTEB's own scores differ where it cuts rankings (1,000 passages), and where
queries are judged to have no relevant passage: it counts them as 0, and they are not measured here.

Not run here: layouts were read in cards and file lists of the hub; nothing could be downloaded.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tasks.data import hub
from tasks.formats.collection import load_collection
from tasks.formats.dataset_card import CARD, card_language, declared_files, present_files
from tasks.formats.layouts import WORDS, DataFile, data_files, of_split, splits
from tasks.formats.subsets import MissingPassages, Options, Pairs, names_of, refuse_unclear_pairs
from tasks.paths import user_path
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Setting


def load(  # noqa: PLR0913 - one per option
    *,
    repository: str | None = None,
    revision: str | None = None,
    path: Path | None = None,
    languages: tuple[str, ...] | None = None,
    language: str | None = None,
    pairs: Pairs | None = None,
    split: str | None = None,
    settings: tuple[Setting, ...] | None = None,
    missing: MissingPassages = "refuse",
    ignore_identical_ids: bool = False,
) -> Benchmark:
    """Read a data set of the hub.

    Args:
        repository: `owner/name` of the data set.
        revision: the commit, 40 hexadecimal digits.
        path: a local copy in place of `repository` and `revision`.
        languages: as in the names of the data set, such as `ara-deu`, or by another code of the same language; all
            by default.
        language: of a data set that has no languages in its names; by default the one that its card names.
        pairs: whether a name such as `ara-deu` has the queries' or the passages' language first; `none` where it is
            one language.
        split: whose qrels to use, where there are several; `test` by default.
        settings: which to measure; by default those in which some query has a relevant passage.
        missing: whether relevant passages in no corpus are refused, or count as not retrieved.
        ignore_identical_ids: leave a passage with the id of a query out of its rankings, as MTEB does for ArguAna,
            FEVER, FiQA, MS MARCO and Quora.

    Raises:
        TaskError: neither a repository with its commit nor a path, or data that is missing or malformed.
    """
    options = Options(
        languages=languages,
        language=language,
        pairs=pairs,
        split=split,
        settings=settings,
        missing=missing,
        ignore_identical_ids=ignore_identical_ids,
    )
    if path:
        folder = user_path(path)
        if not folder.is_dir():
            raise TaskError(f"benchmark 'mteb', option 'path': there is no folder {folder}")
        declared = declared_files(folder)
        files = present_files(folder, _wanted(declared, options)) if declared else data_files(folder)
        source, details = str(folder), {"path": str(folder)}
    else:
        check(path=path, repository=repository, revision=revision)
        repository, revision = str(repository), str(revision)
        folder = hub.dataset_folder(repository, revision, [CARD, ".gitattributes"])  # a card is optional
        declared = declared_files(folder)
        files = _downloaded(repository, revision, declared, options)
        source, details = f"the data set {repository}", {"repository": repository, "commit": revision}
    options = options._replace(language=language or card_language(folder))
    benchmark = load_collection("mteb", source, files, options)
    return replace(
        benchmark, details=details | dict(benchmark.details), splits=tuple(splits(declared)) or benchmark.splits
    )


def check(*, path: Path | None = None, repository: str | None = None, revision: str | None = None, **_: object) -> None:
    """Refuse a data set without a place, or without a commit.

    Raises:
        TaskError: neither a repository with its commit nor a path.
    """
    if path:
        return
    if not repository:
        raise TaskError(
            "benchmark 'mteb' needs the option 'repository', such as mteb/XQuADRetrieval, or the 'path' of a local copy"
        )
    if not revision or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise TaskError(
            f"benchmark 'mteb', option 'revision': {revision!r} is not a commit: write the 40 hexadecimal digits that "
            f"https://huggingface.co/datasets/{repository}/commits/main shows"
        )


def _downloaded(repository: str, revision: str, declared: list[DataFile], options: Options) -> list[DataFile]:
    """Download and return what is measured: files that the card declares, or all that look like data without it."""
    if not declared:
        patterns = [f"*{word}*" for word in WORDS] + ["data/*"]
        return data_files(hub.dataset_folder(repository, revision, patterns))
    wanted = _wanted(declared, options)
    folder = hub.dataset_folder(repository, revision, [file.path.as_posix() for file in wanted])
    return present_files(folder, wanted)


def _wanted(declared: list[DataFile], options: Options) -> list[DataFile]:
    """Return the files of the split and the languages that are measured."""
    try:
        of_one_split = of_split(declared, options.split, options.default_split)
    except TaskError as error:
        raise TaskError(f"benchmark 'mteb', {error}") from None
    languages = {file.language for file in declared}
    refuse_unclear_pairs("mteb", languages, options.pairs)
    chosen = names_of(options.languages, languages)
    return [file for file in of_one_split if chosen is None or not file.language or file.language in chosen]
