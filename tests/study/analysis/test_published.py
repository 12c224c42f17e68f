"""Ours beside the paper's: only what was measured alike."""

from __future__ import annotations

from typing import Any

import pytest

from study.analysis.groups import HYBRID, Group, groups_of
from study.analysis.published import published_tables
from study.analysis.study import Study
from study.config import TrialConfig
from tasks.published import read_published
from tests.study.synthetic_study import BACKBONES, OBJECTIVE
from tests.study.trial_results import changed, objective

XLMR, LABSE = BACKBONES
RANKED = objective(OBJECTIVE)


@pytest.fixture
def groups(synthetic_study: Study) -> tuple[Group, ...]:
    return groups_of(synthetic_study.results)


def rows(groups: tuple[Group, ...], **options: Any) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the cells of the hybrid columns by backbone and figure."""
    found = {}
    for table in published_tables(groups, "xquad_r", RANKED, **options):
        first = table.headings.index("hybrid (alpha 0.5) ours")
        for row in table.rows:
            found[table.title.split()[0], row[0].text] = tuple(cell.text for cell in row[first : first + 3])
    return found


def test_a_row_holds_ours_theirs_and_the_difference(groups: tuple[Group, ...]) -> None:
    theirs = read_published().map["LaBSE"]["XQuAD-R"]["mean"]["multilingual"]["hybrid"]
    (hybrid,) = (group for group in groups if (group.backbone, group.sampling) == (LABSE, "hybrid"))
    ours = hybrid.mean("xquad_r/multilingual/map")
    assert ours is not None
    expected = (f"{ours:.3f}", f"{theirs:.3f}", f"{ours - theirs:+.3f}".replace("-", "−"))
    assert rows(groups)[LABSE, "multilingual mAP"] == expected


def test_the_figures_are_those_that_the_paper_reports(groups: tuple[Group, ...]) -> None:
    figures = [figure for backbone, figure in rows(groups) if backbone == XLMR]
    assert figures == [
        *("monolingual mAP", "cross-lingual mAP", "multilingual mAP"),
        *("monolingual Recall@1", "cross-lingual Recall@1", "multilingual Recall@10", "multilingual rank distance"),
    ]


def test_languages_stand_beside_the_papers(groups: tuple[Group, ...]) -> None:
    theirs = read_published().map["XLM-R"]["XQuAD-R"]["th"]["monolingual"]["hybrid"]
    assert rows(groups, by_language=True)[XLMR, "monolingual mAP, th"][1] == f"{theirs:.3f}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("details", {"context": "sentence+paragraph"}),
        ("queries", {"th": 40, "zh": 40}),
    ],
)
def test_another_protocol_or_other_languages_are_not_compared(
    groups: tuple[Group, ...], key: str, value: dict[str, Any]
) -> None:
    results = []
    for group in groups:
        other = group.results[0].benchmarks["xquad_r"].model_copy(update={key: value})
        results.append(group.results[0].model_copy(update={"benchmarks": {"xquad_r": other}}))
    assert published_tables(groups_of(results), "xquad_r", RANKED) == ()


@pytest.mark.parametrize(
    ("details", "tables"), [({"split": "dev"}, 1), ({}, 1), ({"split": "train"}, 0), ({"variant": "hard_negatives"}, 0)]
)
def test_miracl_stands_beside_the_papers_figures_on_its_development_set_alone(
    groups: tuple[Group, ...], details: dict[str, str], tables: int
) -> None:
    theirs = read_published().miracl_dev_monolingual["XLM-R"]
    measured = (
        groups[0]
        .results[0]
        .benchmarks["xquad_r"]
        .model_copy(
            update={
                "details": {"variant": "full"} | details,
                "queries": {language: 40 for language in theirs if language != "mean"},
                "metrics": {f"miracl/monolingual/{metric}": 0.5 for metric in theirs["mean"]},
            }
        )
    )
    result = changed(groups[0].results[0], alpha=0.5, backbone=XLMR)
    result = result.model_copy(update={"benchmarks": {"miracl": measured}, "metrics": measured.metrics})
    assert len(published_tables(groups_of([result]), "miracl", RANKED)) == tables


def test_another_backbone_or_benchmark_is_not_compared(groups: tuple[Group, ...]) -> None:
    assert published_tables(groups, "factbook", RANKED) == ()
    others = [changed(result, backbone="builtin/xlmr-tiny") for group in groups for result in group.results]
    assert published_tables(groups_of(others), "xquad_r", RANKED) == ()


@pytest.mark.parametrize("alpha", [0.3, {"start": 0.5, "end": 0.4}])
def test_hybrid_batches_of_another_alpha_than_the_papers_are_not_compared(
    groups: tuple[Group, ...], alpha: float | dict[str, float]
) -> None:
    config = TrialConfig.model_validate({"alpha": alpha})
    others = [
        changed(result, alpha=config.alpha) if group.sampling == HYBRID else result
        for group in groups
        for result in group.results
    ]
    tables = published_tables(groups_of(others), "xquad_r", RANKED)
    assert len(tables) == 2
    assert not any("hybrid" in heading for table in tables for heading in table.headings)
