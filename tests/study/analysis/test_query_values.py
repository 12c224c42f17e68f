"""Values by unit and question: their macro averages are the reported metrics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from study.analysis.query_values import query_values
from tasks.relevance import relevance
from tasks.schema import Setting
from tasks.scoring import metrics_of, positions_table
from tests.parallel_benchmark import parallel_benchmark

METRICS = ("map", "ndcg@10", "mrr")


@pytest.fixture(scope="module")
def positions() -> pa.Table:
    data = parallel_benchmark()
    found = relevance(data)
    in_pool, in_union = np.random.default_rng(0).integers(1, 40, (2, len(found.query_T)))
    return positions_table(data, found, in_pool, in_union)


@pytest.mark.parametrize("setting", list(Setting))
def test_their_macro_average_is_the_reported_metric(positions: pa.Table, setting: Setting) -> None:
    values = query_values(positions, setting, METRICS)
    reported = metrics_of(positions, "parallel", [setting], METRICS).metrics
    for metric in METRICS:
        rows = [row for row, unit in enumerate(values.units) if unit.metric == metric]
        macro = np.nanmean(values.values_UQ[rows], axis=1).mean()
        assert macro == pytest.approx(reported[f"parallel/{setting}/{metric}"])


def test_a_question_has_a_value_only_in_the_languages_it_is_asked_in(positions: pa.Table) -> None:
    values = query_values(positions, Setting.MULTILINGUAL, ["map"])
    asked = set(zip(positions["query_language"].to_pylist(), positions["query_id"].to_pylist(), strict=True))
    held = {
        (unit.query_language, question)
        for unit, row in zip(values.units, values.values_UQ, strict=True)
        for question, value in zip(values.questions, row, strict=True)
        if not np.isnan(value)
    }
    assert held == asked
    assert len(held) < values.values_UQ.size


def test_the_order_of_rows_does_not_matter(positions: pa.Table) -> None:
    shuffled = positions.take(np.random.default_rng(1).permutation(positions.num_rows))
    one, other = (query_values(table, Setting.CROSSLINGUAL, METRICS) for table in (positions, shuffled))
    assert one.same_questions(other)
    np.testing.assert_array_equal(one.values_UQ, other.values_UQ)


def test_other_questions_are_noticed(positions: pa.Table) -> None:
    fewer = positions.slice(40)
    one, other = (query_values(table, Setting.MULTILINGUAL, ["map"]) for table in (positions, fewer))
    assert not one.same_questions(other)


def test_a_metric_without_values_has_no_units(positions: pa.Table) -> None:
    """Rank distance where every list has one answer."""
    values = query_values(positions, Setting.MONOLINGUAL, ["map", "rank_distance"])
    assert {unit.metric for unit in values.units} == {"map"}


def test_questions_with_the_same_answers_are_about_one_document() -> None:
    data = parallel_benchmark()
    answers = dict(data.qrels) | {"q1": data.qrels["q0"], "q2": dict(list(data.qrels["q0"].items())[:1])}
    found = replace(data, qrels=answers).document_of()
    assert found["q1"] == found["q0"]
    assert len(set(found.values())) == len(found) - 1
    said = replace(data, qrels=answers, documents={"q1": "a", "q3": "a"}).document_of()
    assert said["q1"] == said["q3"] == "a" != said["q0"]
    assert replace(data, qrels=answers | {"q4": {}}).document_of().keys() == found.keys() - {"q4"}
