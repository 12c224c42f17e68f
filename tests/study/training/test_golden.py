"""Same seed, same loss: a change that moves this curve says why in CHANGELOG.md and writes it anew.

python -m tests.study.training.test_golden
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from study.config import TrialConfig
from study.model.backbone import load_encoder
from study.training.loop import Training
from tasks.plugins import load_corpus

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "losses.txt"
STEPS = 20


def losses(*, gradient_caching: bool = False) -> list[float]:
    """Of every step of a short training on built-in data."""
    config = TrialConfig.model_validate(
        {"steps": STEPS, "batch_size": 16, "learning_rate": 3e-3, "gradient_caching": gradient_caching}
        | {"validation": {"every": 1}}  # only so that every step is reported
    )
    training = Training(config, load_encoder(config, torch.device("cpu")), [load_corpus("factbook", {})])
    return [report.metrics["loss"] for report in training.run()]


def test_twenty_steps_lose_what_they_lost_before() -> None:
    golden = [float(line) for line in GOLDEN.read_text("utf-8").split()]
    assert losses() == pytest.approx(golden, abs=1e-4)


def test_gradient_caching_walks_the_same_path() -> None:
    golden = [float(line) for line in GOLDEN.read_text("utf-8").split()]
    assert losses(gradient_caching=True) == pytest.approx(golden, abs=1e-4)


if __name__ == "__main__":
    GOLDEN.write_text("".join(f"{loss:.6f}\n" for loss in losses()), "utf-8")
