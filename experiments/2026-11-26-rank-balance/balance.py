"""How much longer the busiest rank computes than the mean: `python balance.py DATA CHECKPOINT`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from transformers import AutoTokenizer

from study.batching import share_of
from tasks.corpora import lareqa

BATCHES = 200
SIZES = ((32, 2), (64, 8), (256, 8), (512, 16))
Shares = list[npt.NDArray[np.int64]]


def main(data: str, checkpoint: str) -> None:
    """Print a row per batch size: tokens of the busiest rank over the mean of the ranks, minus 1."""
    rng = np.random.default_rng(0)
    corpus, tokenizer = lareqa.load(path=Path(data)), AutoTokenizer.from_pretrained(checkpoint)
    print("| pairs | ranks | slices | by tokens | by characters |\n| --: | --: | --: | --: | --: |")
    for pairs, ranks in SIZES:
        excess: dict[str, list[float]] = {"slices": [], "tokens": [], "characters": []}
        for _ in range(BATCHES):
            rows = rng.integers(0, len(corpus), pairs)
            sides = (rng.choice(corpus.languages, pairs).tolist() for _ in range(2))
            texts = corpus.pairs(rows, *sides)
            queries = tokenizer(["query: " + pair.query for pair in texts], truncation=True, max_length=64)
            passages = tokenizer(["passage: " + pair.passage for pair in texts], truncation=True, max_length=256)
            tokens = [len(q) + len(p) for q, p in zip(queries["input_ids"], passages["input_ids"], strict=True)]
            characters = [len(pair.query) + len(pair.passage) for pair in texts]
            for name, shares in {
                "slices": np.split(np.arange(pairs), ranks),
                "tokens": dealt(tokens, ranks),
                "characters": dealt(characters, ranks),
            }.items():
                sums = [sum(tokens[place] for place in share) for share in shares]
                excess[name].append(max(sums) / np.mean(sums) - 1)
        print(f"| {pairs} | {ranks} | {' | '.join(f'{np.mean(found):.1%}' for found in excess.values())} |")


def dealt(lengths: Sequence[int], ranks: int) -> Shares:
    """Return all ranks' shares."""
    return [share_of(lengths, rank, ranks) for rank in range(ranks)]


if __name__ == "__main__":
    main(*sys.argv[1:])
