"""How all charts of the report look: colours are the page's CSS variables, so that they follow light and dark.

The page has the legends, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from study.analysis.leaderboard import KINDS
from tasks.schema import Setting

Row = dict[str, Any]
Spec = dict[str, Any]
KIND_COLOR = alt.Scale(domain=KINDS, range=["var(--mono)", "var(--cross)", "var(--hybrid)", "var(--muted)"])
KIND_SHAPE = alt.Scale(domain=KINDS, range=["square", "triangle-up", "circle", "cross"])
"""Shape as well as colour, for those who see no difference between the colours."""
SETTING_COLOR = {
    Setting.MONOLINGUAL: "var(--mono)",
    Setting.CROSSLINGUAL: "var(--cross)",
    Setting.MULTILINGUAL: "var(--multi)",
}
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
    "axisQuantitative": {"tickCount": 6},
    "title": {"color": "var(--ink)", "fontSize": 13, "fontWeight": 600, "anchor": "start", "offset": 10},
}


def data(rows: Sequence[Row]) -> alt.InlineData:
    """Return rows as a chart's data."""
    return alt.InlineData(values=list(rows))


def tooltip(*names: str) -> list[alt.Tooltip]:
    """Return what a pointer shows: values as they are in the data."""
    return [alt.Tooltip(f"{name}:N") for name in names]


def rounded(value: float) -> float:
    """Return a figure with as many digits as a chart can show: the page stays small."""
    return float(f"{value:.5g}")


def spec(chart: alt.Chart | alt.LayerChart, title: str, height: int = 240) -> Spec:
    """Return a chart as wide as its place on the page."""
    drawn = chart.properties(title=title, width="container", height=height)
    made: Spec = drawn.to_dict(context={"pre_transform": False})
    return made | {"config": _CONFIG, "autosize": {"type": "fit-x", "contains": "padding"}}
