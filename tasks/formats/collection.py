"""From the files of a corpus, queries and qrels (`tasks.formats.layouts`) to a benchmark.

With one set of qrels for all languages, ids are shared: the versions of a question have one id, its relevant passages
may lie in any language, and an id belongs to one passage. With qrels per language, ids count within their language and
get its name as prefix. A name may also be a pair of languages, one of the queries and one of the passages.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks.data.languages import language_code, named_language
from tasks.data.options import selected_languages
from tasks.data.passage_tables import MappedPool
from tasks.data.records import combined_digest, content_digest
from tasks.formats.beir import Judgements, Queries, mapped_corpus, read_judgements, read_queries
from tasks.formats.layouts import DataFile, Part, of_part, of_split, splits
from tasks.formats.subsets import Options, Subset, names_of, subsets_of
from tasks.plugins import TaskError
from tasks.relevance import TwoPoolsError, locate, missing_error
from tasks.schema import UNANSWERED, Benchmark, Pool, Qrels, Query, Setting, Texts

_PARTS: tuple[Part, ...] = ("corpus", "queries", "qrels")
_LOG = logging.getLogger(__name__)


class _Content(NamedTuple):
    """Data read, by subset."""

    pools: dict[str, MappedPool]
    queries: dict[str, Queries]
    qrels: dict[str, Judgements]
    """Under `""` where all subsets share them."""

    @property
    def grades(self) -> dict[str, Mapping[str, int]]:
        """All qrels in one."""
        return {query: graded for judged in self.qrels.values() for query, graded in judged.grades.items()}


def load_collection(name: str, source: str, files: Sequence[DataFile], options: Options) -> Benchmark:
    """Read a benchmark.

    Args:
        name: of the benchmark.
        source: where the data comes from, for messages.
        files: of all languages and splits.
        options: what is measured.

    Raises:
        TaskError: a part, language or split is missing, the data is malformed, or it contradicts itself.
    """
    chosen = _chosen(name, source, files, options)
    shared = not any(file.language for file in of_part(chosen, "qrels"))
    subsets = subsets_of(name, chosen, options, shared=shared)
    selected = selected_languages(name, names_of(options.languages, subsets), subsets)
    content = _read(subsets, selected, chosen, shared=shared)
    grades = content.grades
    if not grades:
        raise TaskError(f"benchmark '{name}': the qrels hold no relevant passage, one with a score of 1 or more")
    _refuse_unknown_queries(name, content.queries.values(), grades)

    judged = _resolved(name, grades, content, subsets, options)
    kept = {
        query: {passage: grade for passage, grade in graded.items() if judged.pool_name(passage) in {None, *selected}}
        for query, graded in grades.items()
    }
    lost = {passage: pool for passage, pool in judged.lost.items() if pool in {None, *selected}}
    queries = _queries_by_language(subsets, content, selected)
    identical = sum(query in judged.pool_of for table in queries.values() for query in table.ids() if kept.get(query))
    return Benchmark(
        name=name,
        revision=_revision(content, [f for f in chosen if shared or (f.language or options.language) in selected]),
        queries=queries,
        pools=[pool for pool in judged.pools if pool.name in selected],
        qrels=kept,
        settings=options.settings or _meaningful(queries, kept, judged.pool_of),
        details=_details(chosen, content, queries, len(lost), identical, options),
        missing=lost,
        ignore_identical_ids=options.ignore_identical_ids,
        copies=_copies(content),
        splits=tuple(splits(files)),
    )


class _Resolved(NamedTuple):
    """Where passages lie."""

    pools: list[Pool]
    pool_of: dict[str, Pool]
    """The pool of each passage that is relevant or has the id of a query."""
    lost: dict[str, str | None]
    """Relevant passage in no pool -> the pool that lacks it, None if unknown."""

    def pool_name(self, passage: str) -> str | None:
        """Return the name of a relevant passage's pool; None if it is in none, and unknown which one lacks it."""
        return self.lost[passage] if passage in self.lost else self.pool_of[passage].name


def _resolved(name: str, qrels: Qrels, content: _Content, subsets: Mapping[str, Subset], options: Options) -> _Resolved:
    """Find the relevant passages.

    Raises:
        TaskError: one is in no pool and refused, or in two.
    """
    pools = [Pool(subset, subsets[subset].passage_language, pool.texts) for subset, pool in content.pools.items()]
    relevant: dict[str, str] = {}
    for query, graded in qrels.items():
        relevant |= {passage: query for passage in graded if passage not in relevant}
    places = _located(pools, sorted(relevant.keys() | qrels.keys()), subsets)
    pool_of = {passage: pools[number] for passage, (number, _) in places.items()}
    lost = {passage: _pool_without(passage, pools, subsets) for passage in relevant if passage not in pool_of}
    if lost and options.missing == "refuse":
        passage = next(iter(lost))
        raise missing_error(name, passage, relevant[passage])
    return _Resolved(pools, pool_of, lost)


def missing_details(lost: int) -> dict[str, str]:
    """Return what a result says about relevant passages that are in no corpus."""
    return {"missing": f"{lost:,} relevant passages are in no corpus and count as not retrieved"} if lost else {}


def _chosen(name: str, source: str, files: Sequence[DataFile], options: Options) -> list[DataFile]:
    for part in _PARTS:
        if not of_part(files, part):
            raise TaskError(
                f"benchmark '{name}': there is no {part} in {source}, such as {part}.jsonl or th/{part}.jsonl: "
                "docs/your_data.md shows all layouts that are read"
            )
    try:
        return of_split(files, options.split, options.default_split)
    except TaskError as error:
        raise TaskError(f"benchmark '{name}', {error}") from None


