"""XQuAD-R: 1,190 questions in 11 languages, each with one answer sentence a language among 13,014 (LAReQA).

Source:   https://github.com/google-research-datasets/lareqa, folder `xquad-r/`, one JSON file a language.
Licence:  CC BY-SA 4.0.
Citation: Roy et al., LAReQA: Language-agnostic answer retrieval from a multilingual pool, arXiv 2004.05484.

One paragraph of `zh.json`, shortened:

    {"context": "黑豹队的防守只丢了 308分，...", "sentence_breaks": [[0, 61], ...],
     "sentences": ["黑豹队的防守只丢了 308分，...", ...],
     "qas": [{"id": "56beb4343aeaaa14008c925b", "question": "黑豹队的防守丢了多少分？",
              "answers": [{"answer_start": 10, "text": "308"}]}]}

Protocol: `tasks.formats.lareqa`. Monolingual (11 pools), cross-lingual (110 ordered pairs, each against one
language's pool) and multilingual (each query language against the union, 11 relevant passages); macro averages over
languages or pairs.
"""

from __future__ import annotations

from pathlib import Path

from tasks.data.options import local_folder, selected_languages
from tasks.data.pinned_files import File, fetch, github_file
from tasks.formats.lareqa import COMMIT, REPOSITORY, Context, load_folder
from tasks.schema import Benchmark

_SHA256 = {
    "ar": "c52922d3b8ac1ae03ed5ac38647ad59870dca3dda2beefe18ecdc30729acb69d",
    "de": "16fb0f4bf4916154b585a20c24c66074591c9718a1affe764ff4697572328949",
    "el": "163fd43ee785a30eb534ae2061e9eaa766a7ee4e8ffce5e4b422480c150f64b6",
    "en": "7b0954f39297c27a31fef610f0883337dd2907fa8699151dc922afdd0fa12ffe",
    "es": "f8e836b2d91009c4363e04315f7ede363eedbbb49c67dda60de6c4aa782f58de",
    "hi": "ea45ba8ae4513d1533b222bebdc02a90bc319c055d3aeea68584a053d2e92872",
    "ru": "7f4dff853538b9a5fcc28c070b8bb983a5c5d190ac747b8e005a1ada9cab18f1",
    "th": "c3a041864c3a9fb0b4dd91cfdf99cf36b411b3e704c58a303c97bc6dc786cfe4",
    "tr": "f3e8c13002bbce154a4578f535f7533cb70f3da08840e6b62735935baec7bd94",
    "vi": "e35926bf5cc6fc6ecbdfca49467aabeb454f08d152d7818143a906bd31dde995",
    "zh": "80c2cde7b9c2fb134c303cbb52f2ba396ead9eb0014aec43993543d2ba9e93ed",
}
"""Language -> sha256 of its file, computed from LAReQA's own files."""


def load(
    *, path: Path | None = None, languages: tuple[str, ...] | None = None, context: Context = "sentence"
) -> Benchmark:
    """Read XQuAD-R.

    Args:
        path: a local copy: the folder `xquad-r`, or the one that contains it; by default it is downloaded once.
        languages: of the queries and the pools; all 11 by default.
        context: what a candidate's text is: the answer sentence, or with its paragraph as in XTREME-R.

    Raises:
        TaskError: data that is missing or malformed, or a language that is not among the 11.
    """
    selected = selected_languages("xquad_r", languages, _SHA256)
    folder = local_folder("xquad_r", path, "xquad-r") if path else fetch("xquad_r", COMMIT, _files()) / "xquad-r"
    return load_folder("xquad_r", folder, selected, context)


def _files() -> list[File]:
    return [github_file(REPOSITORY, COMMIT, f"xquad-r/{lang}.json", sha) for lang, sha in _SHA256.items()]
