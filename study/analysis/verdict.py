"""A comparison as a sentence, as tables, and as plain data."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python

from study.analysis import formats
from study.analysis.comparison import Comparison, Figure
from study.analysis.formats import decimals, metric_name
from study.analysis.statistics import Difference
from study.analysis.study import Group
from study.analysis.tables import Cell, Table
from tasks.metrics import higher_is_better

LEVEL = 0.05
_HEADINGS = ("difference", "95 % interval")


def sentence(comparison: Comparison, figure: Figure) -> str:
    """Return whether the group's lead over its baseline is beyond noise, and over which noise."""
    found, (group, baseline) = comparison.overall[figure], comparison.pair
    verb = "leads" if (found.value > 0) == higher_is_better(figure.metric) else "trails"
    sign = 1 if found.value > 0 else -1
    gap, low, high = (
        formats.fixed(value, decimals(figure.metric))
        for value in (abs(found.value), *sorted((sign * found.low, sign * found.high)))
    )
    other = baseline.label if baseline.backbone == group.backbone else f"{baseline.backbone}, {baseline.label}"
    return (
        f"{group.backbone}: {group.label} {verb} {other} on {figure.setting} {metric_name(figure.metric)} "
        f"by {gap} [{low}, {high}], {_p_text(found.p)}: {_judgement(found)}{_unequal(comparison)}."
    )


def badge(found: Difference, metric: str) -> str:
    """Return the judgement in one or two words: `ahead` or `behind` where the difference is beyond noise."""
    if found.seeds == (1, 1):
        return "one seed"
    leads = (found.value > 0) == higher_is_better(metric)
    return "within noise" if found.p >= LEVEL else "ahead" if leads else "behind"


def title(comparison: Comparison) -> str:
    """Return the names of the two groups."""
    group, baseline = comparison.pair
    own = "" if baseline.backbone == group.backbone else f"{baseline.backbone}, "
    return f"{group.backbone}: {group.label} against {own}{baseline.label}"


def differences_table(comparison: Comparison) -> Table:
    """Return a pair's differences, one row per setting and metric."""
    rows = [
        (Cell(f"{figure.setting} {metric_name(figure.metric)}"), *difference_cells(found, figure.metric, found.p))
        for figure, found in comparison.overall.items()
    ]
    return Table(title(comparison), ("score", *_HEADINGS, "p"), tuple(rows), frozenset({"score"}))


def languages_table(comparison: Comparison, figure: Figure) -> Table:
    """Return a pair's differences in one score by query language; p after Holm's correction over the languages."""
    found, adjusted = comparison.by_language[figure], comparison.adjusted(figure)
    rows = [(Cell(la), *difference_cells(found[la], figure.metric, p)) for la, p in adjusted.items()]
    name = f"{title(comparison)}, {figure.setting} {metric_name(figure.metric)} by query language"
    return Table(name, ("language", *_HEADINGS, "p (Holm)"), tuple(rows), frozenset({"language"}))


def difference_cells(found: Difference, metric: str, p: float) -> tuple[Cell, Cell, Cell]:
    """Return cells with difference, interval and p, in bold where the difference is beyond noise."""
    places, strong = decimals(metric), p < LEVEL
    return (
        Cell(formats.signed(found.value, places), found.value, strong),
        Cell(formats.interval(found.low, found.high, places), found.low),
        Cell(formats.p_value(p), p, strong),
    )


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data for JSON."""
    return {
        "benchmark": comparison.benchmark,
        "group": _group_data(comparison.pair.group),
        "baseline": _group_data(comparison.pair.baseline),
        "unequal_settings": to_jsonable_python(comparison.pair.unequal),
        "figures": [
            {
                "setting": str(figure.setting),
                "metric": figure.metric,
                **vars(found),
                "languages": {
                    language: vars(comparison.by_language[figure][language]) | {"p_holm": p}
                    for language, p in comparison.adjusted(figure).items()
                },
            }
            for figure, found in comparison.overall.items()
        ],
    }


def _group_data(group: Group) -> dict[str, Any]:
    return {
        "backbone": group.backbone,
        "sampling": group.sampling,
        "alpha": to_jsonable_python(group.alpha),
        "trials": list(group.numbers),
    }


def _judgement(found: Difference) -> str:
    side, (a, b) = "beyond" if found.p < LEVEL else "within", found.seeds
    if a == b == 1:
        return f"{side} the noise of {found.questions} questions; one seed each, so noise between seeds is not covered"
    return f"{side} noise over {a if a == b else f'{a} and {b}'} seeds and {found.questions} questions"


def _unequal(comparison: Comparison) -> str:
    """Return the other settings in which the two differ, and from which the difference may come."""
    different = comparison.pair.unequal
    shown = (f"{key} {formats.setting(a)} against {formats.setting(b)}" for key, (a, b) in different.items())
    return f"; not at equal settings ({', '.join(shown)})" if different else ""


def _p_text(p: float) -> str:
    """Return `p = 0.012`, or `p < 0.001`."""
    text = formats.p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"
