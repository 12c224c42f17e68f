"""NewsQA: questions of crowd workers about CNN articles, as the MRQA 2019 shared task prepared them; English only.

Source:   https://huggingface.co/datasets/lucadiliello/newsqa, folder `data`, `train-*.parquet`. The original,
          `microsoft/newsqa`, has to be put together by hand from CNN's articles.
Licence:  Microsoft's research licence for NewsQA; the repository states none.
Citation: Trischler et al., NewsQA: A machine comprehension dataset, RepL4NLP 2017, arXiv 1611.09830.

A row has the columns `question` and `context`; the context, an article cut to 800 tokens, is the passage. 74,160 rows;
the paper counts 59,496, does not say what its passages are, and trains on machine translations into nine languages,
which are not public. English alone serves monolingual batches only.

Not run here: columns and counts were read in the repository's card, the commit and layout in its listing.
"""

from __future__ import annotations

from pathlib import Path

from tasks.data.repository import Repository, files_in, parquet_texts
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.schema import Pair

_SOURCE = Repository("lucadiliello/newsqa", "728e52920b8e4ffcfaad93fa47556f26a1d82546")


def load(*, path: Path | None = None) -> ParallelArrow:
    """Open the corpus; if it is new to this machine, it is downloaded and converted first.

    Args:
        path: a local copy of the repository; it is downloaded by default.

    Raises:
        TaskError: data that is missing or malformed.
    """
    files = files_in("newsqa", path, _SOURCE, "data", "train-*.parquet")
    return converted(
        "newsqa",
        "pairs",
        files,
        lambda: (
            {"en": Pair(question, context)} for question, context in parquet_texts(files, ["question", "context"])
        ),
    )
