"""A comparison as a sentence, as tables, and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from study.analysis import formats
from study.analysis.comparison import Comparison, Figure
from study.analysis.formats import decimals
from study.analysis.groups import Group
from study.analysis.pairs import Pair
from study.analysis.statistics import LEVEL, Difference, Method
from study.analysis.tables import Cell, Table
from tasks.metrics import higher_is_better

_FEW_DEGREES = 3
"""With fewer degrees of freedom, the 95 % interval is more than 1.6 times as wide as with many."""
_HEADINGS = ("difference", "95 % interval")


def sentence(comparison: Comparison, figure: Figure) -> str:
    """Return whether the group leads its baseline beyond noise; then how that was tested, and what else differs."""
    difference, (group, baseline) = comparison.overall[figure], comparison.pair.groups
    other = baseline.label if baseline.backbone == group.backbone else f"{baseline.backbone_name}, {baseline.label}"
    return (
        f"{trained(comparison)}: {group.label} {_judged(comparison, other, figure)}, {_p_text(difference.p)}. "
        f"{_test(difference)}.{_left_out(comparison)}{_unequal(comparison)}"
    )


def _judged(comparison: Comparison, other: str, figure: Figure) -> str:
    """Return that a group leads or trails another one, where that is a verdict and beyond noise."""
    difference = comparison.overall[figure]
    places, value = decimals(figure.metric), difference.value
    gap = f"{formats.signed(value, places)} {formats.interval(difference.low, difference.high, places)}"
    if not is_judged(comparison.pair, difference):
        return f"differs from {other} on {figure.name} by {gap}"
    if difference.p >= LEVEL:
        return f"is within noise of {other} on {figure.name}, {gap}"
    verb = "leads" if (value > 0) == higher_is_better(figure.metric) else "trails"
    ends = sorted((difference.low, difference.high) if value > 0 else (-difference.low, -difference.high))
    gap, low, high = (formats.fixed(each, places) for each in (abs(value), *ends))
    return f"{verb} {other} on {figure.name} by {gap} [{low}, {high}]"


def untested_sentences(comparisons: Sequence[Comparison]) -> list[str]:
    """Return which scores were not tested: they average over languages whose questions are about one document."""
    scores: dict[tuple[str, ...], list[str]] = {}
    for comparison in comparisons:
        for figure, languages in comparison.untested.items():
            if figure.name not in scores.setdefault(languages, []):
                scores[languages].append(figure.name)
    return [
        f"Not tested: {formats.some_of(names)}, as with one question, or one document that all questions are about, in "
        f"{formats.some_of(languages)} nothing says how much others would change it. Give such a language more "
        "questions, or leave it out of the benchmark."
        for languages, names in scores.items()
    ]


def is_judged(pair: Pair, difference: Difference) -> bool:
    """Return whether a difference is a verdict: noise between seeds is known, and no other setting may have made it."""
    return difference.method is not Method.QUESTIONS and not pair.confounded


def badge(pair: Pair, difference: Difference, metric: str) -> str:
    """Return the judgement in one or two words: `ahead` or `behind` where the difference is beyond noise."""
    if not is_judged(pair, difference):
        return "one seed" if difference.method is Method.QUESTIONS else "other settings"
    leads = (difference.value > 0) == higher_is_better(metric)
    return "within noise" if difference.p >= LEVEL else "ahead" if leads else "behind"


def title(comparison: Comparison) -> str:
    """Return the names of the two groups."""
    group, baseline = comparison.pair.groups
    own = "" if baseline.backbone == group.backbone else f"{baseline.backbone_name}, "
    return f"{trained(comparison)}: {group.label} against {own}{baseline.label}"


def differences_table(comparison: Comparison) -> Table:
    """Return a pair's differences, one row per setting and metric."""
    rows = [
        (
            Cell(figure.name),
            *_difference_cells(comparison.pair, difference, figure.metric, difference.p),
        )
        for figure, difference in comparison.overall.items()
    ]
    return Table(title(comparison), ("score", *_HEADINGS, "p"), tuple(rows), frozenset({"score"}))


