"""The subsets of a collection: files of one language, or of one pair of languages, and what their names mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from tasks.data.languages import language_code
from tasks.formats.layouts import DataFile
from tasks.plugins import TaskError
from tasks.schema import Setting

MissingPassages = Literal["refuse", "count"]
"""Relevant passages that are in no corpus are an error, or count as not retrieved."""
Pairs = Literal["queries-passages", "passages-queries", "none"]
"""Which language comes first in names such as `eng-deu`; `none` if such a name is one language, as `pt-br` is."""


class Options(NamedTuple):
    """Selection of languages and settings to measure."""

    languages: tuple[str, ...] | None = None
    """By their names in the data or another code of the same language; all if None."""
    language: str | None = None
    """Language of files that lie in no folder of a language."""
    query_language: str | None = None
    """Language of all queries, if it differs from that of the passages beside them."""
    pairs: Pairs | None = "none"
    """Names that look like pairs are refused if None."""
    split: str | None = None
    default_split: str = "test"
    settings: tuple[Setting, ...] | None = None
    """Those in which some query has a relevant passage if None."""
    missing: MissingPassages = "refuse"
    ignore_identical_ids: bool = False


class Subset(NamedTuple):
    """The files of one name."""

    query_language: str
    passage_language: str
    prefix: str
    """Prefix of all ids."""
    files: list[DataFile]


def subsets_of(name: str, files: Sequence[DataFile], options: Options, *, shared: bool) -> dict[str, Subset]:
    """Return the subsets by name; files in no folder of a language belong to the option `language`."""
    grouped: dict[str, list[DataFile]] = {}
    for file in files:
        if file.part == "qrels" and shared:
            continue
        subset = file.language or options.language
        if not subset:
            raise TaskError(
                f"benchmark '{name}': {file.path} lies in no folder of a language: name its language with the option "
                "`language`, such as language=en"
            )
        grouped.setdefault(subset, []).append(file)
    refuse_unclear_pairs(name, grouped, options.pairs)
    halves = {subset: _halves(subset, options.pairs) for subset in sorted(grouped)}
    codes = _codes({language for pair in halves.values() for language in pair})
    return {
        subset: Subset(
            query_language=options.query_language or codes[query_language],
            passage_language=codes[passage_language],
            prefix="" if shared else f"{subset}:",
            files=grouped[subset],
        )
        for subset, (query_language, passage_language) in halves.items()
    }


def names_of(languages: Sequence[str] | None, names: Iterable[str]) -> tuple[str, ...] | None:
    """Return the names in the data of the chosen languages, which may be spelled otherwise, such as `zh` for `zho`."""
    if languages is None:
        return None
    known = list(names)
    chosen: list[str] = []
    for language in languages:
        code = language_code(language)
        same = [language] if language in known else [name for name in known if code and language_code(name) == code]
        chosen += same or [language]
    return tuple(chosen)


def _codes(names: Iterable[str]) -> dict[str, str]:
    """Return the usual code of each language; names that would share one, such as pt-br and pt-pt, stay as they are.

    Raises:
        TaskError: two names differ in case alone, as of two copies of one folder.
    """
    spelt: dict[str, str] = {}
    for name in sorted(names):
        if name.casefold() in spelt:
            raise TaskError(
                f"the names {spelt[name.casefold()]} and {name} are of one language: rename or remove one of the two"
            )
        spelt[name.casefold()] = name
    codes = {name: language_code(name) or name for name in spelt.values()}
    counts = Counter(codes.values())
    return {name: code if counts[code] == 1 else name for name, code in codes.items()}


def refuse_unclear_pairs(name: str, subsets: Iterable[str], pairs: Pairs | None) -> None:
    """Refuse names such as `ara-deu`, where the same or the reverse pair exists too, unless their order is known."""
    halves = [tuple(subset.split("-")) for subset in subsets if subset.count("-") == 1]
    unclear = next((pair for pair in halves if pair[::-1] in halves), None)
    if pairs is None and unclear:
        raise TaskError(
            f"benchmark '{name}': '{'-'.join(unclear)}' looks like a pair of languages: say with the option `pairs` "
            "which comes first, queries-passages or passages-queries (the data set's card tells), or none"
        )


def _halves(subset: str, pairs: Pairs | None) -> tuple[str, str]:
    """Return the languages of queries and passages, by their names in the data."""
    if pairs in {None, "none"} or subset.count("-") != 1:
        return subset, subset
    first, second = subset.split("-")
    return (first, second) if pairs == "queries-passages" else (second, first)
