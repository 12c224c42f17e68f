"""The number of threads that a process computes on."""

from __future__ import annotations

import os

import torch


def use_threads(count: int) -> None:
    """Compute and tokenize on `count` threads.

    Ray gives torch as many threads as a worker has CPUs, but not on nodes that `ray up` started, which inherit
    OMP_NUM_THREADS=1; torchrun sets that too. The tokenizer would use every core of the machine.
    """
    torch.set_num_threads(count)
    os.environ["RAYON_NUM_THREADS"] = str(count)
