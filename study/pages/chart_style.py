"""The look of the report's charts: colours are the page's CSS variables, which follow light and dark mode.

Legends are on the page, not in the charts.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from study.analysis.groups import HYBRID, PAIRWISE, SAMPLINGS, ZERO_SHOT
from tasks.schema import Setting

Row = dict[str, Any]
Spec = dict[str, Any]
_LOOKS = {
    "X-X-mono": ("var(--mono)", "square"),
    "X-Y": ("var(--cross)", "triangle-up"),
    "X-X": ("var(--multi)", "diamond"),
    "En-En": ("var(--ink)", "triangle-down"),
    PAIRWISE: ("var(--accent)", "triangle-right"),
    HYBRID: ("var(--hybrid)", "circle"),
    ZERO_SHOT: ("var(--muted)", "cross"),
}
SAMPLING_COLOR = alt.Scale(domain=SAMPLINGS, range=[_LOOKS[sampling][0] for sampling in SAMPLINGS])
SAMPLING_SHAPE = alt.Scale(domain=SAMPLINGS, range=[_LOOKS[sampling][1] for sampling in SAMPLINGS])
"""Shapes as well as colours, for readers who cannot tell the colours apart."""
SETTING_COLOR = {
    Setting.MONOLINGUAL: "var(--mono)",
    Setting.CROSSLINGUAL: "var(--cross)",
    Setting.MULTILINGUAL: "var(--multi)",
}
DASHES = ("1 0", "6 3", "2 2", "9 3 2 3", "1 4", "12 4")
"""Dashes and gaps of lines in SVG's terms, the first without gaps."""
_TITLE_WIDTH = 42
"""Characters of a line of a title, so that it fits on a page 390 pixels wide: charts do not break lines themselves."""
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_CONFIG = {
    "background": "transparent",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titlePadding": 8,
    },
    "axisQuantitative": {"tickCount": 6, "labelSeparation": 8},
    "title": {
        "color": "var(--ink)",
        "fontSize": 13,
        "fontWeight": 600,
        "anchor": "start",
        "offset": 10,
    },
}


def data(rows: Sequence[Row]) -> alt.InlineData:
    """Return rows as a chart's data."""
    return alt.InlineData(values=list(rows))


def tooltip(*names: str) -> list[alt.Tooltip]:
    """Return a tooltip with these values as they are in the data."""
    return [alt.Tooltip(f"{name}:N") for name in names]


def rounded(value: float) -> float:
    """Return a value with as many digits as a chart can show, which keeps the page small."""
    return float(f"{value:.5g}")


def extent(values: Iterable[float], *, include: float) -> alt.Scale:
    """Return a scale over all values and one more: charts that share a title share it, so that they can be compared."""
    shown = (*values, include)
    return alt.Scale(domain=[min(shown), max(shown)], nice=True)


def spec(chart: alt.Chart | alt.LayerChart, *title: str, height: int = 240) -> Spec:
    """Return a chart as wide as its place on the page, below its title: a line or more for each part."""
    lines = [line for part in title for line in textwrap.wrap(part, _TITLE_WIDTH)]
    sized = chart.properties(title=lines, width="container", height=height)
    drawn: Spec = sized.to_dict(context={"pre_transform": False})
    return drawn | {"config": _CONFIG, "autosize": {"type": "fit-x", "contains": "padding"}}
