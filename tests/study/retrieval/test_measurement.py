"""Several benchmarks of one name, each under its label wherever a result names benchmarks; sources of centring."""

from __future__ import annotations

import pytest
import torch

from study.config import TrialConfig
from study.retrieval.measurement import means, measure_backbone
from tests.toy_encoder import toy_encoder


def test_two_benchmarks_of_one_name_are_measured_side_by_side_under_their_labels() -> None:
    first, second = (
        {"name": "held_out", "corpus": {"name": "factbook", "languages": languages, "held_out": 9}}
        for languages in (["ar", "th"], ["th", "zh"])
    )
    config = TrialConfig.model_validate({"steps": 0, "benchmarks": [first, second | {"label": "chinese"}]})
    told = set()
    result = measure_backbone(config, torch.device("cpu"), progress=lambda name, *_: told.add(name))
    assert {key.partition("/")[0] for key in result.metrics} == {"held_out", "chinese"} == told
    languages = {key: sorted(measured.queries) for key, measured in result.benchmarks.items()}
    assert languages == {"held_out": ["ar", "th"], "chinese": ["th", "zh"]}
    assert [benchmark.label for benchmark in result.config.benchmarks] == [None, "chinese"]


@pytest.mark.parametrize(
    ("steps", "given", "source"),
    [
        (1, None, "factbook"),
        (0, None, "the benchmark"),
        (1, "benchmark", "the benchmark"),
        (0, "corpora", "factbook"),
        (1, "validation", "held_out"),
    ],
)
def test_means_are_those_of_the_training_corpora_where_a_trial_trains_unless_another_source_is_given(
    steps: int, given: str | None, source: str
) -> None:
    corpus = {"name": "factbook", "languages": ["th", "zh"]}
    settings = {"steps": steps, "corpora": [corpus], "centring": {"source": given, "texts": 2}}
    validation = {"benchmark": {"name": "held_out", "corpus": corpus | {"held_out": 9}}}
    config = TrialConfig.model_validate(settings | {"validation": validation})
    found = means(toy_encoder(), config, config.centring[0])
    assert found.source == source
    assert set(found.passages) == (set() if source == "the benchmark" else {"th", "zh"})
