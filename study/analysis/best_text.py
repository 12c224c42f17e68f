"""The best settings as sentences, as tables, and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from study.analysis import formats
from study.analysis.comparison import Figure
from study.analysis.curves import MOST_SETTINGS, Curve, Front
from study.analysis.formats import decimals
from study.analysis.groups import settings_text
from study.analysis.tables import Cell, Table
from study.config_values import Schedule


def curve_sentence(curve: Curve) -> str:
    """Return which setting is best, and which ones cannot be told from the best."""
    place, count = curve.leader, int(curve.best.candidate_A.sum())
    sure = f"(95 %, {curve.seeds} seeds, {formats.questions(curve.questions, curve.documents)})"
    alone = f"It is the best beyond noise {sure}"
    which = f"{count} settings cannot be told from the best {sure}: {_candidates(curve)}" if count > 1 else alone
    others = "; ".join(curve.left_out)
    lacking = f" Left out, as some of these seeds have no result: {others}." if others else ""
    return (
        f"{curve.groups[0].backbone_name}: of {len(curve.groups)} settings{_at(curve)}, {curve.labels[place]} has the "
        f"best {curve.figure.name}, {formats.fixed(float(curve.values[place]), decimals(curve.figure.metric))}. "
        f"{which}.{lacking}"
    )


def front_sentence(front: Front) -> str:
    """Return which settings may be on the Pareto front."""
    labels = [settings_text(group, front.varied, front.groups) for group in front.groups]
    possible = [label for label, better in zip(labels, front.dominated.values(), strict=True) if not better]
    *most, last = [figure.name for figure in front.figures]
    others = " Each of the others is worse in all of them than another setting, beyond noise."
    return (
        f"{front.groups[0].backbone_name}: {len(possible)} of {len(labels)} settings may be on the Pareto front of "
        f"{', '.join(most)} and {last} (95 %): {formats.some_of(possible, '; ')}."
        f"{others if len(possible) < len(labels) else ''}"
    )


def best_tables(curves: Sequence[Curve], figure: Figure | None) -> list[Table]:
    """Return where the best settings of the same groups lie for each score, then their curve on one figure."""
    alike: dict[tuple[tuple[int, ...], ...], list[Curve]] = {}
    for curve in curves:
        alike.setdefault(tuple(group.numbers for group in curve.groups), []).append(curve)
    tables = []
    for same_groups in alike.values():
        tables.append(best_table(same_groups))
        tables += [curve_table(curve) for curve in same_groups if curve.figure == figure]
    return tables


def curve_table(curve: Curve) -> Table:
    """Return the settings of a curve, with its band and the lead over the best of the others."""
    places = decimals(curve.figure.metric)
    rows = []
    for place, label in enumerate(curve.labels):
        strong = bool(curve.best.candidate_A[place])
        value, band = float(curve.values[place]), float(curve.band[place])
        lead, low, high = (float(values[place]) for values in (curve.best.lead_A, curve.best.low_A, curve.best.high_A))
        rows.append(
            (
                Cell(label, place, strong),
                Cell(formats.fixed(value, places), value, strong),
                Cell(f"± {formats.fixed(band, places)}", band),
                Cell(formats.signed(lead, places), lead),
                Cell(formats.interval(low, high, places), low),
            )
        )
    title = (
        f"{curve.groups[0].backbone_name}, {curve.figure.name}{_at(curve)}: bold cannot be told from the best "
        "(intervals: all settings at once; pairs have their own)"
    )
    headings = ("setting", "mean", "band", "ahead of the best other", "95 % interval")
    return Table(title, headings, tuple(rows), frozenset({"setting"}))


def best_table(curves: Sequence[Curve]) -> Table:
    """Return where the best setting lies for each figure of the same groups."""
    rows = tuple(
        (
            Cell(curve.figure.name),
            Cell(curve.labels[curve.leader], curve.leader),
            Cell(
                formats.fixed(float(curve.values[curve.leader]), decimals(curve.figure.metric)),
                float(curve.values[curve.leader]),
            ),
            Cell(_candidates(curve)),
        )
        for curve in curves
    )
    headings = ("score", "best setting", "mean", "cannot be told from the best")
    left_out = f" (left out: {'; '.join(curves[0].left_out)})" if curves[0].left_out else ""
    alone = f" (on one score, as there are more than {MOST_SETTINGS})" if len(curves[0].groups) > MOST_SETTINGS else ""
    varied = " and ".join(curves[0].varied)
    title = f"{curves[0].groups[0].backbone_name}: the best {varied}{_at(curves[0])}{left_out}{alone}"
    left, settings = frozenset({"score", "best setting", "cannot be told from the best"}), frozenset({"best setting"})
    return Table(title, headings, rows, left, settings=settings)


def curve_data(curve: Curve) -> dict[str, Any]:
    """Return a curve as plain data for JSON; leads are positive where a setting is better, whatever the metric."""
    return {
        "benchmark": curve.benchmark,
        "backbone": curve.groups[0].backbone,
        "setting": str(curve.figure.setting),
        "metric": curve.figure.metric,
        "at": curve.fixed,
        "seeds": curve.seeds,
        "questions": curve.questions,
        "documents": curve.documents,
        "left out": list(curve.left_out),
        "settings": [
            {
                "settings": label,
                "trials": list(group.numbers),
                "mean": float(curve.values[place]),
                "band": float(curve.band[place]),
                "candidate": bool(curve.best.candidate_A[place]),
                "lead": float(curve.best.lead_A[place]),
                "low": float(curve.best.low_A[place]),
                "high": float(curve.best.high_A[place]),
            }
            for place, (label, group) in enumerate(zip(curve.labels, curve.groups, strict=True))
        ],
    }


def front_data(front: Front) -> dict[str, Any]:
    """Return a possible Pareto front as plain data for JSON."""
    labels = [settings_text(group, front.varied, front.groups) for group in front.groups]
    return {
        "benchmark": front.benchmark,
        "backbone": front.groups[0].backbone,
        "figures": [f"{figure.setting}/{figure.metric}" for figure in front.figures],
        "settings": [
            {"settings": label, "trials": list(group.numbers), "worse than": [labels[better] for better in dominated]}
            for label, group, dominated in zip(labels, front.groups, front.dominated.values(), strict=True)
        ],
    }


def _candidates(curve: Curve) -> str:
    """Return settings that cannot be told from the best; neighbours on a scale of alpha as a range.

    A schedule has no place on that scale.
    """
    places = [place for place in range(len(curve.groups)) if curve.best.candidate_A[place]]
    alphas = [curve.groups[place].alpha for place in places]
    neighbours = places == list(range(places[0], places[-1] + 1))
    constant = not any(isinstance(alpha, Schedule) for alpha in alphas)
    if curve.varied == ("alpha",) and neighbours and constant and len(places) > 1:
        return f"alpha {formats.setting(alphas[0])} to {formats.setting(alphas[-1])}"
    return formats.some_of([curve.labels[place] for place in places], "; ")


def _at(curve: Curve) -> str:
    return f" at {curve.fixed}" if curve.fixed else ""
