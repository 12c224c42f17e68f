"""Memory of a training worker against the sum of what it cannot do without.

    python -m bench.worker_memory --checkpoint DIR --data DIR

The sum is weights, gradients and AdamW's two moments (16 bytes a parameter) and the growth that one forward and
backward pass over a micro-batch of full size causes. The worker is one process of two, with gradient caching and a
batch of 128, over three steps. Both are growth over the process with its libraries loaded; on a GPU, memory allocated
there.
"""

from __future__ import annotations

import gc
import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from bench.metrics import reset_peak, status_mib
from bench.row import Options, Row, finish, options
from bench.texts import training_trial
from study.batching import training_tokens
from study.config import TrialConfig
from study.corpora import training_corpora
from study.model.backbone import load_encoder
from study.training.loop import Training

BYTES_A_PARAMETER = 16
MIB = 2**20


def reset(device: torch.device) -> float:
    """Start to watch for a peak; return the present memory in MiB."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / MIB
    return reset_peak()


def peak(device: torch.device) -> float:
    """Return the peak in MiB since the reset."""
    return torch.cuda.max_memory_allocated() / MIB if device.type == "cuda" else status_mib("VmHWM")


def worker(rank: int, rendezvous: str, config: TrialConfig, results: Any) -> None:
    """Train as one of two; rank 0 says what the process grew by."""
    torch.set_num_threads(1)
    cuda = torch.cuda.is_available()
    device = torch.device(f"cuda:{rank}" if cuda else "cpu")
    dist.init_process_group("nccl" if cuda else "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    corpus = training_corpora(config)[0]
    before = reset(device)
    encoder = load_encoder(config, device)
    for _ in Training(config, encoder, [corpus]).run():
        pass
    if rank == 0:
        results.put(peak(device) - before)
    dist.destroy_process_group()


def micro_batch(config: TrialConfig, results: Any) -> None:
    """Say what the parameters need, and what one micro-batch of the longest texts grows the process by."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = load_encoder(config, device).train()
    parameters = sum(p.numel() for p in encoder.parameters())
    rows = max(1, training_tokens(device) // config.max_passage_tokens)
    tokens = encoder.collate([[5] * config.max_passage_tokens] * rows).to(device)
    for p in encoder.parameters():
        p.grad = torch.zeros_like(p)
    before = reset(device)
    encoder.embed_tokens(tokens).sum().backward()
    results.put(parameters * BYTES_A_PARAMETER / MIB + peak(device) - before)


def measure(chosen: Options) -> Row:
    """Return the row; one figure each, since memory hardly varies."""
    spawn = multiprocessing.get_context("spawn")
    results = spawn.SimpleQueue()
    with tempfile.TemporaryDirectory() as scratch:
        config = training_trial(
            chosen,
            Path(scratch),
            batch_size=4 if chosen.quick else 128,
            steps=3,
            gradient_caching=True,
        )
        processes = [spawn.Process(target=worker, args=(r, f"{scratch}/group", config, results)) for r in range(2)]
        for process in processes:
            process.start()
        ours: float = results.get()
        alone = spawn.Process(target=micro_batch, args=(config, results))
        alone.start()
        needed: float = results.get()
        for process in [*processes, alone]:
            process.join()
    return Row(
        "memory of a worker, gradient caching",
        "weights + gradients + moments + one micro-batch",
        "MiB",
        more_is_better=False,
        goal=1 / 1.3,
        ours=[ours],
        theirs=[needed],
    )


if __name__ == "__main__":
    chosen = options()
    finish([measure(chosen)], chosen)
