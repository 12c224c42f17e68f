"""Natural Questions: questions people asked Google, each with the Wikipedia passage that answers it; English only.

Source:   https://huggingface.co/datasets/sentence-transformers/natural-questions, folder `pair` (Parquet).
Licence:  CC BY-SA 3.0.
Citation: Kwiatkowski et al., Natural Questions: A benchmark for question answering research, TACL 2019.

One row, shortened:

    {"query": "when did richmond last play in a preliminary final",
     "answer": "Richmond Football Club Richmond began 2017 with 5 straight wins, ..."}

100,231 rows; the paper counts 113,535 and trains on machine translations into nine languages, which are not public.
English alone serves monolingual batches only.

Not run here: the layout and commit were read in the repository's listing, the columns in others' use of it.
"""

from __future__ import annotations

from pathlib import Path

from tasks.data.repository import Repository, files_in, parquet_texts
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.schema import Pair

_SOURCE = Repository("sentence-transformers/natural-questions", "f9e894e1081e206e577b4eaa9ee6de2b06ae6f17")


def load(*, path: Path | None = None) -> ParallelArrow:
    """Open the corpus; if it is new to this machine, it is downloaded and converted first.

    Args:
        path: a local copy of the repository; it is downloaded by default.

    Raises:
        TaskError: data that is missing or malformed.
    """
    files = files_in("natural_questions", path, _SOURCE, "pair")
    return converted(
        "natural_questions",
        "pairs",
        files,
        lambda: ({"en": Pair(query, answer)} for query, answer in parquet_texts(files, ["query", "answer"])),
    )
