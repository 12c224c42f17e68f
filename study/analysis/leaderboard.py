"""The study's answer in tables: trials ranked, and hybrid batches beside their two ends, X-X-mono and X-Y."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rich.table import Table

from tasks.metrics import RANK_DISTANCE, higher_is_better
from tasks.schema import Setting

Result = dict[str, Any]
COLUMNS = (
    (Setting.MONOLINGUAL, "map"),
    (Setting.CROSSLINGUAL, "map"),
    (Setting.MULTILINGUAL, "map"),
    (Setting.MULTILINGUAL, "ndcg@10"),
    (Setting.MULTILINGUAL, "mrr"),
    (Setting.MULTILINGUAL, RANK_DISTANCE),
)
SHORT = {Setting.MONOLINGUAL: "mono", Setting.CROSSLINGUAL: "cross", Setting.MULTILINGUAL: "multi"}


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


def ranked(results: Iterable[Result], objective: str) -> list[Result]:
    """Return the trials that have the objective, best first."""
    sign = -1 if higher_is_better(objective.rpartition("/")[2]) else 1
    held = [result for result in results if objective in result["metrics"]]
    return sorted(held, key=lambda result: (sign * result["metrics"][objective], result["number"]))


def trials_table(results: Sequence[Result], objective: str, benchmark: str) -> Table:
    """Return all trials, best first by the objective, with one benchmark's figures."""
    table = _table(f"Trials, best first by {objective}; figures on {benchmark}")
    for name in ("trial", "backbone", "alpha", "temperature", objective.partition("/")[2]):
        table.add_column(name, justify="left" if name == "backbone" else "right")
    _add_metric_columns(table, benchmark, results)
    for place, result in enumerate(ranked(results, objective)):
        config = result["config"]
        table.add_row(
            str(result["number"]),
            config["backbone"],
            number(config["alpha"]),
            number(config["temperature"]),
            f"{result['metrics'][objective]:.3f}",
            *_figures(result, benchmark),
            style="bold" if place == 0 else "",
        )
    return table


def samplings_table(results: Sequence[Result], objective: str, benchmark: str) -> Table:
    """Return, per backbone, the best trial by the objective of each way to sample batches."""
    table = _table(f"Hybrid batches beside their two ends on {benchmark}: the best trial of each by {objective}")
    for name in ("backbone", "batches", "trials", "best", "alpha", "temperature"):
        table.add_column(name, justify="left" if name in {"backbone", "batches"} else "right")
    _add_metric_columns(table, benchmark, results)
    for backbone in sorted({result["config"]["backbone"] for result in results}):
        for index, sampling in enumerate(SAMPLINGS):
            of_kind = [r for r in results if r["config"]["backbone"] == backbone and sampling.includes(r)]
            for best in ranked(of_kind, objective)[:1]:
                table.add_row(
                    backbone,
                    sampling.name,
                    str(len(of_kind)),
                    str(best["number"]),
                    number(best["config"]["alpha"]),
                    number(best["config"]["temperature"]),
                    *_figures(best, benchmark),
                    end_section=index == len(SAMPLINGS) - 1,
                )
    return table


def number(value: float | dict[str, Any]) -> str:
    """Return a number in three digits; a schedule as start->end."""
    return f"{value['start']:.3g}→{value['end']:.3g}" if isinstance(value, dict) else f"{value:.3g}"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")


def _shown(benchmark: str, results: Sequence[Result]) -> list[tuple[Setting, str]]:
    held = set().union(*(result["metrics"] for result in results))
    return [(setting, metric) for setting, metric in COLUMNS if f"{benchmark}/{setting}/{metric}" in held]


def _add_metric_columns(table: Table, benchmark: str, results: Sequence[Result]) -> None:
    for setting, metric in _shown(benchmark, results):
        table.add_column(f"{SHORT[setting]}\n{metric.replace('_', ' ')}", justify="right")


def _figures(result: Result, benchmark: str) -> list[str]:
    keys = [(metric, f"{benchmark}/{setting}/{metric}") for setting, metric in _shown(benchmark, [result])]
    return [f"{result['metrics'][key]:.{1 if metric == RANK_DISTANCE else 3}f}" for metric, key in keys]
