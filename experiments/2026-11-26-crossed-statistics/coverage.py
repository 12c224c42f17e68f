"""How often the best settings include the truly best, the band covers the true curve, the front keeps the true one.

    python experiments/2026-11-26-crossed-statistics/coverage.py

500 simulated studies a row (`simulation`). "Best" counts the first of the truly best settings. The front is that of
two figures with the same noise; the second figure falls where the first one rises, so all settings are on it, unless
the row says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from simulation import LARGE, MIDDLE, SMALL, Case, Design, figures

from study.analysis.best_setting import best_settings, curve_band, dominated_by
from study.analysis.crossed import Crossed
from study.results.provenance import hardware, versions

RUNS = 500
DESIGNS = (Design(3, 2), Design(5, 3))
CURVES = {
    "flat": (0.0, 0.0, 0.0, 0.0, 0.0),
    "two best": (0.1, 0.1, 0.0, 0.0, -0.1),
    "peak": (0.2, 0.1, 0.0, -0.1, -0.2),
}
NOISES = (
    Case("small; seeds matter much; questions better and worse", SMALL, common=LARGE, by_question=0.5),
    Case("middle; questions better and worse", MIDDLE, by_question=0.5),
)


def main() -> None:
    """Print all tables as Markdown."""
    print("# Coverage\n")
    print(f"In percent of {RUNS:,} studies; at least 95 is right, the standard error of a percentage near 95 is 1.\n")
    names = ("settings", "seeds", "questions", "noise", "curve", "best in the set", "settings in the set", "band")
    print(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    for design in DESIGNS:
        for noise in NOISES:
            for name, curve in CURVES.items():
                print(f"| {design} | {noise.name} | {name} | {_best_row(noise, design, curve)} |", flush=True)
    names = ("settings", "seeds", "questions", "noise", "curve", "whole front kept", "dominated settings dropped")
    print(f"\n## Pareto front of two figures\n\n| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    for design in DESIGNS:
        for noise in NOISES[:1]:
            for name, curve in (
                ("all on the front", CURVES["peak"]),
                ("the last dominated", (0.0, 0.0, 0.0, 0.0, -0.3)),
            ):
                print(f"| {design} | {noise.name} | {name} | {_front_row(noise, design, curve)} |", flush=True)
    print(f"\n{hardware()}, {versions()}")


def _best_row(noise: Case, design: Design, curve: Sequence[float]) -> str:
    case = Case(noise.name, noise.own, noise.common, noise.by_question, shift=tuple(curve[: design.settings]))
    true_A = case.true_figures(design.settings)
    random = np.random.default_rng([*design, *noise.name.encode(), round(100 * abs(sum(curve)))])
    kept = covered = size = 0
    for _ in range(RUNS):
        crossed = Crossed(figures(case.values(design, random)))
        candidate_A = best_settings(crossed).candidate_A
        kept += candidate_A[int(true_A.argmax())]
        size += candidate_A.sum()
        error_A = crossed.figures - crossed.figures.mean() - (true_A - true_A.mean())
        covered += bool((np.abs(error_A) <= curve_band(crossed)).all())
    return f"{100 * kept / RUNS:.1f} | {size / RUNS:.1f} | {100 * covered / RUNS:.1f}"


def _front_row(noise: Case, design: Design, curve: Sequence[float]) -> str:
    first = (*curve[: design.settings - 1], curve[-1])
    dominated = curve[-1] == -0.3
    second = first if dominated else tuple(-shift for shift in first)
    cases = [Case(noise.name, noise.own, noise.common, noise.by_question, shift=shift) for shift in (first, second)]
    random = np.random.default_rng([*design, *noise.name.encode(), round(100 * abs(sum(curve)))])
    front = range(design.settings - 1 if dominated else design.settings)
    kept = dropped = 0
    for _ in range(RUNS):
        found = dominated_by([Crossed(figures(case.values(design, random))) for case in cases])
        kept += not any(found[setting] for setting in front)
        dropped += bool(found[design.settings - 1])
    return f"{100 * kept / RUNS:.1f} | {100 * dropped / RUNS:.1f}" if dominated else f"{100 * kept / RUNS:.1f} | "


if __name__ == "__main__":
    main()
