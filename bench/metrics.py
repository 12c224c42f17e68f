"""All metrics of all settings from embeddings: seconds and peak memory against InformationRetrievalEvaluator.

    python -m bench.metrics

13,090 queries (1,190 in 11 languages), 13,014 passages in 11 pools, 11 relevant passages per query, width 384; random
unit vectors, since neither time nor memory depends on their values. Each contestant runs in a process of its own. Ours
is exact at every depth and adds rank distance; the evaluator is asked for 20 passages per query over the same 121 pairs
of languages and the union. Peak memory is the growth of the resident set over what the process holds once the
embeddings are there, read from Linux.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.row import Options, Row, Seconds, finish, in_turn, options, ratio, timed
from study.retrieval.relevant_positions import measured_positions, position_counter
from study.retrieval.stream import Block
from tasks.relevance import relevance
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts
from tasks.scoring import metrics_of

LANGUAGES = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]
WIDTH = 384
DEPTH = 20
SHARED = "multilingual/ndcg@10"
"""Both give it; the check that they measure the same thing."""


Contestant = Callable[[Benchmark, Tensor, list[Tensor]], float]
"""Takes a benchmark, its queries' embeddings and those of each pool; returns `SHARED`."""


class Measured(NamedTuple):
    """Time, memory and score of one process."""

    seconds: Seconds
    peak_mib: float
    ndcg: float


def xquad_r_shape(questions: int, pool_size: int) -> Benchmark:
    """Return a benchmark shaped like XQuAD-R; question i is answered by the same random row of every pool."""
    rows = np.random.default_rng(0).integers(0, pool_size, questions)
    sizes = [pool_size] * (len(LANGUAGES) - 1) + [pool_size + 1]
    pools = [
        Pool(language, language, Texts.of(Passage(f"{language}_{row}", "") for row in range(size)))
        for language, size in zip(LANGUAGES, sizes, strict=True)
    ]
    asked = Texts.of(Query(f"q{i}", "") for i in range(questions))
    qrels = {f"q{i}": {f"{language}_{row}": 1 for language in LANGUAGES} for i, row in enumerate(rows)}
    return Benchmark("xquad_r", "random", dict.fromkeys(LANGUAGES, asked), pools, qrels, tuple(Setting))


def ours(benchmark: Benchmark, query_QD: Tensor, passages: list[Tensor]) -> float:
    """Return our nDCG@10 in the union, having computed everything else as well."""
    found = relevance(benchmark)
    blocks = [
        Block(passage_ND[:, None], pool, torch.arange(len(passage_ND))) for pool, passage_ND in enumerate(passages)
    ]
    counter = position_counter(found, query_QD, blocks, union=True)
    for block in blocks:
        counter.add(*block)
    positions = measured_positions(benchmark, found, counter)
    scores = metrics_of(positions, benchmark.name, benchmark.settings, benchmark.metrics)
    assert len(scores.by_pair) == len(LANGUAGES) * (len(LANGUAGES) - 1)
    return scores.metrics[f"{benchmark.name}/{SHARED}"]


def theirs(benchmark: Benchmark, query_QD: Tensor, passages: list[Tensor]) -> float:
    """Return the evaluator's nDCG@10 in the union, having computed all pairs of languages as well."""
    from bench.peer_evaluator import ndcg_at_10  # noqa: PLC0415 - its imports are no part of our process

    for language, own_QD in zip(LANGUAGES, query_QD.chunk(len(LANGUAGES)), strict=True):
        for pool, passage_ND in zip(benchmark.pools, passages, strict=True):
            ndcg_at_10(benchmark, [language], own_QD, [pool], passage_ND, DEPTH)
    return ndcg_at_10(benchmark, LANGUAGES, query_QD, list(benchmark.pools), torch.cat(passages), DEPTH)


def alone(contestant: Contestant, chosen: Options, results: Any) -> None:
    """Measure a contestant in this process."""
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    benchmark = xquad_r_shape(*((119, 118) if chosen.quick else (1190, 1183)))
    counts = [sum(map(len, benchmark.queries.values())), *(len(pool.passages) for pool in benchmark.pools)]
    query_QD, *passages = F.normalize(torch.randn((sum(counts), WIDTH)), dim=1).split(counts)
    import bench.peer_evaluator  # noqa: F401, PLC0415 - loaded by both before memory is read

    ndcg: list[float] = []
    before = reset_peak()
    seconds = timed(lambda: ndcg.append(contestant(benchmark, query_QD, passages)))
    results.put(Measured(seconds, status_mib("VmHWM") - before, ndcg[0]))


def reset_peak() -> float:
    """Forget the largest resident set of this process so far; return the present one in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return status_mib("VmRSS")


def status_mib(key: str) -> float:
    """Return an entry of this process's status, such as VmHWM, the largest resident set since the last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key + ":"))


def measure(chosen: Options) -> list[Row]:
    """Return the rows of time and of memory."""
    spawn = multiprocessing.get_context("spawn")
    measured: dict[str, list[Measured]] = {"ours": [], "theirs": []}

    def run(contestant: Contestant) -> Seconds:
        results = spawn.SimpleQueue()
        process = spawn.Process(target=alone, args=(contestant, chosen, results))
        process.start()
        took: Measured = results.get()
        process.join()
        measured[contestant.__name__].append(took)
        return took.seconds

    took, peers = in_turn(lambda: run(ours), lambda: run(theirs), chosen.repetitions)
    assert abs(measured["ours"][0].ndcg - measured["theirs"][0].ndcg) < 1e-6, "they do not measure the same thing"
    against = f"InformationRetrievalEvaluator, 121 pairs and the union, {DEPTH} deep"
    return [
        Row(
            "all metrics from embeddings, time",
            against,
            "s",
            more_is_better=False,
            goal=3,
            ours=[seconds.wall for seconds in took],
            theirs=[seconds.wall for seconds in peers],
            cpu_advantage=ratio([seconds.cpu for seconds in peers], [seconds.cpu for seconds in took]),
        ),
        Row(
            "all metrics from embeddings, peak memory over the embeddings",
            against,
            "MiB",
            more_is_better=False,
            goal=5,
            ours=[one.peak_mib for one in measured["ours"]],
            theirs=[one.peak_mib for one in measured["theirs"]],
        ),
    ]


if __name__ == "__main__":
    chosen = options()
    finish(measure(chosen), chosen)
