"""What a batch holds of what its corpus has."""

from __future__ import annotations

from typing import Any

import pytest

from study.config import TrialConfig
from study.training.batch import Batch, BatchMaker
from study.training.sampler import HybridSampler
from tests.study.training.test_step import Neighbours
from tests.toy_corpus import ToyCorpus
from tests.toy_encoder import toy_encoder

B = 8


def batch(corpus: ToyCorpus, **changes: Any) -> Batch:
    config = TrialConfig.model_validate({"batch_size": B, "steps": 4} | changes)
    return BatchMaker([corpus], HybridSampler([corpus], config), toy_encoder(), config).make(0)


@pytest.mark.parametrize("asked", [0, 1, 3])
def test_a_batch_has_as_many_hard_negatives_as_are_asked_for_of_a_corpus_that_has_more(asked: int) -> None:
    corpus = ToyCorpus.parallel(40, ("ar", "th", "zh"), negatives=3)
    assert len(batch(corpus, hard_negatives=asked).order) == B + B * (1 + asked)


def test_every_passage_is_a_negative_where_none_is_to_be_masked() -> None:
    corpus = Neighbours("toy", [("th", "zh")] * 20, range(20), negatives=2)
    assert len(batch(corpus, hard_negatives=2).false_negatives_P2) > 0
    assert batch(corpus, hard_negatives=2, mask_false_negatives=False).false_negatives_P2.shape == (0, 2)
