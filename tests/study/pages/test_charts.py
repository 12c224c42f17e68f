"""Charts hold the figures they are about, and Vega-Lite that Altair's schema accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any

import altair as alt
import pytest

from study.analysis.comparison import Figure, compare
from study.analysis.curves import read_curves
from study.analysis.groups import SAMPLINGS, groups_of
from study.analysis.pairs import choose_pairs
from study.analysis.study import Study
from study.pages import chart_style, charts
from study.pages.forest_charts import forest_charts
from tasks.metrics import language_bias
from tasks.schema import Setting
from tests.study.synthetic_study import OBJECTIVE
from tests.study.trial_results import changed


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all data of a chart, checking it against Vega-Lite's schema on the way."""
    alt.Chart.from_dict(spec)
    return [row for rows in spec["datasets"].values() for row in rows] if "datasets" in spec else _inline(spec)


def _inline(spec: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = list(spec.get("data", {}).get("values", []))
    return rows + [row for layer in spec.get("layer", []) for row in _inline(layer)]


def test_alpha_charts_have_a_point_for_every_trial_and_setting(synthetic_study: Study) -> None:
    drawn = charts.alpha_charts(synthetic_study.results, "xquad_r", "map")
    points = [row for chart in drawn for row in rows_of(chart) if row]
    assert len(drawn) == 2 * 3
    assert {(row["trial"], row["setting"]) for row in points} == {
        (number, setting) for number in range(12) for setting in ("monolingual", "crosslingual", "multilingual")
    }
    first = next(row for row in points if (row["trial"], row["setting"]) == (0, "multilingual"))
    measured = synthetic_study.results[0].metrics["xquad_r/multilingual/map"]
    assert first["value"] == pytest.approx(measured, rel=1e-4)


def test_lines_join_only_trials_that_are_alike_in_all_but_alpha_and_seed(synthetic_study: Study) -> None:
    warmer = [changed(r, temperature=0.1 if r.number % 2 else 0.05) for r in synthetic_study.results]
    rows = rows_of(charts.alpha_charts(warmer, "xquad_r", "map")[0])
    assert {(row["trial"] % 2, row["settings"]) for row in rows} == {(0, "temperature 0.05"), (1, "temperature 0.1")}


def test_lines_are_dashed_by_their_settings_where_there_are_several(synthetic_study: Study) -> None:
    assert charts.alpha_lines(synthetic_study.results) == {}
    warmer = [changed(r, temperature=0.1 if r.number % 2 else 0.05) for r in synthetic_study.results]
    lines = charts.alpha_lines(warmer)
    assert lines == {"temperature 0.05": "1 0", "temperature 0.1": "6 3"}
    (line,) = [
        layer
        for layer in charts.alpha_charts(warmer, "xquad_r", "map")[0]["layer"]
        if "strokeDash" in layer["encoding"]
    ]
    assert line["encoding"]["strokeDash"]["scale"] == {"domain": list(lines), "range": [[1, 0], [6, 3]]}


def test_lines_do_not_join_settings_that_are_equal_only_as_rounded_texts(synthetic_study: Study) -> None:
    close = [changed(r, temperature=0.05012 if r.number % 2 else 0.0501) for r in synthetic_study.results]
    lines = {(row["trial"] % 2, row["line"]) for row in rows_of(charts.alpha_charts(close, "xquad_r", "map")[0])}
    assert lines == {(0, "temperature 0.0501"), (1, "temperature 0.0501 (2)")}
    assert list(charts.alpha_lines(close)) == ["temperature 0.0501", "temperature 0.0501 (2)"]


def test_trials_at_settings_of_their_own_are_points_without_a_line_or_a_place_in_the_legend(
    synthetic_study: Study,
) -> None:
    drawn = [changed(r, temperature=0.01 + r.number / 100) for r in synthetic_study.results]
    assert charts.alpha_lines(drawn) == {}
    rows = rows_of(charts.alpha_charts(drawn, "xquad_r", "map")[0])
    assert {row["line"] for row in rows} == {None}
    assert {row["settings"] for row in rows} >= {"temperature 0.02"}


def test_trials_that_did_not_train_have_no_alpha(synthetic_study: Study) -> None:
    untrained = [changed(result, steps=0) for result in synthetic_study.results]
    assert charts.alpha_charts(untrained, "xquad_r", "map") == []


def test_forest_charts_hold_every_difference_of_a_share(synthetic_study: Study) -> None:
    comparisons = compare(synthetic_study, choose_pairs(synthetic_study), "xquad_r")
    drawn = forest_charts(comparisons)
    assert len(drawn) == 4
    held = [row for row in rows_of(drawn[0]) if "difference" in row]
    assert len({row["score"] for row in held}) == 10
    assert all(row["low"] <= row["difference"] <= row["high"] for row in held)


def test_no_two_charts_of_a_section_have_one_title_and_charts_to_compare_have_one_scale(synthetic_study: Study) -> None:
    results, names = (
        synthetic_study.results,
        {la: la for la in synthetic_study.results[0].benchmarks["xquad_r"].queries},
    )
    groups = groups_of(results)
    forest = forest_charts(compare(synthetic_study, choose_pairs(synthetic_study), "xquad_r"))
    bias = [charts.language_bias_charts(metric, groups, "xquad_r", names) for metric in language_bias()]
    histories = {result.number: result.training.history for result in results}
    learning = charts.learning_charts(results, histories, OBJECTIVE)
    for section in (forest, *bias, charts.alpha_charts(results, "xquad_r", "map"), learning):
        titles = [tuple(chart["title"]) for chart in section]
        assert len(set(titles)) == len(titles)
    for section in (forest, *bias):
        domains = {json.dumps(domain) for chart in section for domain in x_domains(chart)}
        assert len(domains) == bool(section)


def x_domains(spec: dict[str, Any]) -> Iterator[list[float]]:
    for layer in spec.get("layer", [spec]):
        scale = layer["encoding"]["x"].get("scale")
        if scale:
            yield scale["domain"]


def test_differences_from_zero_shot_do_not_stretch_the_scale_of_the_others(synthetic_study: Study) -> None:
    comparisons = compare(synthetic_study, choose_pairs(synthetic_study), "xquad_r")
    pair = comparisons[1].pair
    untrained = replace(pair.baseline, results=tuple(changed(result, steps=0) for result in pair.baseline.results))
    lead = {figure: replace(each, high=0.99) for figure, each in comparisons[1].overall.items()}
    far = replace(comparisons[1], pair=replace(pair, baseline=untrained), overall=lead)
    near, stretched = forest_charts([comparisons[0], far])
    (alone,) = forest_charts(comparisons[:1])
    assert list(x_domains(near)) == list(x_domains(alone)) != list(x_domains(stretched))


def test_a_score_of_which_less_is_better_is_marked(synthetic_study: Study) -> None:
    drawn = forest_charts(compare(synthetic_study, choose_pairs(synthetic_study), "xquad_r"))
    scores = {row["score"] for row in rows_of(drawn[0]) if "score" in row}
    assert {score for score in scores if "↓" in score} == {"multilingual language preference ↓"}


def test_language_bias_charts_hold_every_language_of_every_group(synthetic_study: Study) -> None:
    groups = groups_of(synthetic_study.results)
    names = {language: language.upper() for language in synthetic_study.results[0].benchmarks["xquad_r"].queries}
    for bias in language_bias():
        drawn = charts.language_bias_charts(bias, groups, "xquad_r", names)
        if bias.needs_top_lists:  # which this study did not search
            assert not drawn
            continue
        assert [len(rows_of(chart)) for chart in drawn] == [33, 33]
        assert {row["language"] for row in rows_of(drawn[0])} == set(names.values())


def test_learning_charts_are_loss_and_objective_per_backbone(synthetic_study: Study) -> None:
    histories = {result.number: result.training.history for result in synthetic_study.results}
    drawn = charts.learning_charts(synthetic_study.results, histories, OBJECTIVE)
    assert [len(rows_of(chart)) for chart in drawn] == [60, 30, 60, 30]
    assert charts.learning_charts(synthetic_study.results, {}, OBJECTIVE) == []


def test_the_front_has_no_trial_that_another_beats_on_both() -> None:
    places = [(0.9, 0.2), (0.8, 0.5), (0.8, 0.4), (0.5, 0.5), (0.3, 0.7), (0.2, 0.1)]
    rows = [
        {"trial": number, "alpha": "0.5", "monolingual": mono, "multilingual": multi}
        for number, (mono, multi) in enumerate(places)
    ]
    beaten = {
        number
        for number, (mono, multi) in enumerate(places)
        if any(a >= mono and b >= multi and (a, b) != (mono, multi) for a, b in places)
    }
    assert {row["trial"] for row in charts.pareto(rows)} == set(range(6)) - beaten


def test_a_model_that_was_not_trained_has_no_alpha_on_the_front(synthetic_study: Study) -> None:
    untrained = [changed(result, steps=0) for result in synthetic_study.results]
    spec = charts.tradeoff_chart(untrained, "xquad_r", "map")
    assert spec is not None
    rows = rows_of(spec)
    assert {row["alpha"] for row in rows} == {"–"}
    assert all(row["label"] == f"#{row['trial']}, zero-shot" for row in rows if "label" in row)


def test_every_way_to_sample_batches_has_its_own_colour_and_shape_and_the_legend_names_it() -> None:
    template = files("study.pages").joinpath("templates/report.html").read_text("utf-8")
    for scale in (chart_style.SAMPLING_COLOR, chart_style.SAMPLING_SHAPE):
        assert list(scale.domain) == list(SAMPLINGS)
        assert len(set(scale.range)) == len(SAMPLINGS)
    assert all(f"('{sampling}', " in template for sampling in SAMPLINGS)


def test_a_curve_has_a_band_around_the_mean_of_its_seeds(synthetic_study: Study) -> None:
    curves = read_curves(synthetic_study, "xquad_r")
    drawn = charts.alpha_charts(synthetic_study.results, "xquad_r", "map", curves)
    without = charts.alpha_charts(synthetic_study.results, "xquad_r", "map")
    assert [len(chart["layer"]) for chart in (drawn[0], without[0])] == [3, 2]
    first = next(curve for curve in curves if curve.figure == Figure(Setting.MONOLINGUAL, "map"))
    band = sorted((row for row in rows_of(drawn[0]) if "low" in row), key=lambda row: row["alpha"])
    assert [row["alpha"] for row in band] == [0, 0.5, 1]
    ends = [(value - half, value + half) for value, half in zip(first.values, first.band, strict=True)]
    assert [row["low"] for row in band] == pytest.approx([max(low, 0) for low, _ in ends], abs=1e-3)
    assert [row["high"] for row in band] == pytest.approx([min(high, 1) for _, high in ends], abs=1e-3)


def test_a_title_too_long_for_a_phone_goes_on_in_a_second_line_and_loses_no_word() -> None:
    long = "hybrid (alpha 0.25) minus pair-level hybrid (alpha 0.5)"
    lines = chart_style.spec(alt.Chart(chart_style.data([])).mark_point(), "me5", long)["title"]
    assert lines[0] == "me5"
    assert " ".join(lines[1:]) == long
    assert max(map(len, lines)) <= 42
