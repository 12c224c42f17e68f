"""Write what was mined as a file for `tasks/corpora/parallel_jsonl.py`: the corpus's rows with ids and negatives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from study.distributed import from_first_rank, rank
from study.results import files
from study.retrieval.candidates import MiningError
from study.retrieval.mining import Mined, Miner
from tasks.schema import Corpus

COPIES_SHOWN = 10
"""Ids of rows that a summary names at most."""


@dataclass
class Summary:
    """Counts of what was mined."""

    rows: int = 0
    copies: int = 0
    """Rows that are left out, because an earlier row has the same texts."""
    first_copies: tuple[str, ...] = ()
    """Ids of the first of these."""
    negatives: int = 0
    random: int = 0
    """Negatives drawn at random, because too few candidates were left."""
    above: int = 0
    """Random negatives that score above the share all the same, because too few passages score below it."""
    too_close: int = 0
    """Candidates dropped because they scored almost as high as the positive, or higher."""
    replaced: int = 0
    """Negatives that the corpus has and the file does not."""

    def add(self, mined: Mined) -> None:
        """Count one language of a block."""
        self.negatives += mined.number_QN.size
        self.random += mined.random
        self.above += mined.above
        self.too_close += mined.too_close
        self.replaced += mined.replaced


@contextmanager
def claimed(file: Path) -> Iterator[TextIO | None]:
    """Yield `<file>.partial` to write to on rank 0 and None on others; collective.

    It is created before anything is computed, so that a second run does not write the same file, and renamed at the
    end. After an error it is removed, but for what is complete and cannot be renamed.

    Raises:
        MiningError: another run has it, on all ranks; it cannot be written or renamed, or the file was made meanwhile.
    """
    partial = file.with_name(file.name + ".partial")
    out, refusal = _created(partial, file) if rank() == 0 else (None, None)
    refusal = from_first_rank(refusal)
    if refusal:
        raise MiningError(refusal)
    if out is None:
        yield None
        return
    complete = False
    try:
        yield out
        with _writing(out):
            out.close()
        complete = True
    finally:
        if not complete:
            with suppress(OSError):  # what could not be written still cannot
                out.close()
            partial.unlink(missing_ok=True)
    if file.exists():
        raise MiningError(f"{file} was made by something else meanwhile; what was mined is in {partial}: move it")
    try:
        partial.rename(file)
    except OSError as error:
        raise MiningError(f"{partial} is complete and cannot be renamed ({error.strerror}): move it") from None


@contextmanager
def _writing(out: TextIO) -> Iterator[None]:
    """Turn an error of the disk into a sentence."""
    try:
        yield
    except OSError as error:
        raise MiningError(
            f"{out.name} cannot be written ({error.strerror}): make room, or name another place with --output"
        ) from None


def _created(partial: Path, file: Path) -> tuple[TextIO | None, str | None]:
    """Return the new file, or why there is none."""
    try:
        return partial.open("x", encoding="utf-8"), None
    except FileExistsError:
        return None, (
            f"{partial} exists: another run is writing {file}, or was killed while it did; wait for it or choose "
            "another --output, or, if no such run is left, remove that file and start again"
        )
    except OSError as error:
        return None, f"{partial} cannot be written ({error.strerror}): name another place with --output"


def write(miner: Miner, corpus: Corpus, out: TextIO | None) -> Summary:
    """Mine and write all rows: all processes call this, and rank 0, which has a file, writes."""
    summary = Summary(len(miner.rows), len(miner.copies), tuple(corpus.ids(miner.copies[:COPIES_SHOWN])))
    for block in miner.blocks():
        for mined in block:
            summary.add(mined)
        if out:
            lines = _lines(miner, corpus, block)
            with _writing(out):
                out.writelines(f"{line}\n" for line in lines)
    return summary


def write_record(file: Path, made_with: Mapping[str, Any]) -> None:
    """Write `<file>.json`, which says what a mined file was made with, replacing that of an earlier file.

    Raises:
        MiningError: it cannot be written.
    """
    try:
        files.write_json(f"{file}.json", made_with)
    except OSError as error:
        raise MiningError(
            f"{file}.json, which says what was mined with, cannot be written ({error.strerror}); {file} is complete"
        ) from None


def _lines(miner: Miner, corpus: Corpus, block: Sequence[Mined]) -> list[str]:
    rows: dict[int, dict[str, Any]] = {}
    for mined in block:
        languages = [mined.language] * len(mined.row_Q)
        pairs = corpus.pairs(mined.row_Q, languages, languages)
        numbers, place_QN = np.unique(mined.number_QN, return_inverse=True)
        texts, spoken = miner.candidates.texts(numbers), miner.candidates.languages(numbers)
        places_of_row: Any = place_QN.reshape(mined.number_QN.shape).tolist()
        for row, pair, places in zip(mined.row_Q.tolist(), pairs, places_of_row, strict=True):
            negatives = [
                texts[i] if spoken[i] == mined.language else {"text": texts[i], "language": spoken[i]} for i in places
            ]
            version = {"query": pair.query, "passage": pair.passage, "negatives": negatives}
            rows.setdefault(row, {})[mined.language] = version
    numbers = np.array(sorted(rows), dtype=np.int64)
    return [
        json.dumps({"id": name, "pairs": rows[row]}, ensure_ascii=False)
        for row, name in zip(numbers.tolist(), corpus.ids(numbers), strict=True)
    ]
