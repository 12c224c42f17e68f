"""Mined negatives as a file of `tasks/corpora/parallel_jsonl.py`: the corpus's own rows, each with its negatives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from study.distributed import rank
from study.retrieval.mining import Mined, Miner
from tasks.schema import Corpus


@dataclass
class Summary:
    """What became of the candidates."""

    rows: int = 0
    negatives: int = 0
    random: int = 0
    """Negatives drawn at random, because too few candidates were left."""
    too_close: int = 0
    """Candidates dropped because they scored almost as high as the query's own passage, or higher."""

    def add(self, mined: Mined) -> None:
        """Count one language of a block."""
        self.negatives += mined.number_QN.size
        self.random += mined.random
        self.too_close += mined.too_close


def write(miner: Miner, corpus: Corpus, file: Path) -> Summary:
    """Mine, and write the file: every process calls this, the first one writes, and the file appears whole."""
    partial = file.with_name(file.name + ".partial")
    summary = Summary(rows=len(miner.rows))
    with partial.open("w", encoding="utf-8") if rank() == 0 else nullcontext() as out:
        for block in miner.blocks():
            for mined in block:
                summary.add(mined)
            if out:
                out.writelines(f"{line}\n" for line in _lines(miner, corpus, block))
    if rank() == 0:
        partial.rename(file)
    return summary


def _lines(miner: Miner, corpus: Corpus, block: Sequence[Mined]) -> list[str]:
    rows: dict[int, dict[str, Any]] = {}
    for mined in block:
        languages = [mined.language] * len(mined.row_Q)
        pairs = corpus.pairs(mined.row_Q, languages, languages)
        numbers, place_QN = np.unique(mined.number_QN, return_inverse=True)
        texts = miner.candidates.texts(numbers)
        places_of_row: Any = place_QN.reshape(mined.number_QN.shape).tolist()
        for row, pair, places in zip(mined.row_Q.tolist(), pairs, places_of_row, strict=True):
            version = {"query": pair.query, "passage": pair.passage, "negatives": [texts[i] for i in places]}
            rows.setdefault(row, {})[mined.language] = version
    return [json.dumps({"id": str(row), "pairs": pairs}, ensure_ascii=False) for row, pairs in sorted(rows.items())]
