"""How running out of memory is recognized, and which settings need less of it. Without torch."""

from __future__ import annotations

from study.config import TrialConfig

SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "low on memory")
"""In messages of CUDA, of PyTorch on a CPU, and of Ray, which kills processes before the system does."""


def ran_out(error: BaseException) -> bool:
    """Return whether an error says that memory ran out."""
    return isinstance(error, MemoryError) or is_sign(str(error))


def is_sign(message: str) -> bool:
    """Return whether an error's message says that memory ran out."""
    return any(sign in message for sign in SIGNS)


def advice(config: TrialConfig) -> str:
    """Return a sentence that names the settings to change, those that cost least time first."""
    tokens = config.micro_batch_tokens
    settings = {
        f"lower micro_batch_tokens (now {tokens or 'what suits the device'})": tokens != 64,
        "set gradient_caching, so that memory no longer grows with batch_size": not config.gradient_caching,
        "set gradient_checkpointing": not config.gradient_checkpointing,
        f"lower max_passage_tokens (now {config.max_passage_tokens})": True,
        "train adapters only (lora)": config.lora is None,
    }
    return f"out of memory: {', or '.join(text for text, helps in settings.items() if helps)}"