def languages_table(comparison: Comparison, figure: Figure) -> Table:
    """Return a pair's differences in one score by query language; p after Holm's correction over the languages."""
    differences, adjusted = comparison.by_language.get(figure, {}), comparison.adjusted(figure)
    pair, metric = comparison.pair, figure.metric
    rows = [(Cell(la), *_difference_cells(pair, differences[la], metric, p)) for la, p in adjusted.items()]
    name = f"{title(comparison)}, {figure.name} by query language (intervals: each alone)"
    return Table(name, ("language", *_HEADINGS, "p (Holm)"), tuple(rows), frozenset({"language"}))


def _difference_cells(pair: Pair, difference: Difference, metric: str, p: float) -> tuple[Cell, Cell, Cell]:
    """Return cells with difference, interval and p, in bold where the difference is a verdict and beyond noise."""
    places, strong = decimals(metric), is_judged(pair, difference) and p < LEVEL
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
        "chosen_from": list(comparison.pair.candidates),
        "measured_otherwise": comparison.measured_otherwise,
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


def trained(comparison: Comparison) -> str:
    """Return the backbone, and the settings at which it was trained if the study has others."""
    return f"{comparison.pair.group.backbone_name}{f' at {comparison.at}' if comparison.at else ''}"


def _test(difference: Difference) -> str:
    """Return over which seeds and questions a difference was tested, and how."""
    questions, degrees = formats.questions(difference.questions, difference.documents), f"{difference.freedom:.3g}"
    freedom = f"{degrees} degree{'' if degrees == '1' else 's'} of freedom"
    if 0 < difference.freedom < _FEW_DEGREES and difference.p >= LEVEL:
        freedom += ", so that one more seed would narrow the interval much"
    if difference.method is Method.QUESTIONS:
        return (
            f"With one seed each that is no verdict: interval and p hold over {questions} alone, and noise between "
            "seeds is unknown"
        )
    if difference.seeds == (0, 0):
        return f"Tested over {questions}; neither was trained"
    a, b = difference.seeds
    if difference.method is Method.CROSSED:
        design = f"crossed over {difference.settings} settings, {freedom}"
        return f"Tested over {a} shared seeds and {questions} ({design})"
    if difference.method is Method.UNTRAINED:
        return f"Tested over {max(a, b)} seeds and {questions} ({freedom})"
    return f"Tested over {a if a == b else f'{a} and {b}'} seeds and {questions} (unpaired, {freedom})"


def _left_out(comparison: Comparison) -> str:
    numbers = [str(number) for number in comparison.left_out]
    if not numbers:
        return ""
    trials = f"Trial {numbers[0]} is" if len(numbers) == 1 else f"Trials {formats.some_of(numbers)} are"
    return f" {trials} left out: only one of the two has its seed."


def _unequal(comparison: Comparison) -> str:
    """Return in what else the two differ, from which the difference may come: settings, and how they were measured."""
    different, otherwise = (
        [f"{key} ({formats.setting(a)} against {formats.setting(b)})" for key, (a, b) in values.items()]
        for values in (comparison.pair.unequal, comparison.measured_otherwise)
    )
    start = " That is no verdict, as the two" if comparison.pair.confounded else " The two"
    chosen = chosen_from(comparison.pair)
    also = f"{start} also differ in {formats.some_of(different)}{chosen}." if different else ""
    return also + (f" The two were measured differently: {'; '.join(otherwise)}." if otherwise else "")


def chosen_from(pair: Pair) -> str:
    """Return from how many settings the best of each kind were taken, where the two are not at equal settings."""
    own, other = pair.candidates
    if not pair.confounded or own == other == 1:
        return ""
    kinds = [group.sampling for group in pair.groups]
    if pair.group.backbone != pair.baseline.backbone:
        kinds = [f"{group.backbone_name} {group.sampling}" for group in pair.groups]
    favours = "" if own == other else ", which favours the larger number"
    return (
        f", chosen by validation from {own} {kinds[0]} and {other} {kinds[1]} "
        f"setting{'' if other == 1 else 's'}{favours}"
    )


def _p_text(p: float) -> str:
    """Return `p = 0.012`, or `p < 0.001`."""
    text = formats.p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"