def _read(
    subsets: Mapping[str, Subset], selected: Sequence[str], files: Sequence[DataFile], *, shared: bool
) -> _Content:
    """Read the selected subsets; all of them where they share qrels, to know what lies in another language."""
    content = _Content({}, {}, {})
    for name in subsets if shared else selected:
        prefix = subsets[name].prefix
        corpus, queries, qrels = (_paths(subsets[name].files, part) for part in _PARTS)
        if corpus:
            content.pools[name] = mapped_corpus(name, subsets[name].passage_language, corpus, prefix)
        if queries:
            content.queries[name] = read_queries(subsets[name].query_language, queries, prefix)
        if qrels:
            content.qrels[name] = read_judgements(qrels, prefix)
        elif queries and not shared:
            raise TaskError(
                f"{queries[0]} has queries without qrels: add those of '{name}', named by their split where others "
                "are, or choose other languages"
            )
    if shared:
        content.qrels[""] = read_judgements(_paths(files, "qrels"), "")
    return content


def _paths(files: Iterable[DataFile], part: Part) -> list[Path]:
    return [file.path for file in of_part(files, part)]


def _refuse_unknown_queries(name: str, queries: Iterable[Queries], qrels: Qrels) -> None:
    known = {query for table in queries for query in table.texts.ids()}
    unknown = next((query for query in qrels if query not in known), None)
    if unknown is not None:
        raise TaskError(f"benchmark '{name}': the qrels judge query '{unknown}', which no file of queries holds")


def _located(
    pools: Sequence[Pool], passages: Sequence[str], subsets: Mapping[str, Subset]
) -> dict[str, tuple[int, int]]:
    try:
        return locate(pools, passages)
    except TwoPoolsError as error:
        files = [_paths(subsets[pool].files, "corpus") for pool in error.pools]
        sources = [str(paths[0] if len(paths) == 1 else paths[0].parent) for paths in files]
        raise TwoPoolsError(error.passage, error.pools, sources) from None


def _pool_without(passage: str, pools: Sequence[Pool], subsets: Mapping[str, Subset]) -> str | None:
    """Return the pool that lacks a passage; None if it is not known."""
    if len(pools) == 1:
        return pools[0].name
    prefixed = (p.name for p in pools if subsets[p.name].prefix and passage.startswith(subsets[p.name].prefix))
    return max(prefixed, key=len, default=None)


def _queries_by_language(subsets: Mapping[str, Subset], content: _Content, selected: Sequence[str]) -> dict[str, Texts]:
    texts: dict[str, dict[str, str]] = {}
    for name in (name for name in selected if name in content.queries):
        own = texts.setdefault(subsets[name].query_language, {})
        table = content.queries[name].texts
        for query, text in zip(table.ids(), table.texts(), strict=True):
            if own.setdefault(query, text) != text:
                raise TaskError(f"query '{query}' has two texts in {subsets[name].query_language}: remove one of them")
    return {language: Texts.of(map(Query, own.keys(), own.values())) for language, own in texts.items()}


def _meaningful(queries: Mapping[str, Texts], qrels: Qrels, pool_of: Mapping[str, Pool]) -> tuple[Setting, ...]:
    """Return the settings in which some query has a relevant passage."""
    languages = {
        (language, pool_of[passage].language)
        for language, table in queries.items()
        for query in table.ids()
        for passage in qrels.get(query, ())
        if passage in pool_of
    }
    pools = {
        pool_of[passage].name: pool_of[passage].language
        for graded in qrels.values()
        for passage in graded
        if passage in pool_of
    }
    meant = {
        Setting.MONOLINGUAL: any(query == passage for query, passage in languages),
        Setting.CROSSLINGUAL: any(query != passage for query, passage in languages),
        # Two pools of one language, of two pairs, may hold the same passages.
        Setting.MULTILINGUAL: len(set(pools.values())) == len(pools) > 1,
    }
    return tuple(setting for setting, has in meant.items() if has) or tuple(Setting)


def _revision(content: _Content, files: Sequence[DataFile]) -> str:
    """Return what identifies the data, and its names of languages where these are written out.

    Results of earlier versions have such names for languages, and are not those of the same languages.
    """
    small = [file.path for file in files if file.part != "corpus"]
    written_out = [name for name in content.pools if named_language(name) and not language_code(name)]
    return combined_digest([*(pool.digest for pool in content.pools.values()), content_digest(small), *written_out])


def _copies(content: _Content) -> dict[str, int]:
    copies: dict[str, int] = {}
    for read in (content.pools, content.queries, content.qrels):
        for name, part in read.items():
            copies[name] = copies.get(name, 0) + part.copies
    return copies


def _details(
    files: Sequence[DataFile],
    content: _Content,
    queries: Mapping[str, Texts],
    lost: int,
    identical: int,
    options: Options,
) -> dict[str, str]:
    """Return what every result says about the data, beside its numbers."""
    details = {}
    split = next((file.split for file in files if file.part == "qrels"), "")
    if split:
        details["split"] = split
    if copies := sum(_copies(content).values()):
        details["copies"] = f"{copies:,} rows repeat another and were read once"
    unanswered = {query for judged in content.qrels.values() for query in judged.unanswered}
    if left_out := sum(query in unanswered for table in queries.values() for query in table.ids()):
        details[UNANSWERED] = (
            f"{left_out:,} queries have judgements but no relevant passage and are not measured; trec_eval, BEIR and "
            "MTEB count each as 0"
        )
    details |= missing_details(lost)
    if options.ignore_identical_ids:
        details["ignore_identical_ids"] = "true"
    elif identical:
        details["identical_ids"] = (
            f"{identical:,} queries have the id of a passage, which is ranked like any other; "
            "ignore_identical_ids: true leaves it out, as BEIR does for ArguAna and Quora"
        )
        _LOG.warning("%s", details["identical_ids"])
    return details
