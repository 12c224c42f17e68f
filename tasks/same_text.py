"""When two texts count as one, for what must not be both trained on and tested."""

from __future__ import annotations

import unicodedata


def bare(text: str) -> str:
    """Return a text without what may differ between copies: case, spaces, invisible signs and compatible forms."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not folded.isprintable():  # it may hold zero-width spaces or marks of direction
        folded = "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")
    return " ".join(folded.split())
