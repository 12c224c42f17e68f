"""Join the processes that torchrun started: one per GPU, or on a machine without one as many as are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.errors import UserError

if TYPE_CHECKING:
    import torch

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun sets."""


def is_first() -> bool:
    """Return whether this process speaks for all: the first of torchrun's, or one that torchrun did not start.

    Raises:
        UserError: some of the variables are set and others are not.
    """
    missing = [name for name in VARIABLES if name not in os.environ]
    if "RANK" in os.environ and missing:
        raise UserError(
            f"the environment variable RANK is set, but not {', '.join(missing)}: start with torchrun, or unset RANK"
        )
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def process_group() -> Iterator[torch.device]:
    """Join the process group of torchrun, if it started this process; yield this process's device."""
    import torch  # noqa: PLC0415 - takes seconds, and what is refused before needs none of it
    import torch.distributed as dist  # noqa: PLC0415

    from study.distributed import PATIENCE  # noqa: PLC0415
    from study.threads import use_threads  # noqa: PLC0415

    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else None
    if "RANK" not in os.environ:
        yield device or torch.device("cpu")
        return
    use_threads(max(1, len(os.sched_getaffinity(0)) // int(os.environ["LOCAL_WORLD_SIZE"])))
    if device:
        torch.cuda.set_device(device)
    # Before they meet, each process may convert the corpus, and then it encodes its share of the passages. If one of
    # them fails, torchrun ends all.
    dist.init_process_group("nccl" if device else "gloo", timeout=PATIENCE)
    try:
        yield device or torch.device("cpu")
    finally:
        dist.destroy_process_group()
