"""A long passage as overlapping windows: localized relevance matching (arXiv 2112.11031, section 3.3).

A window is a stretch of the passage's own text that begins and ends between two tokens, so that every window gets the
passage prefix and the special tokens as if it were a passage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from study.config import WindowsConfig
from study.model.encoder import Encoder


class Windows:
    """Cuts passages into windows of token ids for `study.retrieval.encode`."""

    def __init__(self, encoder: Encoder, config: WindowsConfig) -> None:
        """Cut as `config` says, for the tokenizer and the passage prefix of `encoder`."""
        self._encoder = encoder
        around = len(encoder.tokenize([""], "passage")[0])
        self._length, self._stride = max(1, config.tokens - around), config.stride

    def __call__(self, texts: Sequence[str]) -> list[list[list[int]]]:
        """Return each text's windows as token ids, one or more a text, none longer than a passage may be."""
        if not texts:
            return []
        spans = self._encoder.tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=True, return_attention_mask=False
        )["offset_mapping"]
        stretches = [list(self._stretches(text, of_text)) for text, of_text in zip(texts, spans, strict=True)]
        token_ids = iter(self._encoder.tokenize([part for parts in stretches for part in parts], "passage"))
        return [[next(token_ids) for _ in parts] for parts in stretches]

    def _stretches(self, text: str, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
        """Yield the windows of one text; the last ends where the text does."""
        last = max(0, len(spans) - self._length)
        for first in sorted({*range(0, last, self._stride), last}):
            held = spans[first : first + self._length]
            yield text[held[0][0] : held[-1][1]] if held else text
