"""One encoder's figures in tables: settings by metric, and languages by setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from tasks.metrics import RANK_DISTANCE


def settings_table(name: str, measured: Mapping[str, Any]) -> Table:
    """Return the macro figures of one benchmark: a row a setting, a column a metric.

    Args:
        name: the benchmark's.
        measured: its entry under `benchmarks` in a result.
    """
    queries, passages = sum(measured["queries"].values()), sum(measured["passages"].values())
    details = "".join(f", {key} {value}" for key, value in measured["details"].items())
    table = _table(f"{name}: {queries:,} queries, {passages:,} passages, revision {measured['revision']}{details}")
    figures: dict[str, dict[str, float]] = {}
    for key, value in measured["metrics"].items():
        _, *settings, metric = key.split("/")
        setting = settings[0] if settings else next(iter(measured["by_language"]))
        figures.setdefault(setting, {})[metric] = value
    metrics = list(dict.fromkeys(metric for held in figures.values() for metric in held))
    table.add_column("setting")
    for metric in metrics:
        table.add_column(metric.replace("_", " "), justify="right")
    for setting, held in figures.items():
        table.add_row(setting, *(_shown(metric, held.get(metric)) for metric in metrics))
    return table


def languages_table(measured: Mapping[str, Any]) -> Table:
    """Return one benchmark's first metric by query language and setting, and rank distance where there is one."""
    by_language = measured["by_language"]
    languages = sorted({language for held in by_language.values() for language in held})
    metric = next(iter(next(iter(next(iter(by_language.values())).values()))))
    columns = [(setting, metric) for setting in by_language]
    columns += [
        (setting, RANK_DISTANCE)
        for setting, held in by_language.items()
        if any(RANK_DISTANCE in figures for figures in held.values())
    ]
    table = _table(f"by query language, {metric}")
    table.add_column("language")
    for setting, name in columns:
        table.add_column(setting if name == metric else name.replace("_", " "), justify="right")
    for language in languages:
        figures = [(name, by_language[setting].get(language, {}).get(name)) for setting, name in columns]
        table.add_row(language, *(_shown(name, value) for name, value in figures))
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")


def _shown(metric: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.1f}" if metric == RANK_DISTANCE else f"{value:.4f}"
