"""Means over seeds, and differences between kinds of batch seed by seed: the tables of README.md beside this file.

    python experiments/2026-11-24-xquad-r-split/orders.py experiments/2026-11-24-xquad-r-split/xquad-r-split

Trials of one seed draw the same rows whatever their alpha, so a difference is taken within a seed. Its interval is
Student's t over the seeds, at 95 %; `study.compare` pairs the seeds too, and adds what the questions contribute.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict

from scipy import stats

from study.analysis.study import read_study

FIGURES = (
    "monolingual/map",
    "crosslingual/map",
    "multilingual/map",
    "multilingual/ndcg@10",
    "multilingual/mrr",
    "multilingual/rank_distance",
)
BENCHMARK, TEMPERATURE = "xquad_r", 0.05
Setting = tuple[str | float, ...]


def main(folder: str) -> None:
    """Print both tables."""
    held: dict[Setting, dict[int, list[float]]] = defaultdict(dict)
    for result in read_study(folder).results:
        config = result.config
        setting = (config.alpha, config.temperature) if config.steps else ("zero-shot",)
        held[setting][config.seed] = [result.metrics[f"{BENCHMARK}/{name}"] for name in FIGURES]
    print("| alpha, temperature | seeds |", " | ".join(FIGURES), "|\n|", " | ".join(["--:"] * (2 + len(FIGURES))), "|")
    for setting in sorted(held, key=str):
        columns = list(zip(*held[setting].values(), strict=True))
        name = ", ".join(map(str, setting))
        print(f"| {name} | {len(columns[0])} |", " | ".join(mean_and_deviation(column) for column in columns), "|")
    print("\n| difference |", " | ".join(FIGURES), "|\n|", " | ".join(["--:"] * (1 + len(FIGURES))), "|")
    for one, other in ((0.5, 0.0), (0.5, 1.0), (0.25, 0.0), (0.0, 1.0)):
        of_one, of_other = held[one, TEMPERATURE], held[other, TEMPERATURE]
        differences = [
            [a - b for a, b in zip(of_one[seed], of_other[seed], strict=True)] for seed in sorted(of_one.keys())
        ]
        columns = list(zip(*differences, strict=True))
        print(f"| alpha {one} − {other} |", " | ".join(interval(column) for column in columns), "|")


def mean_and_deviation(values: tuple[float, ...]) -> str:
    """Return mean and standard deviation; the mean alone of one value."""
    digits = 0 if values[0] > 1 else 3
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def interval(values: tuple[float, ...]) -> str:
    """Return the mean with its interval over seeds."""
    mean, digits = statistics.mean(values), 1 if abs(values[0]) > 1 else 4
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:+.{digits}f} [{mean - half:+.{digits}f}, {mean + half:+.{digits}f}]"


if __name__ == "__main__":
    main(sys.argv[1])
