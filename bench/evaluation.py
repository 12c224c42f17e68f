"""`study.evaluate` on XQuAD-R, the whole process, against mteb doing the same 121 pairs of languages and the union.

    python -m bench.evaluation --checkpoint DIR --data DIR [--full]

mteb's retrieval encodes queries and passages anew for every pair, so each text twelve times. One row gives it its own
embedding cache; the other takes it as it comes. Without `--full` both are over the nine pairs of three languages and
their union.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import yaml

from bench.row import Options, Row, Seconds, finish, options
from bench.texts import MAX_TOKENS, benchmark_options
from study.config import Precision
from study.model.backbone import uses_bf16

WAYS = {"cached": "with its embedding cache", "plain": "as it comes"}
GOALS = {"cached": (3.5, 3.5), "plain": (8.0, 5.0)}
"""In all languages, and in three, where mteb as it comes encodes each question four times and not twelve."""


def measure(chosen: Options, precision: Precision) -> Iterator[Row]:
    """Evaluate the checkpoint with ours and with mteb in both ways, once: that takes minutes."""
    took = process(ours(chosen, precision), chosen.threads)
    for way, name in WAYS.items():
        peer = process(theirs(chosen, precision, way), chosen.threads)
        yield Row(
            f"XQuAD-R{' in three languages' * chosen.quick} evaluated, whole process, {precision}",
            f"mteb {name} on SentenceTransformer, all pairs and the union",
            "s",
            more_is_better=False,
            goal=GOALS[way][chosen.quick],
            ours=[took.wall],
            theirs=[peer.wall],
            cpu_advantage=peer.cpu / took.cpu,
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


def process(command: list[str], threads: int) -> Seconds:
    """Run a Python process from its start to its end."""
    with tempfile.TemporaryDirectory() as cache:  # neither may find what it computed a turn ago
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MTEB_CACHE": cache}
        wall, cpu = time.perf_counter(), _children()
        subprocess.run([sys.executable, *command], check=True, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
        return Seconds(time.perf_counter() - wall, _children() - cpu)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    chosen = options()
    precision: Precision = "bf16" if uses_bf16("auto", chosen.device) else "fp32"
    finish(measure(chosen if chosen.full else chosen._replace(quick=True), precision), chosen)
