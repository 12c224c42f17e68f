"""Several objectives at once: which trials no other beats in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from study.analysis.leaderboard import Result, sampling_of, setting_cell
from study.analysis.tables import Cell, Table, figure, words
from study.space.selection import Objective
from tasks.metrics import RANK_DISTANCE

FRONT = "pareto.json"
"""In the study's folder, where it has several objectives."""
MARK = "●"


def front(results: Sequence[Result], objectives: Sequence[Objective]) -> list[Result]:
    """Return the trials that no other trial dominates: none is as good in every objective and better in one."""
    held = [result for result in results if all(o.metric in result["metrics"] for o in objectives)]
    signs = np.array([1.0 if o.direction == "maximize" else -1.0 for o in objectives])
    values = np.array([[result["metrics"][o.metric] for o in objectives] for result in held]).reshape(-1, len(signs))
    return [result for result, dominated in zip(held, _dominated(values * signs), strict=True) if not dominated]


def _dominated(values_TO: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return for each of T trials whether another dominates it in O objectives, more being better."""
    at_least = (values_TO[:, None] >= values_TO[None]).all(2)
    better = (values_TO[:, None] > values_TO[None]).any(2)
    return np.asarray((at_least & better).any(0), np.bool_)


def front_table(results: Sequence[Result], objectives: Sequence[Objective]) -> Table:
    """Return all trials, those of the front first and marked, each part best first by the first objective."""
    best = {result["number"] for result in front(results, objectives)}
    sign = -1 if objectives[0].direction == "maximize" else 1
    held = [result for result in results if all(o.metric in result["metrics"] for o in objectives)]
    first = objectives[0].metric
    held.sort(key=lambda r: (r["number"] not in best, sign * r["metrics"][first], r["number"]))
    headings = ("front", "trial", "backbone", "batches", "alpha", "temperature")
    rows = []
    for result in held:
        config, marked = result["config"], result["number"] in best
        cells = (
            *words(MARK if marked else "", str(result["number"]), config["backbone"], sampling_of(result)),
            *(setting_cell(config[name]) for name in ("alpha", "temperature")),
            *(_value(result, objective) for objective in objectives),
        )
        rows.append(tuple(cell._replace(strong=marked) for cell in cells))
    title = f"Pareto front ({MARK}): trials that no other matches in every objective and beats in one"
    return Table(
        title,
        (*headings, *(objective.metric.replace("/", " ") for objective in objectives)),
        tuple(rows),
        frozenset({"front", "backbone", "batches"}),
    )


def front_json(results: Sequence[Result], objectives: Sequence[Objective]) -> dict[str, Any]:
    """Return the front as plain data."""
    return {
        "objectives": [objective.model_dump() for objective in objectives],
        "front": [
            {"number": result["number"], "values": {o.metric: result["metrics"][o.metric] for o in objectives}}
            for result in front(results, objectives)
        ],
    }


def _value(result: Result, objective: Objective) -> Cell:
    decimals = 1 if objective.metric.endswith(RANK_DISTANCE) else 3
    return figure(result["metrics"][objective.metric], decimals)
