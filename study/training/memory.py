"""A trial's share of a GPU's memory; how running out of memory is recognized, and which settings need less of it."""

from __future__ import annotations

import torch

from study.config import TrialConfig

OUTSIDE_BYTES = 2**30
"""GPU memory of a process that PyTorch does not allocate: the CUDA context, libraries and their kernels."""
SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "low on memory", "ALLOC_FAILED")
"""In messages of CUDA and its libraries, of PyTorch on CPUs, and of Ray, which kills processes before Linux does."""


def keep_to_share(device: torch.device, share: float) -> None:
    """Let this process allocate no more than its share of a GPU's memory.

    Trials that share a GPU then never fail for what others take.

    Args:
        device: of this process; nothing changes on a CPU.
        share: from 0 to 1; a process with a whole GPU, or several, is not limited.
    """
    if device.type == "cuda" and share < 1:
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(max(0.0, share - OUTSIDE_BYTES / total), device)


def ran_out(error: BaseException) -> bool:
    """Return whether an error says that memory ran out."""
    return isinstance(error, MemoryError) or is_sign(str(error))


def is_sign(message: str) -> bool:
    """Return whether an error's message says that memory ran out."""
    return any(sign in message for sign in SIGNS)


def advice(config: TrialConfig) -> str:
    """Return a sentence that names the settings to change, those that cost least time first."""
    tokens, share = config.micro_batch_tokens, config.resources.gpus_per_worker
    settings = {
        f"raise gpus_per_worker (now {share:g}), as a trial gets this part of a GPU's memory": 0 < share < 1,
        f"lower micro_batch_tokens (now {tokens or 'what suits the device'})": tokens != 64,
        "set gradient_caching, so that memory no longer grows with batch_size": not config.gradient_caching,
        "set gradient_checkpointing": not config.gradient_checkpointing,
        f"lower max_passage_tokens (now {config.max_passage_tokens})": True,
        "train adapters only (lora)": config.lora is None,
    }
    return f"out of memory: {', or '.join(text for text, helps in settings.items() if helps)}"
