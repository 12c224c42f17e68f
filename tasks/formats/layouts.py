"""Which files of a folder hold the corpus, the queries and the qrels of which language and split.

    BEIR, one's own    corpus.jsonl, queries.jsonl, qrels/test.tsv, in the folder or in a folder per language
    MTEB               th-corpus/test-00000-of-00001.parquet, th-queries/..., th-qrels/..., or without a language:
                       corpus/..., queries/..., qrels/... or data/test-00000-of-00001.parquet
    MIRACL             miracl-corpus-v1.0-th/docs-0.jsonl.gz, miracl-v1.0-th/topics/topics.miracl-v1.0-th-dev.tsv,
                       miracl-v1.0-th/qrels/qrels.miracl-v1.0-th-dev.tsv
    Mr. TyDi           mrtydi-v1.1-thai/collection/docs.jsonl.gz or .../corpus.jsonl.gz, .../topic.dev.tsv or
                       .../ir-format-data/topics.dev.txt, .../qrels.dev.txt
    CIRAL              passages-v1.0/hausa_passages.jsonl, ciral-hausa/topics/topics.ciral-v1.0-ha-dev.tsv,
                       ciral-hausa/qrels/qrels.ciral-v1.0-ha-dev.tsv
    FlagEmbedding      corpus.jsonl, test_queries.jsonl, test_qrels.jsonl
    MS MARCO           collection.tsv, queries.dev.small.tsv, qrels.dev.small.tsv

MIRACL, Mr. TyDi and CIRAL are as published, with or without a folder around each part. A split is read from the end of
a file's name: `qrels/test.tsv`, `topics.dev.tsv`, `test-00000-of-00001.parquet`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from tasks.data.columns import COMPRESSED, SUFFIXES
from tasks.data.languages import named_language
from tasks.plugins import TaskError

Part = Literal["corpus", "queries", "qrels"]
WORDS: dict[str, Part] = {
    "corpus": "corpus",
    "collection": "corpus",
    "docs": "corpus",
    "queries": "queries",
    "query": "queries",
    "topics": "queries",
    "topic": "queries",
    "qrels": "qrels",
}
"""Name of a file, folder or configuration -> what it holds."""
_CODES = {
    "arabic": "ar", "bengali": "bn", "english": "en", "finnish": "fi", "indonesian": "id", "japanese": "ja",
    "korean": "ko", "russian": "ru", "swahili": "sw", "telugu": "te", "thai": "th",
    "hausa": "ha", "somali": "so", "yoruba": "yo",
}  # fmt: skip
"""Languages of Mr. TyDi and CIRAL, which write them out -> ISO 639-1."""
_WORD = "|".join(WORDS)
_TRAINING = ("train", "training")
SPLIT_WORDS = (
    *_TRAINING, "dev", "development", "validation", "valid", "val", "eval", "evaluation", "test", "testing",
)  # fmt: skip
"""Names of splits, in upper or lower case."""
_SPLITS = "|".join((r"(?:dev|eval)\.small", r"test-[ab](?:-pools)?", *SPLIT_WORDS))
_FOLDERS = r"(?:.+/)?"
_PATTERNS = (
    rf"{_FOLDERS}miracl-(?P<word>corpus)-v[\d.]+-(?P<language>\w+)/docs-\d+",
    rf"{_FOLDERS}miracl-v[\d.]+-(?P<language>\w+)/(?:\w+/)?(?P<word>topics|qrels)\.[^/]+",
    rf"{_FOLDERS}mrtydi-v[\d.]+-(?P<language>\w+)/(?:[\w-]+/)?(?P<word>{_WORD})[^/]*",
    rf"{_FOLDERS}ciral-(?P<language>\w+)/(?:\w+/)?(?P<word>topics|qrels)\.[^/]+",
    rf"{_FOLDERS}passages-v[\d.]+/(?P<language>\w+)_passages",
    rf"data/(?P<word>{_WORD})(?P<rest>[._-].+)?",
    r"data/(?P<rest>[^/]+)",
    rf"(?:(?P<language>[^/]+)/)?(?P<word>{_WORD})/[^/]+",
    rf"(?:(?P<language>[^/]+)/)?(?P<split>{_SPLITS})_(?P<word>queries|qrels)",
    rf"(?:(?P<language>[^/]+)/)?(?P<word>{_WORD})(?P<rest>[._-].+)?",
    rf"(?P<language>[^/]+)-(?P<word>{_WORD})(?:/[^/]+)?",
)
"""The first that matches a path without its suffix decides. `rest` is a shard number or ends in a split: else
`corpus_old.jsonl` would be read beside `corpus.jsonl`."""
_SHARD = re.compile(r"[._-]\d+(?:-of-\d+)?$")
_SPLIT = re.compile(rf"(?:^|[._-])({_SPLITS})$", re.IGNORECASE)
_NUMBERED = re.compile(r"(.*?)[._-]?(\d+)(?:-of-\d+)?")
_DEPTH = 4
"""Levels of folders below the given one in which data is looked for."""


class DataFile(NamedTuple):
    """One file of a benchmark."""

    part: Part
    language: str
    """Empty where the path names none."""
    split: str
    """Empty where the name has none."""
    path: Path


def data_files(folder: Path) -> list[DataFile]:
    """Return the files of a folder that belong to a benchmark, in a fixed order."""
    files = (_data_file(folder, path) for path in visible_files(folder, _DEPTH))
    return [file for file in files if file]


def of_part(files: Iterable[DataFile], part: Part) -> list[DataFile]:
    """Return the files of one part."""
    return [file for file in files if file.part == part]


def splits(files: Iterable[DataFile]) -> list[str]:
    """Return the splits that qrels are there for, sorted."""
    return sorted({file.split for file in of_part(files, "qrels") if file.split})


def of_split(files: Sequence[DataFile], wanted: str | None, default: str) -> list[DataFile]:
    """Return the files that hold one split's qrels, its queries, and its corpus.

    Where a language has no file of a part for the split, but files without one, all splits share these.

    Args:
        files: of all parts and splits.
        wanted: the split; without one it is the default, or the only one that has qrels.
        default: the split that the benchmark is usually measured on.

    Raises:
        TaskError: there are no qrels for the split, or it is unclear which are meant: there are several and the default
            is not among them, those of training alone, or some of no known split; or a corpus for other splits alone.
    """
    known = splits(files)
    if wanted and wanted not in known:
        names = ", ".join(known) or "no split by name"
        raise TaskError(f"option 'split': there are no qrels for '{wanted}', but for {names}")
    split = wanted or (default if default in known else known[0] if len(known) == 1 else "")
    if known and not split:
        raise TaskError(f"option 'split': choose one of those that there are qrels for: {', '.join(known)}")
    qrels = [file for file in of_part(files, "qrels") if file.split == split]
    if not wanted:
        _refuse_unclear_split(files, split, default)
    queries, corpus = of_part(files, "queries"), of_part(files, "corpus")
    return [
        *(_of_split(corpus, split) or _only_split(corpus)),
        *(_of_split(queries, split) or queries),
        *qrels,
    ]


def _of_split(files: Sequence[DataFile], split: str) -> list[DataFile]:
    """Return the files of one part that are of a split, and of each language without such a file those of no split."""
    having = {file.language for file in files if file.split == split}
    return [file for file in files if file.split == split or not (file.split or file.language in having)]


def _refuse_unclear_split(files: Sequence[DataFile], split: str, default: str) -> None:
    """Refuse qrels that were taken without a choice and may not be those that are meant.

    Raises:
        TaskError: they are those of training, others beside them are of no known split, or they may be of several.
    """
    unnamed = [file for file in of_part(files, "qrels") if not file.split]
    if split and split != default and (split.casefold() in _TRAINING or unnamed):
        others = f", and {unnamed[0].path}, whose name is of no known split" if unnamed else " alone"
        raise TaskError(
            f"option 'split': there are qrels for {split}{others}: write split={split} if they are meant, or name "
            f"others by their split, such as qrels/{default}.tsv"
        )
    if split:
        return
    languages = {named_language(file.language) for file in files if file.language} - {None}
    stems = defaultdict[tuple[str, Path], set[str]](set)
    for file in unnamed:
        stems[file.language, file.path.parent].add(_without_suffixes(file.path.name)[0])
    for (_, folder), names in stems.items():
        if len(names) > 1 and not _are_shards(names) and not languages.issuperset(map(named_language, names)):
            raise TaskError(
                f"option 'split': {folder} has the qrels {' and '.join(sorted(names)[:2])}, which would be merged, as "
                f"their names are of no known split: keep one of them, or name each by its split, such as {default}.tsv"
            )


def _are_shards(names: Iterable[str]) -> bool:
    """Return whether names differ in a number alone, counted from 0 or 1: `dl19` and `dl20` are two sets of qrels."""
    parts = [_NUMBERED.fullmatch(name) for name in names]
    numbered = {(part[1], int(part[2])) for part in parts if part}
    return all(parts) and len({name for name, _ in numbered}) == 1 and min(number for _, number in numbered) <= 1


def _only_split(corpus: Sequence[DataFile]) -> list[DataFile]:
    names = sorted({file.split for file in corpus})
    if len(names) > 1:
        raise TaskError(
            f"option 'split': there is a corpus for {', '.join(names)}, but none for the split that is measured: "
            "choose another"
        )
    return list(corpus)


def visible_files(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the files in a folder and so many levels of folders below it, without hidden ones; links are followed."""
    for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        if path.is_file():
            yield path
        elif depth and path.is_dir():
            yield from visible_files(path, depth - 1)


def _data_file(folder: Path, path: Path) -> DataFile | None:
    stem, is_data = _without_suffixes(path.relative_to(folder).as_posix())
    if not is_data:
        return None
    split = _split_of(stem.rsplit("/", 1)[-1])
    for pattern in _PATTERNS:
        if match := re.fullmatch(pattern, stem, re.IGNORECASE):
            groups = match.groupdict()
            rest = groups.get("rest")
            if rest and not split and not _SHARD.fullmatch(rest):
                return None
            part = WORDS[groups["word"].lower()] if "word" in groups else "qrels" if rest else "corpus"
            language = groups.get("language") or ""
            return DataFile(part, _CODES.get(language, language), (groups.get("split") or split).lower(), path)
    return None


def _without_suffixes(name: str) -> tuple[str, bool]:
    """Return a name without the suffixes of a data file, and whether it has them."""
    for suffix in COMPRESSED:
        name = _without(name, suffix)
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return _without(name, suffix), True
    return name, False


def _without(name: str, suffix: str) -> str:
    return name[: -len(suffix)] if name.lower().endswith(suffix) else name


def _split_of(stem: str) -> str:
    match = _SPLIT.search(_SHARD.sub("", stem))
    return match[1] if match else ""
