"""Differences between two groups as charts: a row per score, with its 95 % interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from study.analysis.comparison import Comparison, Figure
from study.analysis.pairs import Pair
from study.analysis.statistics import LEVEL, Difference
from study.analysis.verdict import is_judged
from study.pages import chart_style as style
from study.pages.chart_style import Spec
from tasks.metrics import higher_is_better, metric

BEYOND = "beyond noise"
LOWER = " ↓"
"""Marks a score of which less is better."""


def forest_charts(comparisons: Sequence[Comparison]) -> list[Spec]:
    """Return, per pair, the differences in all metrics between 0 and 1, with their 95 % intervals.

    Comparisons with trained baselines share a scale. Those with zero-shot, where differences are of another size, share
    another one.
    """
    shown = [
        {figure: difference for figure, difference in comparison.overall.items() if _is_share(figure)}
        for comparison in comparisons
    ]
    ends: dict[bool, list[float]] = {True: [], False: []}
    for comparison, differences in zip(comparisons, shown, strict=True):
        ends[_is_trained(comparison)] += [end for one in differences.values() for end in (one.low, one.high)]
    scales = {trained: style.extent(values, include=0) for trained, values in ends.items()}
    return [
        _forest(comparison.pair, differences, scales[_is_trained(comparison)])
        for comparison, differences in zip(comparisons, shown, strict=True)
    ]


def _is_trained(comparison: Comparison) -> bool:
    return comparison.pair.baseline.config.steps > 0


def _is_share(figure: Figure) -> bool:
    return metric(figure.metric).bounds == (0, 1)


def _forest(pair: Pair, differences: Mapping[Figure, Difference], scale: alt.Scale) -> Spec:
    rows = [
        {
            "score": figure.name + LOWER * (not higher_is_better(figure.metric)),
            "difference": style.rounded(difference.value),
            "low": style.rounded(difference.low),
            "high": style.rounded(difference.high),
            "p": style.rounded(difference.p),
            "difference is": BEYOND if is_judged(pair, difference) and difference.p < LEVEL else "within noise",
        }
        for figure, difference in differences.items()
    ]
    color = alt.Scale(domain=[BEYOND, "within noise"], range=["var(--accent)", "var(--muted)"])
    base = alt.Chart(style.data(rows)).encode(
        y=alt.Y("score:N", sort=None, axis=alt.Axis(title=None, ticks=False, domain=False, labelLimit=200)),
        color=alt.Color("difference is:N", scale=color, legend=None),
        tooltip=style.tooltip("score", "difference", "low", "high", "p"),
    )
    interval = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title="difference", scale=scale, axis=alt.Axis(tickCount=4)), x2="high:Q"
    )
    point = base.mark_point(filled=True, size=64, opacity=1).encode(x="difference:Q")
    zero = alt.Chart(style.data([{"zero": 0}])).mark_rule(color="var(--ink)", opacity=0.5).encode(x="zero:Q")
    backbones = dict.fromkeys((pair.group.backbone_name, pair.baseline.backbone_name))
    title = (" minus ".join(backbones), f"{pair.group.label} minus {pair.baseline.label}")
    return style.spec(zero + interval + point, *title, height=24 * len(rows))
