"""A comparison as a sentence, as tables, and as plain data."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python

from study.analysis import formats
from study.analysis.comparison import Comparison, Figure
from study.analysis.formats import decimals, metric_name
from study.analysis.statistics import LEVEL, Difference, Method
from study.analysis.study import Group
from study.analysis.tables import Cell, Table
from tasks.metrics import higher_is_better

_HEADINGS = ("difference", "95 % interval")


def sentence(comparison: Comparison, figure: Figure) -> str:
    """Return whether the group's lead over its baseline is beyond noise, and over which noise."""
    difference, (group, baseline) = comparison.overall[figure], comparison.pair
    verb = "leads" if (difference.value > 0) == higher_is_better(figure.metric) else "trails"
    sign = 1 if difference.value > 0 else -1
    gap, low, high = (
        formats.fixed(value, decimals(figure.metric))
        for value in (abs(difference.value), *sorted((sign * difference.low, sign * difference.high)))
    )
    other = baseline.label if baseline.backbone == group.backbone else f"{baseline.backbone}, {baseline.label}"
    return (
        f"{_trained(comparison)}: {group.label} {verb} {other} on {figure.setting} {metric_name(figure.metric)} "
        f"by {gap} [{low}, {high}], {_p_text(difference.p)}: "
        f"{_judgement(difference)}{_left_out(comparison)}{_unequal(comparison)}."
    )


def badge(difference: Difference, metric: str) -> str:
    """Return the judgement in one or two words: `ahead` or `behind` where the difference is beyond noise."""
    if difference.method is Method.QUESTIONS:
        return "one seed"
    leads = (difference.value > 0) == higher_is_better(metric)
    return "within noise" if difference.p >= LEVEL else "ahead" if leads else "behind"


def title(comparison: Comparison) -> str:
    """Return the names of the two groups."""
    group, baseline = comparison.pair
    own = "" if baseline.backbone == group.backbone else f"{baseline.backbone}, "
    return f"{_trained(comparison)}: {group.label} against {own}{baseline.label}"


def differences_table(comparison: Comparison) -> Table:
    """Return a pair's differences, one row per setting and metric."""
    rows = [
        (
            Cell(f"{figure.setting} {metric_name(figure.metric)}"),
            *difference_cells(difference, figure.metric, difference.p),
        )
        for figure, difference in comparison.overall.items()
    ]
    return Table(title(comparison), ("score", *_HEADINGS, "p"), tuple(rows), frozenset({"score"}))


def languages_table(comparison: Comparison, figure: Figure) -> Table:
    """Return a pair's differences in one score by query language; p after Holm's correction over the languages."""
    differences, adjusted = comparison.by_language[figure], comparison.adjusted(figure)
    rows = [(Cell(la), *difference_cells(differences[la], figure.metric, p)) for la, p in adjusted.items()]
    name = f"{title(comparison)}, {figure.setting} {metric_name(figure.metric)} by query language"
    return Table(name, ("language", *_HEADINGS, "p (Holm)"), tuple(rows), frozenset({"language"}))


def difference_cells(difference: Difference, metric: str, p: float) -> tuple[Cell, Cell, Cell]:
    """Return cells with difference, interval and p, in bold where the difference is beyond noise."""
    places, strong = decimals(metric), p < LEVEL
    return (
        Cell(formats.signed(difference.value, places), difference.value, strong),
        Cell(formats.interval(difference.low, difference.high, places), difference.low),
        Cell(formats.p_value(p), p, strong),
    )


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data for JSON."""
    return {
        "benchmark": comparison.benchmark,
        "group": _group_data(comparison.pair.group),
        "baseline": _group_data(comparison.pair.baseline),
        "trials_left_out": list(comparison.left_out),
        "unequal_settings": to_jsonable_python(comparison.pair.unequal),
        "figures": [
            {
                "setting": str(figure.setting),
                "metric": figure.metric,
                **vars(difference),
                "languages": {
                    language: vars(comparison.by_language[figure][language]) | {"p_holm": p}
                    for language, p in comparison.adjusted(figure).items()
                },
            }
            for figure, difference in comparison.overall.items()
        ],
    }


def _group_data(group: Group) -> dict[str, Any]:
    return {
        "backbone": group.backbone,
        "sampling": group.sampling,
        "alpha": to_jsonable_python(group.alpha),
        "trials": list(group.numbers),
    }


def _trained(comparison: Comparison) -> str:
    """Return the backbone, and the settings at which it was trained if the study has others."""
    return f"{comparison.pair.group.backbone}{f' at {comparison.at}' if comparison.at else ''}"


def _judgement(difference: Difference) -> str:
    """Return whether a difference is beyond noise, over which seeds and questions, and by which test."""
    side, questions = "beyond" if difference.p < LEVEL else "within", f"{difference.questions} questions"
    if difference.method is Method.QUESTIONS:
        return f"{side} the noise of {questions}; one seed each, so noise between seeds is not covered"
    if difference.seeds == (0, 0):
        return f"{side} the noise of {questions}; neither was trained"
    a, b = difference.seeds
    freedom = f"{difference.freedom:.3g} degrees of freedom"
    if difference.method is Method.CROSSED:
        design = f"crossed over {difference.settings} settings, {freedom}"
        return f"{side} noise over {a} shared seeds and {questions} ({design})"
    if difference.method is Method.UNTRAINED:
        return f"{side} noise over {max(a, b)} seeds and {questions} ({freedom})"
    return f"{side} noise over {a if a == b else f'{a} and {b}'} seeds and {questions} (unpaired, {freedom})"


def _left_out(comparison: Comparison) -> str:
    numbers = comparison.left_out
    trials = f"trial{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
    return f"; without {trials}, whose seed only one of the two has" if numbers else ""


def _unequal(comparison: Comparison) -> str:
    """Return the other settings in which the two differ, and from which the difference may come."""
    different = comparison.pair.unequal
    shown = (f"{key} {formats.setting(a)} against {formats.setting(b)}" for key, (a, b) in different.items())
    return f"; not at equal settings ({', '.join(shown)})" if different else ""


def _p_text(p: float) -> str:
    """Return `p = 0.012`, or `p < 0.001`."""
    text = formats.p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"
