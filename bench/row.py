"""Rows of the bench table: their options, turns between two contestants, and medians of ratios."""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

from study.config import Precision
from study.results import provenance


class Options(NamedTuple):
    """Options that all rows share."""

    checkpoint: str
    """A sentence-transformers folder or hub id; the same for both."""
    data: Path | None
    """The folder of XQuAD-R; downloaded if not given."""
    quick: bool
    """Run on a few texts once, to check that the row works; the figures mean nothing."""
    full: bool
    """Evaluate all languages of XQuAD-R, which takes over an hour."""
    threads: int
    json: Path | None

    @property
    def repetitions(self) -> int:
        """Turns each contestant takes."""
        return 1 if self.quick else 3

    @property
    def device(self) -> torch.device:
        """Return the GPU where there is one."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Return what both contestants compute in; a processor that emulates bfloat16 would take hours for it."""
        emulates = self.device.type == "cpu" and provenance.emulates_bf16()
        return ("fp32",) if emulates else ("fp32", "bf16")


def options(arguments: list[str] | None = None) -> Options:
    """Read the command line of a row, and set the threads of this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", default="intfloat/multilingual-e5-small", help="a folder or hub id")
    parser.add_argument("--data", type=Path, help="the folder of XQuAD-R; downloaded without")
    parser.add_argument("--quick", action="store_true", help="only prove that it runs")
    parser.add_argument("--full", action="store_true", help="evaluate all languages, which takes over an hour")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of each contestant")
    parser.add_argument("--json", type=Path, help="where the figures go besides the terminal")
    chosen = Options(**vars(parser.parse_args(arguments)))
    torch.set_num_threads(chosen.threads)
    return chosen


@dataclass(frozen=True)
class Row:
    """One comparison. `advantage` is how many times better ours is: more of what is good, or less of what is not."""

    what: str
    against: str
    unit: str
    more_is_better: bool
    goal: float
    """The least advantage that will do."""
    ours: list[float]
    """One figure a turn."""
    theirs: list[float]
    note: str = ""
    cpu_advantage: float | None = field(default=None, kw_only=True)
    """The same ratio in processor seconds, which other work on the machine disturbs less."""

    @property
    def advantage(self) -> float:
        """Return the median over turns of the ratio within a turn."""
        return ratio(self.ours, self.theirs) if self.more_is_better else ratio(self.theirs, self.ours)

    def markdown(self) -> str:
        """Return the row as a line of a table, see `HEADER`."""
        ours, theirs = (f"{statistics.median(values):,.4g}" for values in (self.ours, self.theirs))
        cpu = "" if self.cpu_advantage is None else f"{self.cpu_advantage:.2f}"
        verdict = "met" if self.advantage >= self.goal else "not met"
        return (
            f"| {self.what} | {self.against} | {ours} | {theirs} | {self.unit} | **{self.advantage:.2f}** | {cpu} | "
            f"{self.goal:.2f} | {verdict} | {len(self.ours)} |"
        )


HEADER = """\
| what | against | ours | theirs | unit | times better | in processor seconds | goal | | turns |
|---|---|---|---|---|---|---|---|---|---|"""


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median of the ratios of figures taken in the same turn."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


class Seconds(NamedTuple):
    """Seconds of one call."""

    wall: float
    cpu: float
    """Processor seconds of this process, over all threads."""


def timed(work: Callable[[], object]) -> Seconds:
    """Run `work` once, after a garbage collection."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def in_turn(
    ours: Callable[[], Seconds], theirs: Callable[[], Seconds], repetitions: int
) -> tuple[list[Seconds], list[Seconds]]:
    """Run both, one after the other, several times; who begins alternates."""
    took: tuple[list[Seconds], list[Seconds]] = ([], [])
    for turn in range(repetitions):
        for contestant in ((0, 1), (1, 0))[turn % 2]:
            took[contestant].append((ours, theirs)[contestant]())
    return took


def finish(rows: Iterable[Row], chosen: Options) -> None:
    """Print the rows, and write them where the options say."""
    rows = list(rows)
    print("\n".join([HEADER, *(row.markdown() for row in rows), *(row.note for row in rows if row.note)]))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), "utf-8")
