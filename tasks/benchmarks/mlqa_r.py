"""MLQA-R: 1,148 questions in 2 to 4 of 7 languages, each with its answer sentences among 20,534 (LAReQA).

Source:   https://github.com/google-research-datasets/lareqa, commit 354d67d, folder `mlqa-r/`: made of MLQA's
          development set, in the repository's history since it left the head.
Licence:  CC BY-NC 4.0.
Citation: Roy et al., LAReQA: Language-agnostic answer retrieval from a multilingual pool, arXiv 2004.05484.

One paragraph of `es.json`, shortened:

    {"context": "El clima en Kirguistán varía según la región. El suroeste ...",
     "sentence_breaks": [[0, 45], [46, 171], ...],
     "sentences": ["El clima en Kirguistán varía según la región.", ...],
     "qas": [{"id": "4c5d3e150b460d8b01cab7fc43d8343b6d2df1be",
              "question": "¿Cuántos días están bajo cero en invierno?",
              "answers": [{"text": "40", "answer_start": 373}]}]}

Protocol: `tasks.formats.lareqa`. Monolingual (7 pools), cross-lingual (42 ordered pairs; a query counts where the other
language has a version of it) and multilingual; macro averages over languages or pairs.

Not run here: the files' layout was read in the repository, but no copy was at hand to download or to count.
"""

from __future__ import annotations

from pathlib import Path

from tasks.data.options import local_folder, selected_languages
from tasks.data.pinned_files import File, fetch, github_file
from tasks.formats.lareqa import COMMIT, REPOSITORY, Context, load_folder
from tasks.schema import Benchmark

_LANGUAGES = ("ar", "de", "en", "es", "hi", "vi", "zh")


def load(
    *, path: Path | None = None, languages: tuple[str, ...] | None = None, context: Context = "sentence"
) -> Benchmark:
    """Read MLQA-R.

    Args:
        path: a local copy: the folder `mlqa-r`, or the one that contains it; by default it is downloaded once.
        languages: of the queries and the pools; all 7 by default.
        context: what a candidate's text is: the answer sentence, or with its paragraph as in XTREME-R.

    Raises:
        TaskError: data that is missing or malformed, or a language that is not among the 7.
    """
    selected = selected_languages("mlqa_r", languages, _LANGUAGES)
    folder = local_folder("mlqa_r", path, "mlqa-r") if path else fetch("mlqa_r", COMMIT, _files()) / "mlqa-r"
    return load_folder("mlqa_r", folder, selected, context)


def _files() -> list[File]:
    return [github_file(REPOSITORY, COMMIT, f"mlqa-r/{language}.json") for language in _LANGUAGES]
