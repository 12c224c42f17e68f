"""The published numbers: complete, and agreeing with themselves and with the data."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

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
    for benchmarks in read_published().map.values():
        for languages in benchmarks.values():
            for setting, samplings in languages["mean"].items():
                for sampling, mean in samplings.items():
                    values = [by[setting][sampling] for name, by in languages.items() if name != "mean"]
                    assert sum(values) / len(values) == pytest.approx(mean, abs=2e-4)


def test_candidate_counts_are_those_of_the_files(real_xquad_r: Path) -> None:
    loaded = xquad_r.load(path=real_xquad_r)
    assert {pool.name: len(pool.passages) for pool in loaded.pools} == read_published().candidates["XQuAD-R"]


def test_a_misspelt_key_in_the_data_is_refused() -> None:
    text = importlib.resources.files("tasks.published").joinpath("arxiv_2408_10536.json").read_text(encoding="utf-8")
    with pytest.raises(pydantic.ValidationError, match="rank_distances"):
        Published.model_validate_json(text.replace('"rank_distance"', '"rank_distances"'))
