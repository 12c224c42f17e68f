"""The study's answer in tables: trials ranked, and hybrid batches beside their two ends, X-X-mono and X-Y.

Several objectives at once: which trials no other beats in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from study.analysis.tables import Cell, Table, figure, words
from study.space.selection import Objective, better
from tasks.metrics import HEADLINE, known_metric
from tasks.schema import Setting

Result = dict[str, Any]
COLUMNS = (
    *((setting, HEADLINE[0]) for setting in Setting),
    *((Setting.MULTILINGUAL, name) for name in HEADLINE[1:]),
)
SHORT = {Setting.MONOLINGUAL: "mono", Setting.CROSSLINGUAL: "cross", Setting.MULTILINGUAL: "multi"}
ZERO_SHOT = "zero-shot"
_WORDS = frozenset({"backbone", "batches"})


class Sampling(NamedTuple):
    """A way to make batches, by its alpha."""

    name: str
    low: float
    high: float

    def includes(self, result: Result) -> bool:
        """Return whether a trial sampled this way; one with a schedule is hybrid."""
        alpha = result["config"]["alpha"]
        value = 0.5 if isinstance(alpha, dict) else alpha
        return result["config"]["steps"] > 0 and self.low <= value <= self.high


SAMPLINGS = (Sampling("X-X-mono", 1, 1), Sampling("X-Y", 0, 0), Sampling("hybrid", 1e-9, 1 - 1e-9))
"""arXiv 2408.10536's names: monolingual batches only, cross-lingual only, both."""
KINDS = (*(sampling.name for sampling in SAMPLINGS), ZERO_SHOT)
"""Every way to make batches; zero-shot is to make none."""


def sampling_of(result: Result) -> str:
    """Return how a trial sampled its batches: one of SAMPLINGS, or zero-shot where it did not train."""
    return next((sampling.name for sampling in SAMPLINGS if sampling.includes(result)), ZERO_SHOT)


def ranked(results: Iterable[Result], objective: str) -> list[Result]:
    """Return the trials that have the objective, best first."""
    sign = -1 if better(objective) == "maximize" else 1
    held = [result for result in results if objective in result["metrics"]]
    return sorted(held, key=lambda result: (sign * result["metrics"][objective], result["number"]))


def trials_table(results: Sequence[Result], objective: str, benchmark: str) -> Table:
    """Return all trials, best first by the objective, with one benchmark's figures."""
    shown = _shown(benchmark, results)
    headings = ("trial", "backbone", "batches", "alpha", "temperature", "seed", objective.replace("/", " "))
    rows = []
    for place, result in enumerate(ranked(results, objective)):
        config = result["config"]
        cells = (
            Cell(str(result["number"]), result["number"]),
            *words(config["backbone"], sampling_of(result)),
            *(setting_cell(config[name]) for name in ("alpha", "temperature")),
            Cell(str(config["seed"]), config["seed"]),
            figure(result["metrics"][objective]),
            *_figures(result, benchmark, shown),
        )
        rows.append(tuple(cell._replace(strong=place == 0) for cell in cells))
    title = f"Trials, best first by {objective}; figures on {benchmark}"
    return Table(title, (*headings, *_metric_headings(shown)), tuple(rows), _WORDS)


def samplings_table(results: Sequence[Result], objective: str, benchmark: str) -> Table:
    """Return, per backbone, the best trial by the objective of each way to sample batches."""
    shown = _shown(benchmark, results)
    rows = []
    for backbone in sorted({result["config"]["backbone"] for result in results}):
        for sampling in KINDS:
            of_kind = [r for r in results if r["config"]["backbone"] == backbone and sampling_of(r) == sampling]
            for best in ranked(of_kind, objective)[:1]:
                cells = (
                    *words(backbone, sampling, str(len(of_kind)), str(best["number"])),
                    *(setting_cell(best["config"][name]) for name in ("alpha", "temperature")),
                    *_figures(best, benchmark, shown),
                )
                rows.append(cells)
    title = f"Hybrid batches beside their two ends on {benchmark}: the best trial of each by {objective}"
    headings = ("backbone", "batches", "trials", "best", "alpha", "temperature", *_metric_headings(shown))
    return Table(title, headings, tuple(rows), _WORDS)


def setting_cell(value: float | dict[str, Any]) -> Cell:
    """Return a cell with a setting that may be a schedule, sorted by where it starts."""
    return Cell(number(value), value["start"] if isinstance(value, dict) else value)


def setting_text(value: Any) -> str:
    """Return any setting as a text, a number in three digits."""
    return number(value) if isinstance(value, float) else str(value)


def number(value: float | dict[str, Any]) -> str:
    """Return a number in three digits; a schedule as start->end."""
    return f"{value['start']:.3g}→{value['end']:.3g}" if isinstance(value, dict) else f"{value:.3g}"


def _shown(benchmark: str, results: Sequence[Result]) -> list[tuple[Setting, str]]:
    held = set().union(*(result["metrics"] for result in results))
    return [(setting, metric) for setting, metric in COLUMNS if f"{benchmark}/{setting}/{metric}" in held]


def _metric_headings(shown: Sequence[tuple[Setting, str]]) -> list[str]:
    return [f"{SHORT[setting]} {metric_name(metric)}" for setting, metric in shown]


def _figures(result: Result, benchmark: str, shown: Sequence[tuple[Setting, str]]) -> list[Cell]:
    values = ((metric, result["metrics"].get(f"{benchmark}/{setting}/{metric}")) for setting, metric in shown)
    return [figure(value, decimals(metric)) for metric, value in values]


def metric_name(name: str) -> str:
    """Return a metric as papers write it."""
    record = known_metric(name)
    return record.title if record else name


def decimals(name: str) -> int:
    """Return how many decimals of a metric are worth printing."""
    record = known_metric(name)
    return record.decimals if record else 3


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
    return figure(result["metrics"][objective.metric], decimals(objective.metric.rpartition("/")[2]))
