"""Yahoo QA: questions of Yahoo Answers and the answers their askers chose; English only.

Source:   https://huggingface.co/datasets/sentence-transformers/yahoo-answers, folder `title-answer-pair` (Parquet).
Licence:  Yahoo Webscope: research only; the repository states none.
Citation: Zhang et al., Character-level convolutional networks for text classification, NeurIPS 2015.

A row has the columns `title`, which is the question, and `answer`. 1.2 million rows; the paper counts 135,557, does not
say which, and trains on machine translations into nine languages, which are not public. English alone serves
monolingual batches only.

Not run here: the layout, size and commit were read in the repository's listing; nothing could be downloaded.
"""

from __future__ import annotations

from pathlib import Path

from tasks.data.repository import Repository, files_in, parquet_texts
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.schema import Pair

_SOURCE = Repository("sentence-transformers/yahoo-answers", "93b3605c508cf93e3666c9d3e34640b5fe62b507")


def load(*, path: Path | None = None) -> ParallelArrow:
    """Open the corpus; if it is new to this machine, it is downloaded and converted first.

    Args:
        path: a local copy of the repository; it is downloaded by default.

    Raises:
        TaskError: data that is missing or malformed.
    """
    files = files_in("yahoo_qa", path, _SOURCE, "title-answer-pair", "*.parquet")
    return converted(
        "yahoo_qa",
        "pairs",
        files,
        lambda: ({"en": Pair(title, answer)} for title, answer in parquet_texts(files, ["title", "answer"])),
    )
