"""Curves of a study's folder: which groups they compare, figures that agree with the reported ones, and sentences."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.analysis.best_setting import BestSettings
from study.analysis.best_text import best_table, best_tables, curve_sentence, curve_table, front_sentence
from study.analysis.comparison import Figure
from study.analysis.curves import Curve, Front, read_curves, read_fronts
from study.analysis.groups import Group, groups_of
from study.analysis.study import Study, read_study
from study.config_values import Schedule
from study.results import layout
from tasks.schema import Setting
from tests.study.synthetic_study import BACKBONES, write_study
from tests.study.trial_results import changed, trial_result

MAP = Figure(Setting.MULTILINGUAL, "map")


@pytest.fixture(scope="module")
def curves(synthetic_study: Study) -> list[Curve]:
    return read_curves(synthetic_study, "xquad_r")


def test_each_backbone_has_a_curve_by_alpha_for_every_figure_with_the_reported_means(curves: list[Curve]) -> None:
    by_map = [curve for curve in curves if curve.figure == MAP]
    assert [curve.groups[0].backbone for curve in by_map] == list(BACKBONES)
    for curve in curves:
        assert curve.labels == ("alpha 0", "alpha 0.5", "alpha 1")
        assert (curve.varied, curve.fixed, curve.seeds, curve.questions) == (("alpha",), "", 2, 40)
        key = f"xquad_r/{curve.figure.setting}/{curve.figure.metric}"
        assert curve.values.tolist() == pytest.approx([group.mean(key) for group in curve.groups])


def test_the_best_is_a_candidate_and_the_smallest_where_smaller_is_better(curves: list[Curve]) -> None:
    lower = {"rank_distance", "language_preference"}
    assert lower < {curve.figure.metric for curve in curves}
    for curve in curves:
        best = curve.values.argmin() if curve.figure.metric in lower else curve.values.argmax()
        assert curve.leader == best
        assert curve.best.candidate_A[best]


def test_a_study_that_varies_the_temperature_too_has_a_curve_at_each_and_all_settings_at_once(
    synthetic_study: Study,
) -> None:
    """The second backbone's trials become the first one's at another temperature."""
    results = tuple(
        changed(result, backbone=BACKBONES[0], temperature=0.02) if result.config.backbone == BACKBONES[1] else result
        for result in synthetic_study.results
    )
    study = Study(synthetic_study.folder, synthetic_study.record, results)
    found = [curve for curve in read_curves(study, "xquad_r") if curve.figure == MAP]
    assert [(curve.varied, curve.fixed, len(curve.groups)) for curve in found] == [
        (("alpha",), "temperature 0.05", 3),
        (("alpha",), "temperature 0.02", 3),
        (("alpha", "temperature"), "", 6),
    ]
    assert "at temperature 0.02, alpha" in curve_sentence(found[1])
    assert "of 6 settings, alpha" in curve_sentence(found[2])
    (front,) = read_fronts(study, "xquad_r")
    assert [str(figure.setting) for figure in front.figures] == ["monolingual", "multilingual", "multilingual"]
    assert len(front.dominated) == 6


def test_many_settings_are_compared_on_the_leading_figure_alone_and_the_table_says_so(
    synthetic_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tuple(
        changed(result, backbone=BACKBONES[0], temperature=0.02) if result.config.backbone == BACKBONES[1] else result
        for result in synthetic_study.results
    )
    study = Study(synthetic_study.folder, synthetic_study.record, results)
    monkeypatch.setattr("study.analysis.curves.MOST_SETTINGS", 5)
    monkeypatch.setattr("study.analysis.best_text.MOST_SETTINGS", 5)
    mrr = Figure(Setting.MULTILINGUAL, "mrr")
    for leading, figure in ((None, MAP), (mrr, mrr)):
        found = read_curves(study, "xquad_r", leading)
        assert [curve.figure for curve in found if len(curve.groups) == 6] == [figure]
        assert len({curve.figure for curve in found if len(curve.groups) == 3}) > 1
        titles = [table.title for table in best_tables(found, figure)]
        assert sum("(on one score, as there are more than 5)" in title for title in titles) == 1


def test_temperatures_that_are_written_alike_are_two_curves(synthetic_study: Study) -> None:
    results = tuple(
        changed(result, backbone=BACKBONES[0], temperature=0.05000001)
        if result.config.backbone == BACKBONES[1]
        else result
        for result in synthetic_study.results
    )
    found = read_curves(Study(synthetic_study.folder, synthetic_study.record, results), "xquad_r")
    assert [len(curve.groups) for curve in found if curve.figure == MAP and curve.varied == ("alpha",)] == [3, 3]


def test_a_setting_that_lacks_a_seed_is_left_out_and_told(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", questions=20, seeds=3, alphas=(0.0, 0.25, 0.5, 1.0), examples=False)
    whole = read_study(folder)
    assert all(not curve.left_out for curve in read_curves(whole, "xquad_r"))
    lacking = next(result for result in whole.results if result.config.alpha == 0.25)
    shutil.rmtree(layout.trial_folder(folder, lacking.number))
    found, other = (curve for curve in read_curves(read_study(folder), "xquad_r") if curve.figure == MAP)
    assert found.labels == ("alpha 0", "alpha 0.5", "alpha 1")
    assert found.left_out == ("alpha 0.25",)
    assert curve_sentence(found).endswith("Left out, as some of these seeds have no result: alpha 0.25.")
    assert "(left out: alpha 0.25)" in best_table([found]).title
    assert other.left_out == ()


def test_a_setting_of_which_no_trial_has_all_seeds_is_told_too(synthetic_study: Study) -> None:
    """The second backbone's trials become the first one's at another temperature, with one seed."""
    results = tuple(
        changed(result, backbone=BACKBONES[0], temperature=0.02) if result.config.backbone == BACKBONES[1] else result
        for result in synthetic_study.results
        if result.config.backbone == BACKBONES[0] or result.config.seed == 0
    )
    study = Study(synthetic_study.folder, synthetic_study.record, results)
    (found,) = (curve for curve in read_curves(study, "xquad_r") if curve.figure == MAP)
    assert found.labels == ("alpha 0", "alpha 0.5", "alpha 1")
    lacking = ("alpha 0, temperature 0.02", "alpha 0.5, temperature 0.02", "alpha 1, temperature 0.02")
    assert found.left_out == lacking


def test_one_seed_has_no_curve(synthetic_study: Study) -> None:
    first = tuple(result for result in synthetic_study.results if result.config.seed == 0)
    study = Study(synthetic_study.folder, synthetic_study.record, first)
    assert not read_curves(study, "xquad_r")
    assert not read_fronts(study, "xquad_r")


def curve(candidates: Sequence[bool], alphas: Sequence[Any] = (0.0, 0.25, 0.5, 1.0)) -> Curve:
    """Return a curve whose second alpha is best."""
    groups = groups_of(trial_result(number, alpha=alpha) for number, alpha in enumerate(alphas))
    lead_A = np.array([-0.01, 0.01, -0.02, -0.2])
    best = BestSettings(np.array(candidates), lead_A, lead_A - 0.03, np.maximum(lead_A + 0.03, 0))
    values_A, band_A = np.array([0.61, 0.62, 0.60, 0.42]), np.full(4, 0.012)
    return Curve("xquad_r", MAP, groups, ("alpha",), "temperature 0.05", values_A, band_A, best, 3, 578, 48)


@pytest.mark.parametrize(
    ("candidates", "told"),
    [
        ((True, True, True, False), "3 settings cannot be told from the best (SURE): alpha 0 to 0.5."),
        ((True, True, False, True), "3 settings cannot be told from the best (SURE): alpha 0; alpha 0.25; alpha 1."),
        ((False, True, False, False), "It is the best beyond noise (SURE)."),
    ],
)
def test_the_sentence_says_which_alphas_cannot_be_told_from_the_best(candidates: tuple[bool, ...], told: str) -> None:
    assert curve_sentence(curve(candidates)) == (
        "xlmr-tiny: of 4 settings at temperature 0.05, alpha 0.25 has the best multilingual mAP, 0.620. "
        + told.replace("SURE", "95 %, 3 seeds, 578 questions about 48 documents")
    )


def test_the_tables_show_band_and_lead_and_candidates_in_bold() -> None:
    rows = curve_table(curve((True, True, True, False))).rows
    assert [cell.text for cell in rows[0]] == ["alpha 0", "0.610", "± 0.012", "−0.010", "[−0.040, +0.020]"]
    assert [row[0].strong for row in rows] == [True, True, True, False]
    (row,) = best_table([curve((True, True, True, False))]).rows
    assert [cell.text for cell in row] == ["multilingual mAP", "alpha 0.25", "0.620", "alpha 0 to 0.5"]


def test_a_schedule_has_its_own_label() -> None:
    scheduled = curve((True, True, True, False), (0.0, Schedule(start=1.0, end=0.0), 0.5, 1.0))
    assert scheduled.labels[1] == "alpha 1→0"


def test_a_schedule_is_not_the_end_of_a_range_of_alphas() -> None:
    scheduled = curve((False, True, True, True), (0.0, 0.5, 1.0, Schedule(start=1.0, end=0.0)))
    assert curve_sentence(scheduled).endswith(": alpha 0.5; alpha 1; alpha 1→0.")


def test_the_sentence_on_the_front_names_what_is_worse_in_everything() -> None:
    groups: tuple[Group, ...] = groups_of(trial_result(n, alpha=alpha) for n, alpha in enumerate((0.0, 0.5, 1.0)))
    front = Front("xquad_r", (Figure(Setting.MONOLINGUAL, "map"), MAP), groups, ("alpha",), {0: [], 1: [], 2: [1]})
    assert front_sentence(front) == (
        "xlmr-tiny: 2 of 3 settings may be on the Pareto front of monolingual mAP and multilingual mAP (95 %): "
        "alpha 0; alpha 0.5. Each of the others is worse in all of them than another setting, beyond noise."
    )
