"""The encoder of queries and passages: tokenize, transformer, pooling, heads, unit norm.

Shapes: B texts of a batch, W width of the transformer, D width of an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from study.model.model_files import BackboneError
from study.model.packing import use_packing
from study.model.pooling import POOLINGS
from study.model.tokens import Positions, Tokens

Kind = Literal["query", "passage"]
TOKENIZING = Lock()
"""Held while a tokenizer works: its limit is its own state, and while a trial validates, its next batch is made."""


class TextForm(NamedTuple):
    """How the tokenizer receives queries or passages."""

    prefix: str
    max_tokens: int
    """Longer texts are truncated; prefix and special tokens count."""


class Encoder(nn.Module):
    """A transformer with its tokenizer, pooling and heads. Embeddings are fp32 and have unit norm.

    Args:
        transformer: any transformer of `AutoModel`, or the encoder half of one.
        tokenizer: its fast tokenizer.
        pooling: how token states become one vector, a key of `POOLINGS`.
        heads: modules applied after pooling, in order, such as LaBSE's dense layer with tanh.
        forms: prefix and length limit of queries and of passages.
        bf16: run the transformer under bfloat16 autocast; pooling and normalization stay in fp32.
    """

    def __init__(
        self,
        transformer: Any,
        tokenizer: Any,
        pooling: str,
        heads: Sequence[nn.Module],
        forms: dict[Kind, TextForm],
        *,
        bf16: bool = False,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.heads = nn.Sequential(*heads)
        self.forms = forms
        self.bf16 = bf16
        self._positions: Positions | None = None
        if not POOLINGS[pooling].uses_pooler and getattr(transformer, "pooler", None) is not None:
            transformer.pooler = None  # DDP would wait for gradients that its parameters never get

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.parameters()).device

    @property
    def width(self) -> int:
        """D, the width of an embedding."""
        for head in reversed(self.heads):
            if isinstance(head, Dense):
                return head.linear.out_features
        return int(self.transformer.config.get_text_config().hidden_size)

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        """Return each text's token ids with prefix and special tokens, truncated at the limit of its kind."""
        if not texts:
            return []
        prefix, max_tokens = self.forms[kind]
        # What the tokenizer's own call does, but for the objects that it makes besides ids: while Python makes these,
        # the thread that trains or embeds has to wait.
        backend = self.tokenizer.backend_tokenizer
        with TOKENIZING:
            backend.encode_special_tokens = self.tokenizer.split_special_tokens
            backend.enable_truncation(max_tokens, direction=self.tokenizer.truncation_side)
            backend.no_padding()
            encoded = backend.encode_batch_fast([prefix + text for text in texts])
        # A text of no token, as an empty one without special tokens, would have no embedding.
        return [one.ids or [self.tokenizer.pad_token_id] for one in encoded]

    def around(self, kind: Kind) -> int:
        """Return how many tokens stand around every text of a kind: its prefix and the special tokens."""
        with TOKENIZING:
            return len(self.tokenizer(self.forms[kind].prefix)["input_ids"])

    def check_room(self) -> None:
        """Refuse prefixes that leave no room for text: all queries, or all passages, would have one embedding.

        Raises:
            BackboneError: names the prefix.
        """
        for kind, (prefix, longest) in self.forms.items():
            if (around := self.around(kind)) >= longest:
                raise BackboneError(
                    f"{kind}_prefix {prefix!r} leaves no room for text, as it has {around} tokens with the special "
                    f"ones, and a {kind} is cut at {longest}: shorten it, or raise max_{kind}_tokens if the model "
                    "reads more"
                )

    def pack(self) -> Encoder:
        """Do without padding from now on, if the transformer can; it then takes no padded batches. Return itself."""
        if not POOLINGS[self.pooling].uses_pooler:
            self._positions = use_packing(self.transformer)
        return self

    @property
    def pads(self) -> bool:
        """Whether a batch is padded to its longest text."""
        return self._positions is None

    def collate(self, token_ids: Sequence[Sequence[int]]) -> Tokens:
        """Return a batch on the CPU.

        Raises:
            BackboneError: a text has a token that the transformer has no embedding of; a GPU would not say which.
        """
        if self._positions is None:
            tokens = Tokens.padded(token_ids, self.tokenizer.pad_token_id)
        else:
            tokens = Tokens.packed(token_ids, self._positions)
        largest = int(tokens.inputs["input_ids"].max())
        if largest >= (rows := self.transformer.get_input_embeddings().num_embeddings):
            raise BackboneError(
                f"a text has '{self.tokenizer.convert_ids_to_tokens(largest)}', the tokenizer's token {largest:,}, and "
                f"the model embeds {rows:,}: resize its embeddings (resize_token_embeddings), and save both"
            )
        return tokens

    def embed(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """Return the embeddings (B, D) of a batch of token ids."""
        return self.embed_tokens(self.collate(token_ids).to(self.device))

    def embed_tokens(self, tokens: Tokens) -> Tensor:
        """Return the embeddings (B, D) of a batch on the encoder's device."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            output = self.transformer(**tokens.inputs)
        pooling = POOLINGS[self.pooling]
        if pooling.uses_pooler:
            pooled_BW = output.pooler_output
        else:
            pooled_BW = pooling.pool(tokens.states(output.last_hidden_state))
        embedding_BD: Tensor = self.heads(pooled_BW.float())
        return F.normalize(embedding_BD, dim=-1)

    def forward(self, batches: Sequence[Tokens], seeds: Sequence[int]) -> Tensor:
        """Return the embeddings of several batches in their order. DDP wraps this method, called once per step.

        Dropout of each batch is drawn from its own seed, so that embedding a batch again drops the same units.
        """
        embeddings = []
        for tokens, seed in zip(batches, seeds, strict=True):
            torch.manual_seed(seed)
            embeddings.append(self.embed_tokens(tokens))
        return torch.cat(embeddings)


class Dense(nn.Module):
    """A linear layer with an activation, the `Dense` module of sentence-transformers (LaBSE: 768 to 768, tanh)."""

    def __init__(self, linear: nn.Linear, activation: nn.Module) -> None:
        super().__init__()
        self.linear = linear
        self.activation = activation

    def forward(self, pooled_BW: Tensor) -> Tensor:
        """Map vectors (B, W) to vectors (B, D)."""
        projected: Tensor = self.activation(self.linear(pooled_BW))
        return projected


class Normalize(nn.Module):
    """Scales vectors to unit norm, for models that normalize between pooling and a dense layer."""

    def forward(self, pooled_BW: Tensor) -> Tensor:
        """Map vectors (B, W) to unit vectors (B, W)."""
        return F.normalize(pooled_BW, dim=-1)
