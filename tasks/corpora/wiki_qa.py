"""WikiQA: questions from Bing's logs and the sentences of a Wikipedia summary that answer them; English only.

Source:   https://huggingface.co/datasets/microsoft/wiki_qa, folder `data` (Parquet).
Licence:  Microsoft Research Data License Agreement.
Citation: Yang et al., WikiQA: A challenge dataset for open-domain question answering, EMNLP 2015.

A row has the columns `question_id`, `question`, `document_title`, `answer` (a sentence) and `label`: 1 if it answers.
The sentences of label 1 are the passages, those of label 0 under the same question their hard negatives; questions that
no sentence answers are left out. All three splits: the paper counts 1,469 rows, more than the training split alone has,
and trains on machine translations into nine languages, which are not public. English alone serves monolingual batches
only.

Not run here: columns, splits and commit were read in the repository's card and history.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tasks.data.repository import Repository, files_in, parquet_texts
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.schema import Pair

_SOURCE = Repository("microsoft/wiki_qa", "3f104672b5de699878fe7907afc486f0de325eb5")
_COLUMNS = ("question_id", "question", "answer", "label")


def load(*, path: Path | None = None) -> ParallelArrow:
    """Open the corpus; if it is new to this machine, it is downloaded and converted first.

    Args:
        path: a local copy of the repository; it is downloaded by default.

    Raises:
        TaskError: data that is missing or malformed.
    """
    files = files_in("wiki_qa", path, _SOURCE, "data")
    return converted("wiki_qa", "label 0 as negatives", files, lambda: _rows(files))


def _rows(files: list[Path]) -> Iterator[dict[str, Pair]]:
    for _, rows in groupby(parquet_texts(files, _COLUMNS), key=lambda row: row[0]):
        sentences = list(rows)
        negatives = tuple(answer for _, _, answer, label in sentences if label == "0")
        for _, question, answer, label in sentences:
            if label == "1":
                yield {"en": Pair(question, answer, negatives)}
