"""The published numbers: complete, and agreeing with themselves and with the data."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import pydantic
import pytest

from tasks.benchmarks import xquad_r
from tasks.published import Published, read_published


def test_the_paper_is_named_as_the_source() -> None:
    assert read_published().source.startswith("arXiv:2408.10536")


def test_counts_sum_to_those_the_protocol_gives() -> None:
    published = read_published()
    assert sum(published.candidates["XQuAD-R"].values()) == 13_014
    assert sum(published.candidates["MLQA-R"].values()) == 20_534
    assert max(published.queries["MLQA-R"].values()) == 1_148


def test_every_mean_is_the_mean_of_its_languages() -> None:
    published = read_published()
    maps = [by_language for benchmarks in published.map.values() for by_language in benchmarks.values()]
    distances = [by_language for backbones in published.rank_distance.values() for by_language in backbones.values()]
    for by_language in (*maps, *published.miracl_dev_monolingual.values()):
        for figure, means in by_language["mean"].items():
            check_means({language: figures[figure] for language, figures in by_language.items()}, means, 2e-4)
    for by_sampling in distances:
        check_means(by_sampling, by_sampling["mean"], 0.1)


def check_means(by_language: Mapping[str, Mapping[str, float]], means: Mapping[str, float], tolerance: float) -> None:
    assert means.keys() == {"X-X-mono", "X-Y", "hybrid"}
    for sampling, mean in means.items():
        values = [by[sampling] for language, by in by_language.items() if language != "mean"]
        assert fmean(values) == pytest.approx(mean, abs=tolerance)


def test_candidate_counts_are_those_of_the_files(real_xquad_r: Path) -> None:
    loaded = xquad_r.load(path=real_xquad_r)
    assert {pool.name: len(pool.passages) for pool in loaded.pools} == read_published().candidates["XQuAD-R"]


def test_a_misspelt_key_in_the_data_is_refused() -> None:
    text = importlib.resources.files("tasks.published").joinpath("arxiv_2408_10536.json").read_text(encoding="utf-8")
    with pytest.raises(pydantic.ValidationError, match="rank_distances"):
        Published.model_validate_json(text.replace('"rank_distance"', '"rank_distances"'))
