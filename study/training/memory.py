"""Out of memory: how it shows, on a CPU or a GPU, and which settings to lower. Starts without torch."""

from __future__ import annotations

from study.config import TrialConfig

SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "low on memory")
"""In what CUDA says, PyTorch on a CPU (Linux, elsewhere), and Ray, which ends processes before the system does."""


def ran_out(error: BaseException) -> bool:
    """Return whether an error says that there was no memory left."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in SIGNS)


def advice(config: TrialConfig) -> str:
    """Return a sentence that names the settings to change, the cheapest in time first."""
    tokens = config.micro_batch_tokens
    settings = {
        f"lower micro_batch_tokens (now {tokens or 'what suits the device'})": tokens != 64,
        "set gradient_caching, so that memory no longer grows with batch_size": not config.gradient_caching,
        "set gradient_checkpointing": not config.gradient_checkpointing,
        f"lower max_passage_tokens (now {config.max_passage_tokens})": True,
        "train adapters only (lora)": config.lora is None,
    }
    return f"out of memory: {', or '.join(text for text, helps in settings.items() if helps)}"
