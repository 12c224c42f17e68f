"""The device of these tests; a module that imports this one is skipped where there is no GPU, all in one line."""

from __future__ import annotations

import pytest
import torch

if not torch.cuda.is_available():
    pytest.skip("there is no GPU here; `make test-gpu` runs these where there is one", allow_module_level=True)

GPU = "cuda"
requires_two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is one GPU here, and no second one")
