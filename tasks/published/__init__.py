"""Published numbers as data, each file with its source; nothing else in the repository repeats them."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from typing import Any

import pydantic

_FROZEN = pydantic.ConfigDict(frozen=True, extra="forbid")
_BySampling = Mapping[str, float]


class TrainingCorpus(pydantic.BaseModel):
    """One corpus of the paper's training mixture."""

    model_config = _FROZEN

    name: str
    rows_per_language: int
    languages: int | tuple[str, ...]
    """How many languages, where the paper gives no list."""


class Baselines(pydantic.BaseModel):
    """Multilingual mAP of LAReQA's own fine-tuned mBERT: training -> benchmark -> value."""

    model_config = _FROZEN

    source: str
    multilingual: Mapping[str, Mapping[str, float]]


class Published(pydantic.BaseModel):
    """The results of one paper. Benchmarks by their published names; the innermost key is the sampling.

    Samplings are `X-X-mono` (alpha 1), `X-Y` (alpha 0) and `hybrid`; `mean` beside the languages is the macro average.
    """

    model_config = _FROZEN

    source: str
    samplings: Mapping[str, str]
    setup: Mapping[str, Any]
    training_corpora: tuple[TrainingCorpus, ...]
    candidates: Mapping[str, Mapping[str, int]]
    """Benchmark -> language -> passages."""
    queries: Mapping[str, Mapping[str, int]]
    """Benchmark -> language -> queries; `each` where every language has as many."""
    map: Mapping[str, Mapping[str, Mapping[str, Mapping[str, _BySampling]]]]
    """Backbone -> benchmark -> query language -> setting -> sampling."""
    mean_recall: Mapping[str, Mapping[str, Mapping[str, _BySampling]]]
    """Backbone -> benchmark -> `recall@1 monolingual` and the like -> sampling."""
    rank_distance: Mapping[str, Mapping[str, Mapping[str, _BySampling]]]
    """Benchmark -> backbone -> query language -> sampling."""
    miracl_dev_monolingual: Mapping[str, Mapping[str, Mapping[str, _BySampling]]]
    """Backbone -> language -> metric -> sampling."""
    lareqa_baselines_map: Baselines


def read_published(name: str = "arxiv_2408_10536") -> Published:
    """Return the results of one paper; the default is the one this study follows."""
    text = importlib.resources.files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    return Published.model_validate_json(text)
