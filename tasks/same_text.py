"""When two texts count as one, for what must not be both trained on and tested."""

from __future__ import annotations

import unicodedata


def bare(text: str) -> str:
    """Return a text without what may differ between copies: case, spaces, and Unicode's compatible forms."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
