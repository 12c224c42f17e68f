"""Long passages as overlapping windows, for localized relevance matching (arXiv 2112.11031, section 3.3).

A window is a part of the passage's text that begins and ends between two tokens. Each window gets the passage prefix
and the special tokens, like a passage of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from study.config_sections import WindowsConfig
from study.model.encoder import Encoder


class Windows:
    """Splits passages into windows of token ids for `study.retrieval.encode`."""

    def __init__(self, encoder: Encoder, config: WindowsConfig) -> None:
        """Split as `config` says, with the tokenizer and the passage prefix of `encoder`."""
        self._encoder = encoder
        around = len(encoder.tokenize([""], "passage")[0])
        self._length, self._stride = max(1, config.tokens - around), config.stride

    def __call__(self, texts: Sequence[str]) -> list[list[list[int]]]:
        """Return the windows of each text as token ids: at least one per text, none longer than `config.tokens`."""
        if not texts:
            return []
        spans = self._encoder.tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=True, return_attention_mask=False
        )["offset_mapping"]
        windows = [list(self._split(text, token_spans)) for text, token_spans in zip(texts, spans, strict=True)]
        token_ids = iter(self._encoder.tokenize([window for parts in windows for window in parts], "passage"))
        return [[next(token_ids) for _ in parts] for parts in windows]

    def _split(self, text: str, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
        """Yield the windows of one text; the last ends where the text does."""
        last = max(0, len(spans) - self._length)
        for first in sorted({*range(0, last, self._stride), last}):
            window = spans[first : first + self._length]
            yield text[window[0][0] : window[-1][1]] if window else text
