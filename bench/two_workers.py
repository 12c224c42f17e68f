"""Two workers against one: pairs a second of the same global batch, each worker on one core, or one GPU.

python -m bench.two_workers --checkpoint DIR --data DIR
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from bench.row import Options, Row, Seconds, finish, in_turn, options, ratio
from bench.texts import training_trial
from study.config import Precision, TrialConfig
from study.corpora import training_corpora
from study.model.backbone import load_encoder
from study.training.loop import Training

BATCH_SIZE = 100
"""The paper's."""


def worker(rank: int, world_size: int, rendezvous: str, config: TrialConfig, results: Any) -> None:
    """Train; say how long the steps after the first took."""
    torch.set_num_threads(1)
    cuda = torch.cuda.is_available()
    device = torch.device(f"cuda:{rank}" if cuda else "cpu")
    if cuda:
        torch.cuda.set_device(device)
    if world_size > 1:
        dist.init_process_group(
            "nccl" if cuda else "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=world_size
        )
    encoder = load_encoder(config, device)
    ticks = [time.perf_counter() for _ in Training(config, encoder, training_corpora(config)).run()]
    results.put(ticks[-1] - ticks[0])
    if world_size > 1:
        dist.destroy_process_group()


def seconds(processes: int, config: TrialConfig, *, together: bool = True) -> Seconds:
    """Start processes that train together or each for itself; return what the slowest took."""
    spawn = multiprocessing.get_context("spawn")
    results = spawn.SimpleQueue()
    world_size = processes if together else 1
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [(rank, world_size, f"{scratch}/rendezvous", config, results) for rank in range(processes)]
        started = [spawn.Process(target=worker, args=one) for one in arguments]
        for process in started:
            process.start()
        took = max(results.get() for _ in started)
        for process in started:
            process.join()
    return Seconds(took, 0)


def measure(chosen: Options, precision: Precision, batch_size: int) -> Row:
    """Train the same batches with two workers and with one, and halves of them with two that do not wait."""
    steps = 3 if chosen.quick else 1 + max(2, 160 // batch_size)
    apart: list[Seconds] = []
    with tempfile.TemporaryDirectory() as scratch:

        def trial(size: int) -> TrialConfig:
            return training_trial(chosen, Path(scratch), batch_size=size, steps=steps, precision=precision)

        def ours() -> Seconds:
            apart.append(seconds(2, trial(batch_size // 2), together=False))
            return seconds(2, trial(batch_size))

        two, one = in_turn(ours, lambda: seconds(1, trial(batch_size)), chosen.repetitions)
    pairs = (steps - 1) * batch_size
    rates = [[pairs / took.wall for took in turns] for turns in (two, one, apart)]
    return Row(
        f"two workers, batch {batch_size} over both, {precision}",
        "one worker; ideal 2",
        "pairs/s",
        more_is_better=True,
        goal=1.6,
        ours=rates[0],
        theirs=rates[1],
        note=(
            f"Batch {batch_size}, {precision}: two processes that never wait for each other train "
            f"{statistics.median(rates[2]):.4g} pairs/s, {ratio(rates[2], rates[1]):.2f} times one.\n"
        ),
    )


if __name__ == "__main__":
    chosen = options()
    if torch.cuda.device_count() == 1:
        raise SystemExit("two workers want two GPUs, and there is one here")
    size = 4 if chosen.quick else BATCH_SIZE
    finish((measure(chosen, precision, size) for precision in chosen.precisions), chosen)
