"""Time and peak memory from given embeddings to all metrics of all settings, at the size of XQuAD-R.

    python -m results.positions_speed > results/positions_speed.md

13,090 queries (1,190 in 11 languages), 13,014 passages in 11 pools, 11 relevant passages a query, width 384; random
unit vectors, since neither time nor memory depends on their values. Peak memory is the growth of the resident set over
what the process holds once the embeddings are there, read from Linux.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from study.results import hardware, versions
from study.retrieval.evaluation import measured_positions, position_counter
from study.retrieval.stream import Block
from tasks.relevance import relevance
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts
from tasks.scoring import metrics_of

LANGUAGES = "ar de el en es hi ru th tr vi zh".split()  # noqa: SIM905 (a line of codes reads better than a list)
QUESTIONS, WIDTH = 1190, 384
POOL_SIZES = (1183,) * 10 + (1184,)


def xquad_r_shape() -> Benchmark:
    """Return a benchmark of XQuAD-R's size; question i is answered by the same random row of every pool."""
    rows = np.random.default_rng(0).integers(0, min(POOL_SIZES), QUESTIONS)
    pools = [
        Pool(language, language, Texts.of(Passage(f"{language}_{row}", "") for row in range(size)))
        for language, size in zip(LANGUAGES, POOL_SIZES, strict=True)
    ]
    questions = Texts.of(Query(f"q{i}", "") for i in range(QUESTIONS))
    qrels = {f"q{i}": {f"{language}_{row}": 1 for language in LANGUAGES} for i, row in enumerate(rows)}
    return Benchmark("xquad_r", "random", dict.fromkeys(LANGUAGES, questions), pools, qrels, tuple(Setting))


def unit_vectors(count: int) -> Tensor:
    """Return `count` random unit vectors."""
    return F.normalize(torch.randn((count, WIDTH)), dim=1)


def peak_mib() -> float:
    """Return the largest resident set since the last reset."""
    return _status("VmHWM")


def reset_peak() -> float:
    """Forget the largest resident set so far; return the present one."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key + ":"))


def all_metrics(benchmark: Benchmark, query_QD: Tensor, passages: list[Tensor]) -> tuple[float, float]:
    """Return the seconds from embeddings to positions and from positions to metrics."""
    found = relevance(benchmark)
    start = time.perf_counter()
    blocks = [
        Block(passage_ND[:, None], pool, torch.arange(len(passage_ND))) for pool, passage_ND in enumerate(passages)
    ]
    counter = position_counter(found, query_QD, blocks, union=True)
    for block in blocks:
        counter.add(*block)
    positions = measured_positions(benchmark, found, counter)
    counted = time.perf_counter()
    scores = metrics_of(positions, benchmark.name, benchmark.settings, benchmark.metrics)
    assert len(scores.by_pair) == 110
    return counted - start, time.perf_counter() - counted


def ways_to_count() -> dict[str, float]:
    """Return, for ways to count scores above a threshold a row, a billion scores a second in a 512 x 1,024 tile."""
    score_QN, limit = torch.randn((512, 1024)), torch.randn((512, 1))
    boolean, real, ones = torch.empty((512, 1024), dtype=torch.bool), torch.empty((512, 1024)), torch.ones(1024)
    ways: dict[str, Callable[[], Tensor]] = {
        "boolean mask, sum": lambda: torch.gt(score_QN, limit, out=boolean).sum(1),
        "boolean mask, int32 sum": lambda: torch.gt(score_QN, limit, out=boolean).sum(1, dtype=torch.int32),
        "boolean mask, count_nonzero": lambda: torch.gt(score_QN, limit, out=boolean).count_nonzero(1),
        "float mask, product with ones": lambda: torch.gt(score_QN, limit, out=real) @ ones,
        "float mask, sum (used)": lambda: torch.gt(score_QN, limit, out=real).sum(1),
    }
    speeds = {}
    for name, way in ways.items():
        times = []
        for _ in range(200):
            start = time.perf_counter()
            way()
            times.append(time.perf_counter() - start)
        speeds[name] = score_QN.numel() / sorted(times)[100] / 1e9
    return speeds


def main() -> None:
    """Measure, and print a report in Markdown."""
    torch.manual_seed(0)
    benchmark = xquad_r_shape()
    query_QD, passages = unit_vectors(QUESTIONS * len(LANGUAGES)), [unit_vectors(size) for size in POOL_SIZES]
    print("# Positions and metrics from given embeddings\n")
    print(f"{time.strftime('%Y-%m-%d')}, {hardware()}, {versions()}\n")
    print(f"torch threads: {torch.get_num_threads()}; load of the machine before: {os.getloadavg()[0]:.1f}\n")
    print("| run | positions s | metrics s | all s | peak MiB over the inputs |\n|---|---|---|---|---|")
    for run in range(1, 6):
        before = reset_peak()
        positions_s, metrics_s = all_metrics(benchmark, query_QD, passages)
        total = positions_s + metrics_s
        print(f"| {run} | {positions_s:.2f} | {metrics_s:.2f} | {total:.2f} | {peak_mib() - before:.0f} |")
    print("\n| way to count scores above a threshold | billion scores a second |\n|---|---|")
    for name, speed in ways_to_count().items():
        print(f"| {name} | {speed:.1f} |")


if __name__ == "__main__":
    main()
