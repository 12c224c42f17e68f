"""When two texts count as one, for what must not be both trained on and tested."""

from __future__ import annotations

import unicodedata


def bare(text: str) -> str:
    """Return a text without what may differ between copies: case, spaces, invisible signs and compatible forms."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not folded.isascii():  # such as zero-width spaces and marks of direction
        folded = "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")
    return " ".join(folded.split())
