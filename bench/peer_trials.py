"""Bare Ray Train trials under Tune, as Ray's guide shows them: each loads the checkpoint, takes one step and reports.

python -m bench.peer_trials CHECKPOINT FOLDER TRIALS
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import ray
import ray.train
from ray import tune
from ray.train.torch import TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback

CLOCK = "clock.txt"


def worker(settings: dict[str, Any]) -> None:
    """Fine-tune the checkpoint for one step; rank 0 notes when it began and when it was done."""
    import torch  # noqa: PLC0415 - as in any training function
    from ray.train.torch import prepare_model  # noqa: PLC0415
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(settings["checkpoint"])
    model = prepare_model(AutoModel.from_pretrained(settings["checkpoint"], add_pooling_layer=False))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    began = time.time()
    tokens = tokenizer(["query: one", "passage: two"], padding=True, return_tensors="pt")
    states = model(**tokens).last_hidden_state
    states.mean().backward()
    optimizer.step()
    if ray.train.get_context().get_world_rank() == 0:
        with Path(settings["folder"], CLOCK).open("a", encoding="utf-8") as clock:
            clock.write(f"{began} {time.time()}\n")
    ray.train.report({"loss": 0.0})


def trial(settings: dict[str, Any]) -> None:
    """Fit one trainer."""
    TorchTrainer(
        worker,
        train_loop_config=settings,
        scaling_config=ray.train.ScalingConfig(num_workers=2),
        run_config=ray.train.RunConfig(
            name=tune.get_context().get_trial_id(), storage_path=settings["folder"], callbacks=[TuneReportCallback()]
        ),
    ).fit()


def main(checkpoint: str, folder: str, trials: int) -> None:
    """Run the trials one after the other."""
    ray.init(address="local", log_to_driver=False)
    tune.Tuner(
        tune.with_resources(trial, {"node:__internal_head__": 0.001}),
        param_space={"checkpoint": checkpoint, "folder": folder},
        tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=1),
        run_config=tune.RunConfig(name="bare", storage_path=folder, verbose=0),
    ).fit()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
