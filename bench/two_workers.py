"""Two workers against one: pairs a second of the same global batch, each worker on one core, or one GPU.

python -m bench.two_workers --checkpoint DIR --data DIR
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from bench.row import Options, Row, Seconds, finish, in_turn, options
from bench.texts import training_trial
from study.config import Precision, TrialConfig
from study.training.backbone import load_encoder
from study.training.corpora import load_for_training
from study.training.training import Training

BATCH_SIZE = 32


def worker(rank: int, world_size: int, rendezvous: str, config: TrialConfig, results: Any) -> None:
    """Train; rank 0 says how long the steps after the first took."""
    torch.set_num_threads(1)
    cuda = torch.cuda.is_available()
    device = torch.device(f"cuda:{rank}" if cuda else "cpu")
    if world_size > 1:
        dist.init_process_group(
            "nccl" if cuda else "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=world_size
        )
    encoder = load_encoder(config, device, bf16=config.precision == "bf16")
    ticks = [time.perf_counter() for _ in Training(config, encoder, [load_for_training(config.corpora[0])]).run()]
    if rank == 0:
        results.put(ticks[-1] - ticks[0])
    if world_size > 1:
        dist.destroy_process_group()


def seconds(world_size: int, config: TrialConfig) -> Seconds:
    """Start the workers, and return what rank 0 measured."""
    spawn = multiprocessing.get_context("spawn")
    results = spawn.SimpleQueue()
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [(rank, world_size, f"{scratch}/rendezvous", config, results) for rank in range(world_size)]
        processes = [spawn.Process(target=worker, args=one) for one in arguments]
        for process in processes:
            process.start()
        took: float = results.get()
        for process in processes:
            process.join()
    return Seconds(took, 0)


def measure(chosen: Options, precision: Precision) -> Row:
    """Train the same batches with two workers and with one."""
    steps, batch_size = (3, 4) if chosen.quick else (10, BATCH_SIZE)
    with tempfile.TemporaryDirectory() as scratch:
        config = training_trial(
            chosen,
            Path(scratch),
            batch_size=batch_size,
            steps=steps,
            precision=precision,
        )
        two, one = in_turn(lambda: seconds(2, config), lambda: seconds(1, config), min(3, chosen.repetitions))
    pairs = (steps - 1) * batch_size
    return Row(
        f"two workers, batch {batch_size} over both, {precision}",
        "one worker; ideal 2",
        "pairs/s",
        more_is_better=True,
        goal=1.6,
        ours=[pairs / took.wall for took in two],
        theirs=[pairs / took.wall for took in one],
    )


if __name__ == "__main__":
    chosen = options()
    finish((measure(chosen, precision) for precision in ("fp32", "bf16")), chosen)
