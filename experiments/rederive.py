"""Every figure of a study computed again from its per-query positions: `python -m experiments.rederive STUDY`.

Prints, for each trial, the largest difference to what its result file says, and the figures themselves; exits with 1
where a figure differs by more than rounding.
"""

from __future__ import annotations

import sys

from study.analysis.study import read_study
from tasks.schema import Setting
from tasks.scoring import metrics_of

ROUNDING = 1e-12
SHOWN = (
    "monolingual/map",
    "crosslingual/map",
    "multilingual/map",
    "multilingual/ndcg@10",
    "multilingual/rank_distance",
)


def main() -> None:
    """Compare every trial of the study named on the command line."""
    study, largest = read_study(sys.argv[1]), 0.0
    print("| trial | benchmark | figures | largest difference", *SHOWN, sep=" | ", end=" |\n")
    print("| " + " | ".join(["---:", ":---", "---:", "---:", *["---:"] * len(SHOWN)]) + " |")
    for result in study.results:
        for benchmark in result.benchmarks:
            held = {k: v for k, v in result.metrics.items() if k.startswith(f"{benchmark}/")}
            names = sorted({key.rpartition("/")[2] for key in held})
            again = metrics_of(study.positions(result.number, benchmark), benchmark, tuple(Setting), names).metrics
            gap = max(abs(again[key] - value) for key, value in held.items())
            largest = max(largest, gap)
            shown = [f"{again[key]:.4f}" if (key := f"{benchmark}/{name}") in again else "" for name in SHOWN]
            print(f"| {result.number} | {benchmark} | {len(held)} | {gap:.1e}", *shown, sep=" | ", end=" |\n")
    sys.exit(largest > ROUNDING)


if __name__ == "__main__":
    main()
