"""Your own corpus, queries and qrels: a folder per language in the layout of BEIR.

    path/th/corpus.jsonl     {"_id": "p1", "title": "กรุงเทพมหานคร", "text": "เมืองหลวงของประเทศไทย"}
    path/th/queries.jsonl    {"_id": "q1", "text": "เมืองหลวงของไทยคือเมืองใด"}
    path/th/qrels.tsv        query-id	corpus-id	score
                             q1	p1	1

or, instead of a `qrels.tsv` in each language's folder, one `path/qrels.tsv` for all. Then ids are shared by all
languages: the versions of a question carry one id, its relevant passages may lie in any language, and a passage's id
must be unique. With a `qrels.tsv` a language, ids count within their language and get it as prefix.
`title` is optional; Parquet files with the same columns do too.

Protocol: the settings that the qrels give a meaning to, unless `settings` names them: monolingual and cross-lingual
where a query has relevant passages in its own and in another language, multilingual where relevant passages lie in
several pools. Queries without a relevant passage are not measured. The licence is that of your data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tasks.data.options import selected_languages
from tasks.data.records import combined_digest, content_digest
from tasks.formats.beir import files_of, mapped_corpus, read_judgements, read_queries
from tasks.plugins import TaskError
from tasks.relevance import relevance
from tasks.schema import Benchmark, Pool, Qrels, Setting, Texts


def load(
    *, path: Path, languages: tuple[str, ...] | None = None, settings: tuple[Setting, ...] | None = None
) -> Benchmark:
    """Read a benchmark of your own.

    Args:
        path: the folder described above.
        languages: of queries and pools; every folder with a corpus or queries without.
        settings: which to measure; those the qrels give a meaning to without.

    Raises:
        TaskError: data that is missing or malformed, or a relevant passage that is in no corpus.
    """
    selected, shared = _languages(path := path.expanduser(), languages), _has(path, "qrels")
    prefixes = {language: "" if shared else f"{language}:" for language in selected}
    query_files = {name: files_of(path / name, "queries") for name in selected if _has(path / name, "queries")}
    qrel_files = (
        {"": files_of(path, "qrels")} if shared else {prefixes[n]: files_of(path / n, "qrels") for n in query_files}
    )

    corpora = {
        name: mapped_corpus(name, files_of(path / name, "corpus"), prefixes[name])
        for name in selected
        if _has(path / name, "corpus")
    }
    pools = [Pool(name, name, table) for name, (table, _) in corpora.items()]
    queries = {name: read_queries(files, prefixes[name]) for name, files in query_files.items()}
    qrels = {query: g for prefix, files in qrel_files.items() for query, g in read_judgements(files, prefix).items()}
    if languages is None:
        _refuse_unknown_queries(queries, qrels)
    else:
        qrels = _without_others(pools, qrels)
    small = [file for files in (*query_files.values(), *qrel_files.values()) for file in files]
    benchmark = Benchmark(
        name="local",
        revision=combined_digest([*(digest for _, digest in corpora.values()), content_digest(small)]),
        queries=queries,
        pools=pools,
        qrels=qrels,
        settings=settings or tuple(Setting),
        details={"path": str(path)},
    )
    return benchmark if settings else replace(benchmark, settings=_meaningful(benchmark))


def _languages(path: Path, languages: tuple[str, ...] | None) -> tuple[str, ...]:
    found = [folder.name for folder in path.glob("*") if _has(folder, "corpus") or _has(folder, "queries")]
    if not found:
        raise TaskError(f"benchmark 'local', option 'path': no folder in {path} holds a corpus or queries")
    return selected_languages("local", languages, found)


def _has(folder: Path, stem: str) -> bool:
    return (folder / stem).is_dir() or any(folder.glob(f"{stem}.*"))


def _without_others(pools: Sequence[Pool], qrels: Qrels) -> dict[str, dict[str, int]]:
    """Leave out the relevant passages of the languages that were not chosen."""
    wanted = sorted({passage for grades in qrels.values() for passage in grades})
    held = {p for pool in pools for p, row in zip(wanted, pool.passages.rows_of(wanted), strict=True) if row >= 0}
    return {query: {p: grade for p, grade in grades.items() if p in held} for query, grades in qrels.items()}


def _refuse_unknown_queries(queries: Mapping[str, Texts], qrels: Qrels) -> None:
    known = {query for table in queries.values() for query in table.ids()}
    unknown = next((query for query in qrels if query not in known), None)
    if unknown is not None:
        raise TaskError(f"benchmark 'local': the qrels judge query '{unknown}', which no file of queries holds")


def _meaningful(benchmark: Benchmark) -> tuple[Setting, ...]:
    """Return the settings in which some query has a relevant passage."""
    found = relevance(benchmark)
    asked = [benchmark.languages[i] for i in found.query_language_Q[found.query_T]]
    held = [benchmark.pools[i].language for i in found.pool_T]
    meant = {
        Setting.MONOLINGUAL: any(query == passage for query, passage in zip(asked, held, strict=True)),
        Setting.CROSSLINGUAL: any(query != passage for query, passage in zip(asked, held, strict=True)),
        Setting.MULTILINGUAL: len(set(held)) > 1,
    }
    return tuple(setting for setting, has in meant.items() if has)
