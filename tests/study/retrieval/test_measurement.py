"""Several benchmarks of one name: each under its label, in every place where a result names benchmarks."""

from __future__ import annotations

import torch

from study.config import TrialConfig
from study.retrieval.measurement import measure_backbone


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
