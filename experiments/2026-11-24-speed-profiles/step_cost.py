"""What a large vocabulary costs in a step: the shares of forward and backward, clipping, and the optimizer.

    python experiments/2026-11-24-speed-profiles/step_cost.py

The model has the shape of multilingual E5 small (12 layers of width 384, 118 million weights, 96 million of them in
the embeddings of 250,037 tokens) with random weights; a step is 32 pairs of 24 and 96 tokens on one core. The ways to
run are timed in turn, round after round, and the medians compared, so what else the machine does falls on all alike:
read the shares, not the seconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from transformers import BertConfig, BertModel

from study.config_sections import LoraConfig
from study.model.encoder import Encoder, Tokens
from study.model.lora import add_adapters
from study.results.layout import hardware
from study.training.loss import contrastive_loss

ROUNDS, PAIRS, QUERY, PASSAGE = 5, 32, 24, 96
SHAPE = {"vocab_size": 250_037, "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12} | {
    "intermediate_size": 1536,
}


def encoder() -> Encoder:
    """Return the model, the same each time."""
    torch.manual_seed(0)
    return Encoder(BertModel(BertConfig.from_dict(SHAPE), add_pooling_layer=False), None, "mean", [], {})


def batch(length: int) -> Tokens:
    """Return a padded batch without padding."""
    ids_BL = torch.randint(SHAPE["vocab_size"], (PAIRS, length))
    return Tokens(ids_BL, torch.ones_like(ids_BL))


class Way:
    """A model with its optimizer, and the seconds its parts took."""

    def __init__(self, name: str, model: Encoder, *, fused: bool) -> None:
        self.name, self.model = name, model
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        self.trained = sum(weight.numel() for weight in trained)
        self.optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=fused, foreach=None if fused else True)
        self.seconds: dict[str, list[float]] = {"forward and backward": [], "clipping": [], "optimizer": []}

    def step(self, tokens: list[Tokens]) -> None:
        """Take a step, timing its parts."""
        self._timed("forward and backward", lambda: self._backward(tokens))
        self._timed("clipping", lambda: nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        self._timed("optimizer", self._update)

    def _backward(self, tokens: list[Tokens]) -> None:
        query_BD, passage_BD = self.model(tokens, [0, 1]).split(PAIRS)
        torch.autograd.backward(contrastive_loss(query_BD, passage_BD, 0.05))

    def _update(self) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _timed(self, part: str, run: Callable[[], object]) -> None:
        began = time.perf_counter()
        run()
        self.seconds[part].append(time.perf_counter() - began)


def main() -> None:
    """Measure, and print a report in Markdown."""
    torch.set_num_threads(1)
    adapted = encoder()
    add_adapters(adapted, LoraConfig(), seed=0)
    ways = [
        Way("AdamW, fused (ours)", encoder(), fused=True),
        Way("AdamW, foreach", encoder(), fused=False),
        Way("LoRA, rank 16, fused", adapted, fused=True),
    ]
    tokens = [batch(QUERY), batch(PASSAGE)]
    for _ in range(ROUNDS + 1):
        for way in ways:
            way.step(tokens)
    print("# What a large vocabulary costs in a step\n")
    print(f"{time.strftime('%Y-%m-%d')}, {hardware()}, torch {torch.__version__}\n")
    print("Medians of parts of a step, in relation to the whole step of the first way\n")
    names = list(ways[0].seconds)
    print(f"| way | weights trained | {' | '.join(names)} | whole step |\n|{' --- |' * (len(names) + 3)}")
    medians = [{part: statistics.median(held[1:]) for part, held in way.seconds.items()} for way in ways]
    whole = sum(medians[0].values())
    for way, held in zip(ways, medians, strict=True):
        cells = [f"{seconds / whole:.2f}" for seconds in (*held.values(), sum(held.values()))]
        print(f"| {way.name} | {way.trained:,} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
