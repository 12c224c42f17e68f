"""The subsets of a collection: files of one language, or of one pair of languages, and what their names mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from tasks.data.languages import is_locale, language_code, named_language, not_a_language
from tasks.formats.layouts import SPLIT_WORDS, DataFile
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
    pairs: Pairs | None = None
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
    """Return the subsets by name; files in no folder of a language belong to the option `language`.

    Raises:
        TaskError: a file is in no language, or in one that is none, or it is unclear which languages a name means.
    """
    _refuse_languages_of_files(name, files)
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
    for subset in names_of(options.languages, grouped) or grouped:
        for language in halves.get(subset, ()):
            _refuse_other_name(name, language, grouped[subset][0], options)
    codes = _codes({language for pair in halves.values() for language in pair})
    asked = options.query_language and (codes.get(options.query_language) or named_language(options.query_language))
    if options.query_language and not asked:
        raise TaskError(f"benchmark '{name}', option 'query_language': {not_a_language(options.query_language)}")
    return {
        subset: Subset(
            query_language=asked or codes[query_language],
            passage_language=codes[passage_language],
            prefix="" if shared else f"{subset}:",
            files=grouped[subset],
        )
        for subset, (query_language, passage_language) in halves.items()
    }


def _refuse_languages_of_files(name: str, files: Iterable[DataFile]) -> None:
    """Refuse `corpus/th.jsonl` beside `corpus/zh.jsonl`, which would be read as one corpus of one language."""
    folders: dict[Path, dict[str, Path]] = {}
    for file in files:
        stem = file.path.name.partition(".")[0]
        if file.part != "qrels" and not file.language and len((_language(stem) or "").partition("_")[0]) == len("th"):
            folders.setdefault(file.path.parent, {})[stem] = file.path
    for folder, paths in folders.items():
        if len(set(map(_language, paths))) > 1 and "aa" not in paths:  # the first of many parts, as `split` names them
            stem, path = next(iter(paths.items()))
            place = f"{stem}/{folder.name}{path.name.removeprefix(stem)}"
            raise TaskError(
                f"benchmark '{name}': {path} is named by its language, and would be read as in one language with those "
                f"beside it: move it to {folder.parent / place}, and the others likewise"
            )


def names_of(languages: Sequence[str] | None, names: Iterable[str]) -> tuple[str, ...] | None:
    """Return the names in the data of the chosen languages, which may be spelled otherwise, such as `zh` for `zho`."""
    if languages is None:
        return None
    known = list(names)
    chosen: list[str] = []
    for language in languages:
        code = named_language(language)
        same = [language] if language in known else [name for name in known if code and named_language(name) == code]
        chosen += same or [language]
    return tuple(chosen)


def _refuse_other_name(benchmark: str, language: str, file: DataFile, options: Options) -> None:
    """Refuse a name that is no language: the data would be measured as that of another language."""
    if _language(language) or (options.pairs == "none" and _languages_of_pair(language)):
        return
    if not file.language:
        raise TaskError(f"benchmark '{benchmark}', option 'language': {not_a_language(language)}")
    if language.casefold() in SPLIT_WORDS:
        raise TaskError(
            f"benchmark '{benchmark}': '{language}' in {file.path} is the name of a split, where that of a language is "
            "expected: let `path` be the folder of the split to measure, such as data/test, and name its `language`"
        )
    raise TaskError(
        f"benchmark '{benchmark}': {not_a_language(language)}, and {file.path} is read as in that language: rename "
        "its folder or file, or choose others with `languages`"
    )


def _codes(names: Iterable[str]) -> dict[str, str]:
    """Return the usual code of each language; codes that would share one, such as pt-br and pt-pt, stay as they are.

    Raises:
        TaskError: two names differ in case alone, as of two copies of one folder, or one writes out another's language.
    """
    spelt: dict[str, str] = {}
    for name in sorted(names):
        if name.casefold() in spelt:
            raise _two_names(spelt[name.casefold()], name)
        spelt[name.casefold()] = name
    codes = {name: named_language(name) or name for name in spelt.values()}
    of_code: dict[str, list[str]] = {}
    for name, code in codes.items():
        of_code.setdefault(code, []).append(name)
    for first, *others in of_code.values():
        if others and not all(map(language_code, (first, *others))):
            raise _two_names(first, others[0])
    return {name: code if len(of_code[code]) == 1 else name for name, code in codes.items()}


def _two_names(first: str, second: str) -> TaskError:
    return TaskError(f"the names {first} and {second} are of one language: rename or remove one of the two")


def refuse_unclear_pairs(name: str, subsets: Iterable[str], pairs: Pairs | None) -> None:
    """Refuse names such as `ara-deu`, which look like pairs of languages, unless their order is known.

    Raises:
        TaskError: naming one of them.
    """
    if pairs is not None:
        return
    known = set(subsets)
    for subset in sorted(known):
        languages, halves = _languages_of_pair(subset), subset.split("-")
        if not languages:
            continue
        is_territory = halves[1].isupper() and len(halves[1]) == len("IN")  # ta-IN, and not ta-in
        is_one_language = language_code(subset) and (len(languages) == 1 or is_territory or is_locale(*halves))
        if not is_one_language or "-".join(reversed(halves)) in known - {subset}:
            raise TaskError(
                f"benchmark '{name}': '{subset}' looks like a pair of languages: say with the option `pairs` "
                "which comes first, queries-passages or passages-queries (the data set's card tells), or none"
            )


def _languages_of_pair(name: str) -> set[str]:
    """Return the codes of the two languages that a name such as `ara-deu` or `arabic-german` joins; else nothing."""
    halves = name.split("-")
    codes = {_language(half) or "" for half in halves} if len(halves) == 2 else set()
    return set() if "" in codes else codes


def _language(name: str) -> str | None:
    """Return the code of a language; `dev` and `val` are codes too, but of languages that no data set has."""
    return None if name.casefold() in SPLIT_WORDS else named_language(name)


def _halves(subset: str, pairs: Pairs | None) -> tuple[str, str]:
    """Return the languages of queries and passages, by their names in the data."""
    if pairs in {None, "none"} or subset.count("-") != 1:
        return subset, subset
    first, second = subset.split("-")
    return (first, second) if pairs == "queries-passages" else (second, first)
