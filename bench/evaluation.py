"""`study.evaluate` on XQuAD-R, the whole process, against mteb doing the same 121 pairs of languages and the union.

    python -m bench.evaluation --checkpoint DIR --data DIR [--full]

mteb's retrieval encodes queries and passages anew for every pair, so each text twelve times in all languages. `--full`
takes all languages, once, and runs mteb with its own embedding cache and as it comes; the latter takes hours, so it is
ended when it has taken ten times as long as ours. Without `--full`, mteb has its cache and there are two languages.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import yaml

from bench.row import Options, Row, Seconds, finish, in_turn, options, ratio
from bench.texts import MAX_TOKENS, benchmark_options
from study.config import Precision
from study.model.backbone import uses_bf16

GOALS = {"cached": 3.5, "plain": 8.0}
ENOUGH = 10
"""How many times ours mteb as it comes may take before it is ended; the row is then a lower bound."""


def measure(chosen: Options, precision: Precision) -> Iterator[Row]:
    """Evaluate the checkpoint with ours and with mteb: whole processes, in turn."""
    languages, repetitions = ("all", 1) if chosen.full else ("two", chosen.repetitions)
    chosen = chosen._replace(quick=not chosen.full)
    what = f"XQuAD-R in {languages} languages evaluated, whole process, {precision}"
    took = in_turn(
        lambda: process(ours(chosen, precision), chosen.threads),
        lambda: process(theirs(chosen, precision, "cached"), chosen.threads),
        repetitions,
    )
    yield row(what, "mteb with its embedding cache on SentenceTransformer, all pairs and the union", "cached", *took)
    if chosen.full:
        limit = ENOUGH * took[0][0].wall
        peer = process(theirs(chosen, precision, "plain"), chosen.threads, limit)
        ended = f", ended after {ENOUGH} times ours" * (peer.wall >= limit)
        yield row(what, f"mteb as it comes on SentenceTransformer, the same{ended}", "plain", took[0], [peer])


def row(what: str, against: str, way: str, ours: list[Seconds], theirs: list[Seconds]) -> Row:
    """Return the row of both sides' seconds."""
    return Row(
        what,
        against,
        "s",
        more_is_better=False,
        goal=GOALS[way],
        ours=[took.wall for took in ours],
        theirs=[took.wall for took in theirs],
        cpu_advantage=ratio([took.cpu for took in theirs], [took.cpu for took in ours]),
    )


def ours(chosen: Options, precision: Precision) -> list[str]:
    """Return the command a user of this project types."""
    limits = {"max_query_tokens": MAX_TOKENS, "max_passage_tokens": MAX_TOKENS, "precision": precision}
    command = ["-m", "study.evaluate", chosen.checkpoint, "--benchmarks", "xquad_r"]
    for key, value in benchmark_options(chosen).items():
        command += ["--option", f"{key}={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"]
    for key, value in limits.items():
        command += ["--setting", f"{key}={value}"]
    return command


def theirs(chosen: Options, precision: Precision, way: str) -> list[str]:
    """Return the command that runs mteb."""
    data = ["--data", str(chosen.data)] if chosen.data else []
    quick = ["--quick"] if chosen.quick else []
    return ["-m", "bench.peer_mteb", precision, way, "--checkpoint", chosen.checkpoint, *data, *quick]


def process(command: list[str], threads: int, limit: float | None = None) -> Seconds:
    """Run a Python process from its start to its end, or until it has taken `limit` seconds."""
    with tempfile.TemporaryDirectory() as cache:  # neither may find what it computed a turn ago
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MTEB_CACHE": cache}
        wall, cpu = time.perf_counter(), _children()
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(  # noqa: S603
                [sys.executable, *command], check=True, env=environment, stdout=subprocess.DEVNULL, timeout=limit
            )
        return Seconds(time.perf_counter() - wall, _children() - cpu)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    chosen = options()
    precision: Precision = "bf16" if uses_bf16("auto", chosen.device) else "fp32"
    finish(measure(chosen, precision), chosen)
