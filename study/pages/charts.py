"""The report's charts as Vega-Lite specifications, one per panel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import altair as alt

from study.analysis import formats
from study.analysis.comparison import Figure
from study.analysis.curves import Curve
from study.analysis.formats import metric_name
from study.analysis.groups import ZERO_SHOT, Group, differing, sampling_of
from study.config_values import Schedule
from study.pages import chart_style as style
from study.pages.chart_style import Row, Spec
from study.results.trial_result import TrialResult
from tasks.metric import Metric
from tasks.metrics import metric
from tasks.schema import Setting

_LABEL_HEIGHTS = 4
"""Labels of a front are at several heights in turn, so that neighbours do not overlap."""
_QUARTERS = alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f")


def alpha_charts(
    results: Sequence[TrialResult], benchmark: str, metric: str, curves: Sequence[Curve] = ()
) -> list[Spec]:
    """Return, per backbone and setting, a metric against alpha, one point per trial.

    Lines connect means over seeds of trials that differ only in alpha and seed, dashed as `alpha_lines` says if there
    are several; a trial at settings of its own is a point alone. Trials whose alpha has a schedule are left out. Curves
    that are given have a band around their line (`analysis.best_setting.curve_band`), drawn within the bounds of the
    metric.
    """
    charts, dash = [], _dash(alpha_lines(results))
    for backbone, trials in _by_backbone(results).items():
        fixed = _at_one_alpha(trials)
        alike, lines = differing([trial.config for trial in fixed]), _lines(fixed)
        for setting in Setting:
            rows = [
                _identity(trial)
                | {"alpha": trial.config.alpha, "settings": settings, "setting": setting}
                | {"line": lines.get(trial.number), "value": style.rounded(value)}
                for trial, settings in zip(fixed, alike, strict=True)
                if (value := trial.metrics.get(f"{benchmark}/{setting}/{metric}")) is not None
            ]
            base = alt.Chart(style.data(rows)).encode(
                x=alt.X("alpha:Q", title="alpha", scale=alt.Scale(domain=[0, 1]), axis=_QUARTERS),
                color=alt.value(style.SETTING_COLOR[setting]),
            )
            line = (
                base.transform_filter("datum.line !== null")
                .mark_line(strokeWidth=2, opacity=0.7)
                .encode(
                    y=alt.Y("mean(value):Q", title=None, scale=alt.Scale(zero=False)),
                    detail="line:N",
                    strokeDash=dash,
                )
            )
            shown = style.tooltip("trial", "seed", "alpha", "settings", "value")
            points = base.mark_point(filled=True, size=44, opacity=0.8).encode(
                y=alt.Y("value:Q", title=None), tooltip=shown
            )
            layers = [_band(curve) for curve in curves if _is_of(curve, trials[0].config.backbone, setting, metric)]
            chart = alt.LayerChart(layer=[*layers, line, points])
            charts += [style.spec(chart, backbone, Figure(setting, metric).name, height=200)] if rows else []
    return charts


def alpha_lines(results: Sequence[TrialResult]) -> dict[str, str]:
    """Return the settings of each line in charts against alpha, with its dashes in SVG's terms.

    Empty if no backbone has several lines.
    """
    by_backbone = [_lines(_at_one_alpha(trials)) for trials in _by_backbone(results).values()]
    names = dict.fromkeys(name for lines in by_backbone for name in lines.values() if name)
    return {name: style.DASHES[place % len(style.DASHES)] for place, name in enumerate(names)}


def _lines(trials: Sequence[TrialResult]) -> dict[int, str]:
    """Return the name of each trial's line, its settings, for trials of one backbone that have others at another alpha.

    Lines whose settings are equal as rounded texts are numbered.
    """
    texts = differing([trial.config for trial in trials])
    alike: dict[tuple[str, str], list[TrialResult]] = {}
    for trial, text in zip(trials, texts, strict=True):
        alike.setdefault((text, trial.config.model_dump_json(exclude={"alpha", "seed"})), []).append(trial)
    lines: dict[int, str] = {}
    count: Counter[str] = Counter()
    for (text, _), members in alike.items():
        if len({trial.config.alpha for trial in members}) > 1:
            count[text] += 1
            name = text if count[text] == 1 else f"{text} ({count[text]})"
            lines |= {trial.number: name for trial in members}
    return lines


def _at_one_alpha(results: Sequence[TrialResult]) -> list[TrialResult]:
    """Return the trained trials whose alpha has no schedule."""
    return [trial for trial in results if trial.config.steps and not isinstance(trial.config.alpha, Schedule)]


def _dash(lines: Mapping[str, str]) -> alt.StrokeDash:
    """Return how lines are told apart by their settings."""
    dashes = [[int(length) for length in dash.split()] for dash in lines.values()]
    scale = alt.Scale(domain=list(lines), range=dashes) if lines else alt.Undefined
    return alt.StrokeDash("line:N", scale=scale, legend=None)


def _is_of(curve: Curve, backbone: str, setting: Setting, metric: str) -> bool:
    """Return whether a curve by alpha alone is drawn in a chart."""
    drawn = (curve.groups[0].backbone, curve.figure, curve.varied)
    return drawn == (backbone, Figure(setting, metric), ("alpha",))


def _band(curve: Curve) -> alt.Chart:
    lowest, highest = metric(curve.figure.metric).bounds
    rows = [
        {
            "alpha": group.alpha,
            "low": style.rounded(max(float(value - half), lowest)),
            "high": style.rounded(min(float(value + half), highest)),
        }
        for group, value, half in zip(curve.groups, curve.values, curve.band, strict=True)
        if not isinstance(group.alpha, Schedule)
    ]
    area = alt.Chart(style.data(rows)).mark_area(opacity=0.15, color=style.SETTING_COLOR[curve.figure.setting])
    band: alt.Chart = area.encode(x="alpha:Q", y=alt.Y("low:Q", title=None, scale=alt.Scale(zero=False)), y2="high:Q")
    return band


def language_bias_charts(bias: Metric, groups: Sequence[Group], benchmark: str, names: Mapping[str, str]) -> list[Spec]:
    """Return, per backbone, a metric by query language, one point per group; `names` maps codes to names."""
    rows: list[Row] = [
        {
            "language": names[language],
            bias.title: style.rounded(value),
            "batches": group.sampling,
            "trials": group.label,
            "backbone": group.backbone_name,
        }
        for group in groups
        for language, value in group.by_language(benchmark, Setting.MULTILINGUAL, bias.name).items()
    ]
    scale = style.extent((row[bias.title] for row in rows), include=0)
    charts = []
    for backbone in dict.fromkeys(row["backbone"] for row in rows):
        shown = [row for row in rows if row["backbone"] == backbone]
        chart = (
            alt.Chart(style.data(shown))
            .mark_point(filled=True, size=70, opacity=0.9)
            .encode(
                x=alt.X(f"{bias.title}:Q", title=None, scale=scale),
                y=alt.Y("language:N", axis=alt.Axis(title=None, grid=True, ticks=False, domain=False)),
                color=alt.Color("batches:N", scale=style.SAMPLING_COLOR, legend=None),
                shape=alt.Shape("batches:N", scale=style.SAMPLING_SHAPE, legend=None),
                tooltip=style.tooltip("language", "trials", bias.title),
            )
        )
        charts.append(style.spec(chart, backbone, bias.title, height=22 * len({row["language"] for row in shown})))
    return charts


def tradeoff_chart(results: Sequence[TrialResult], benchmark: str, metric: str) -> Spec | None:
    """Return monolingual against multilingual quality, and the trials that no other beats on both (Pareto)."""
    keys = [f"{benchmark}/{setting}/{metric}" for setting in (Setting.MONOLINGUAL, Setting.MULTILINGUAL)]
    rows = [
        {
            "monolingual": style.rounded(result.metrics[keys[0]]),
            "multilingual": style.rounded(result.metrics[keys[1]]),
            "batches": sampling_of(result.config, result.training_languages),
            "backbone": result.config.backbone,
            **_identity(result),
        }
        for result in results
        if all(key in result.metrics for key in keys)
    ]
    if not rows:
        return None
    x, y = (
        alt.X("monolingual:Q", title=f"monolingual {metric_name(metric)}", scale=alt.Scale(zero=False)),
        alt.Y("multilingual:Q", title=f"multilingual {metric_name(metric)}", scale=alt.Scale(zero=False)),
    )
    points = (
        alt.Chart(style.data(rows))
        .mark_point(filled=True, size=64, opacity=0.85)
        .encode(
            x=x,
            y=y,
            color=alt.Color("batches:N", scale=style.SAMPLING_COLOR, legend=None),
            shape=alt.Shape("batches:N", scale=style.SAMPLING_SHAPE, legend=None),
            tooltip=style.tooltip("trial", "backbone", "alpha", "seed", "monolingual", "multilingual"),
        )
    )
    front = pareto(rows)
    line = alt.Chart(style.data(front)).mark_line(color="var(--ink)", opacity=0.5, strokeDash=[4, 3]).encode(x=x, y=y)
    labels = [
        alt.Chart(style.data(front[height::_LABEL_HEIGHTS]))
        .mark_text(dx=8, dy=-8 - 13 * height, align="left", fontSize=11, color="var(--muted)")
        .encode(x=x, y=y, text="label:N")
        for height in range(min(_LABEL_HEIGHTS, len(front)))  # Vega warns of layers without data
    ]
    return style.spec(alt.LayerChart(layer=[line, points, *labels]), height=340)


def pareto(rows: Sequence[Row]) -> list[Row]:
    """Return the trials that no other beats on monolingual and multilingual quality, by falling monolingual."""
    front: list[Row] = []
    for row in sorted(rows, key=lambda row: (-row["monolingual"], -row["multilingual"])):
        if not front or row["multilingual"] > front[-1]["multilingual"]:
            batches = ZERO_SHOT if row["alpha"] == formats.NOTHING else f"alpha {row['alpha']}"
            front.append(row | {"label": f"#{row['trial']}, {batches}"})
    return front


def learning_charts(
    results: Sequence[TrialResult], histories: Mapping[int, Sequence[Row]], objective: str
) -> list[Spec]:
    """Return, per backbone, loss and objective over the steps; `histories` maps trial numbers to reports in order."""
    charts = []
    for backbone, trials in _by_backbone(results).items():
        for measure in ("loss", objective):
            rows = [
                {
                    "step": report["step"],
                    "value": style.rounded(report[measure]),
                    "batches": sampling_of(result.config, result.training_languages),
                }
                | _identity(result)
                for result in trials
                for report in histories.get(result.number, ())
                if measure in report
            ]
            chart = (
                alt.Chart(style.data(rows))
                .mark_line(strokeWidth=1.5, opacity=0.8, point=alt.OverlayMarkDef(size=14))
                .encode(
                    x=alt.X("step:Q", title="step"),
                    y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
                    color=alt.Color("batches:N", scale=style.SAMPLING_COLOR, legend=None),
                    detail="trial:N",
                    tooltip=style.tooltip("trial", "alpha", "seed", "step", "value"),
                )
            )
            charts += [style.spec(chart, backbone, formats.key_name(measure))] if rows else []
    return charts


def _by_backbone(results: Sequence[TrialResult]) -> dict[str, list[TrialResult]]:
    """Return the trials of each backbone by its short name."""
    names = formats.short_names(result.config.backbone for result in results)
    return {name: [r for r in results if r.config.backbone == backbone] for backbone, name in sorted(names.items())}


def _identity(result: TrialResult) -> Row:
    alpha = formats.setting(result.config.alpha) if result.config.steps else formats.NOTHING
    return {"trial": result.number, "alpha": alpha, "seed": result.config.seed}
