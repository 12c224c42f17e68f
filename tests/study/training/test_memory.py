from __future__ import annotations

import pytest
import torch

from study.config import TrialConfig
from study.training.memory import advice, ran_out


def test_what_pytorch_says_when_the_machine_has_no_such_memory_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert ran_out(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), True),
        (MemoryError(), True),
        (RuntimeError("4 worker(s) were killed due to the node running low on memory."), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_other_errors_are_not_taken_for_it(error: Exception, expected: bool) -> None:
    assert ran_out(error) is expected


def test_the_advice_names_what_is_not_set_yet_with_its_value() -> None:
    settings = {"micro_batch_tokens": 4096, "max_passage_tokens": 128}
    first = advice(TrialConfig.model_validate(settings))
    assert first.startswith("out of memory: lower micro_batch_tokens (now 4096), or set gradient_caching")
    shared = advice(TrialConfig.model_validate(settings | {"resources": {"gpus_per_worker": 0.1}}))
    assert shared.startswith(
        "out of memory: raise gpus_per_worker (now 0.1), as a trial gets this part of a GPU's memory"
    )
    assert "gpus_per_worker" not in first
    last = advice(TrialConfig.model_validate(settings | {"gradient_caching": True, "gradient_checkpointing": True}))
    assert "gradient" not in last
    assert "lower max_passage_tokens (now 128)" in last
