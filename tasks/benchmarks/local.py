"""Your own corpus, queries and qrels: a folder per language in the layout of BEIR, or any other that is read.

    path/th/corpus.jsonl     {"_id": "p1", "title": "กรุงเทพมหานคร", "text": "เมืองหลวงของประเทศไทย"}
    path/th/queries.jsonl    {"_id": "q1", "text": "เมืองหลวงของไทยคือเมืองใด"}
    path/th/qrels.tsv        query-id	corpus-id	score
                             q1	p1	1

or, instead of a `qrels.tsv` in each language's folder, one `path/qrels.tsv` for all: then ids are shared by all
languages (`tasks.formats.collection`). `docs/your_data.md` lists all layouts, formats and column names, among them
those of MIRACL, Mr. TyDi and CIRAL as published.

Protocol: the settings in which some query has a relevant passage, unless `settings` names them; multilingual where
relevant passages lie in several pools. Queries without a relevant passage are not measured; trec_eval, BEIR and MTEB
count those that have judgements as 0, so that their averages are lower (`Benchmark.details` says how many there are).
The licence is that of your data.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tasks.formats.collection import load_collection
from tasks.formats.layouts import data_files
from tasks.formats.subsets import MissingPassages, Options, Pairs
from tasks.paths import user_path
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Setting


def load(  # noqa: PLR0913 - one per option
    *,
    path: Path,
    languages: tuple[str, ...] | None = None,
    language: str | None = None,
    query_language: str | None = None,
    pairs: Pairs | None = None,
    split: str | None = None,
    settings: tuple[Setting, ...] | None = None,
    missing: MissingPassages = "refuse",
    ignore_identical_ids: bool = False,
) -> Benchmark:
    """Read a benchmark of your own.

    Args:
        path: the folder described above.
        languages: of queries and pools; all by default.
        language: of a corpus and queries that lie in `path` itself, as a BEIR data set does when it is unzipped.
        query_language: of all queries, if it is not that of the folder they are in (CIRAL asks in English).
        pairs: whether a name such as `ara-deu` has the queries' or the passages' language first; `none` where it is
            one language.
        split: whose qrels to use, where there are several; `test` by default.
        settings: which to measure; by default those in which some query has a relevant passage.
        missing: whether relevant passages in no corpus are refused, or count as not retrieved.
        ignore_identical_ids: leave a passage with the id of a query out of its rankings, as BEIR does.

    Raises:
        TaskError: data that is missing, malformed or contradicts itself, or a relevant passage that is in no corpus.
    """
    path = user_path(path)
    if not path.is_dir():
        raise TaskError(f"benchmark 'local', option 'path': there is no folder {path}")
    options = Options(
        languages=languages,
        language=language,
        query_language=query_language,
        pairs=pairs,
        split=split,
        settings=settings,
        missing=missing,
        ignore_identical_ids=ignore_identical_ids,
    )
    benchmark = load_collection("local", str(path), data_files(path), options)
    return replace(benchmark, details={"path": str(path), **benchmark.details})
