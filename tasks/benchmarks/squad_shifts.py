"""SQuADShifts: SQuAD's kind of questions about four kinds of text; English, the paper's validation set.

Source:   https://huggingface.co/datasets/lmqg/qa_squadshifts, folders `amazon`, `new_wiki`, `nyt`, `reddit` (Parquet)
          of its converted branch. The original `squadshifts` needs a loading script that no longer runs.
Licence:  CC BY 4.0.
Citation: Miller et al., The effect of natural distribution shift on question answering models, ICML 2020,
          arXiv 2004.14444.

A row has the columns `id`, `title`, `context`, `question` and `answers`.

Protocol: ours, as the paper states none (it stops early on the loss): a question's relevant passage is the paragraph
(`context`) it was asked about, among all distinct paragraphs; monolingual. All of the repository's three splits.

Not run here: file names were read in the repository's history, columns in the original's card.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tasks.data.records import content_digest
from tasks.data.repository import Repository, files_in, parquet_texts
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts

Domain = Literal["amazon", "new_wiki", "nyt", "reddit"]
_SOURCE = Repository("lmqg/qa_squadshifts", "a2cea37f3153f25e6924bc3e6a05baca6a475fec")


def load(
    *, path: Path | None = None, domains: tuple[Domain, ...] = ("amazon", "new_wiki", "nyt", "reddit")
) -> Benchmark:
    """Read SQuADShifts.

    Args:
        path: a local copy of the repository; by default it is downloaded once.
        domains: which texts; all four by default.

    Raises:
        TaskError: no domain, or data that is missing or malformed.
    """
    if not domains:
        raise TaskError(
            "benchmark 'squad_shifts', option 'domains': name at least one of amazon, new_wiki, nyt, reddit"
        )
    files = [file for domain in sorted(set(domains)) for file in files_in("squad_shifts", path, _SOURCE, domain)]
    queries: list[Query] = []
    number_of: dict[str, int] = {}
    qrels = {}
    for question, context in parquet_texts(files, ["question", "context"]):
        query = Query(f"q{len(queries)}", question)
        queries.append(query)
        qrels[query.id] = {f"p{number_of.setdefault(context, len(number_of))}": 1}
    passages = Texts.of(Passage(f"p{number}", context) for context, number in number_of.items())
    return Benchmark(
        name="squad_shifts",
        revision=content_digest(files),
        queries={"en": Texts.of(queries)},
        pools=[Pool("en", "en", passages)],
        qrels=qrels,
        settings=(Setting.MONOLINGUAL,),
        details={"domains": " ".join(sorted(set(domains)))},
    )
