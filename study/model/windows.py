"""Long passages as overlapping windows, for localized relevance matching (arXiv 2112.11031, section 3.3).

A window is a run of the passage's tokens between the passage prefix and the special tokens, like a passage of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from study.config_sections import WindowsConfig
from study.model.encoder import TOKENIZING, Encoder
from tasks.errors import UserError


class Windows:
    """Splits passages into windows of token ids for `study.retrieval.encode`.

    Args:
        encoder: its tokenizer, passage prefix and longest passage count.
        config: how to split; a longest passage that is shorter than `config.tokens` takes its place.

    Raises:
        UserError: the prefix and the special tokens leave no room for a passage.
    """

    def __init__(self, encoder: Encoder, config: WindowsConfig) -> None:
        self._tokenizer = encoder.tokenizer
        self._prefix, longest = encoder.forms["passage"]
        self._tokens, self._stride = min(config.tokens, longest), config.stride
        if (around := encoder.around("passage")) >= self._tokens:
            raise UserError(
                f"windows of {self._tokens} tokens have no room for text, as the passage prefix and the special tokens "
                f"are {around}: raise windows.tokens or max_passage_tokens"
            )

    def __call__(self, texts: Sequence[str]) -> list[list[list[int]]]:
        """Return the windows of each text as token ids: at least one per text, none longer than asked.

        Every token of a text is in a window; the last window ends where the text does.
        """
        if not texts:
            return []
        with TOKENIZING:
            encoded = self._tokenizer(
                [self._prefix + text for text in texts],
                return_offsets_mapping=True,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,  # long texts are expected here
            )
        return [
            list(self._split(ids, spans))
            for ids, spans in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        ]

    def _split(self, ids: list[int], spans: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
        """Yield the windows of a text with its prefix, given its tokens and the characters that each stands for."""
        own = [at for at, (_, end) in enumerate(spans) if end > len(self._prefix)]
        if not own:
            yield ids
            return
        head, text, tail = ids[: own[0]], ids[own[0] : own[-1] + 1], ids[own[-1] + 1 :]
        length = self._tokens - len(head) - len(tail)
        last = max(0, len(text) - length)
        for first in sorted({*range(0, last, min(self._stride, length)), last}):
            yield head + text[first : first + length] + tail
