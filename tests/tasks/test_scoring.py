from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.schema import Setting
from tasks.scoring import POSITIONS, metrics_of, query_scores

# query, its language, passage's language and pool, grade, position in the pool, position in the union
ROWS = [
    ("q1", "th", "th", "th", 1, 1, 1),
    ("q1", "th", "zh", "zh", 1, 4, 9),
    ("q1", "zh", "th", "th", 1, 2, 5),
    ("q1", "zh", "zh", "zh", 1, 1, 2),
    ("q2", "th", "th", "th", 1, 2, 3),
    ("q2", "th", "th", "th", 3, 4, 6),
    ("q3", "th", "ar", "ar", 1, 5, 8),
]


def table(rows: list[tuple[str, str, str, str, int, int, int]]) -> pa.Table:
    named = dict(zip(POSITIONS.names, zip(*((*row, row[0]) for row in rows), strict=True), strict=True))
    return pa.table(named).cast(POSITIONS)


def test_monolingual_averages_over_queries_then_languages() -> None:
    scores = metrics_of(table(ROWS), "b", [Setting.MONOLINGUAL], ["mrr", "map"])
    assert scores.by_language == {
        "monolingual": {
            "th": {"mrr": pytest.approx((1 + 1 / 2) / 2), "map": pytest.approx((1 + (1 / 2 + 2 / 4) / 2) / 2)},
            "zh": {"mrr": 1.0, "map": 1.0},
        }
    }
    assert scores.metrics == {
        "b/monolingual/mrr": pytest.approx((0.75 + 1) / 2),
        "b/monolingual/map": pytest.approx(0.875),
    }
    assert scores.by_pair == {}


def test_crosslingual_averages_over_ordered_pairs_however_many_queries_each_has() -> None:
    extra = ("q4", "th", "zh", "zh", 1, 1, 1)
    scores = metrics_of(table([*ROWS, extra]), "b", [Setting.CROSSLINGUAL], ["mrr"])
    pairs = {"th-ar": 1 / 5, "th-zh": (1 / 4 + 1) / 2, "zh-th": 1 / 2}
    assert scores.by_pair == {pair: {"mrr": pytest.approx(value)} for pair, value in pairs.items()}
    assert scores.metrics == {"b/crosslingual/mrr": pytest.approx(sum(pairs.values()) / 3)}
    assert scores.by_language["crosslingual"]["th"] == {"mrr": pytest.approx((pairs["th-ar"] + pairs["th-zh"]) / 2)}


def test_multilingual_counts_the_relevant_passages_of_all_pools_and_adds_language_bias() -> None:
    scores = metrics_of(table(ROWS), "b", [Setting.MULTILINGUAL], ["map"])
    map_th = ((1 + 2 / 9) / 2 + (1 / 3 + 2 / 6) / 2 + 1 / 8) / 3
    map_zh = (1 / 2 + 2 / 5) / 2
    assert scores.metrics == {
        "b/multilingual/map": pytest.approx((map_th + map_zh) / 2),
        "b/multilingual/rank_distance": pytest.approx(((8 + 3) / 2 + 3) / 2),
        "b/multilingual/language_preference": 1.0,
        "b/multilingual/worst_position": pytest.approx(((9 + 6) / 2 + 5) / 2),
        "b/multilingual/complete@100": 1.0,
    }


def test_language_bias_is_left_out_where_every_query_has_one_answer() -> None:
    scores = metrics_of(table(ROWS[-1:]), "b", [Setting.MULTILINGUAL], ["mrr"])
    assert scores.metrics == {"b/multilingual/mrr": pytest.approx(1 / 8)}


def test_a_setting_without_queries_is_left_out() -> None:
    scores = metrics_of(table(ROWS[-1:]), "b", list(Setting), ["accuracy"])
    assert set(scores.by_language) == {"crosslingual", "multilingual"}


def test_lists_of_several_pools_of_one_language_stay_apart() -> None:
    rows = [
        ("a1", "th", "en", "th-en", 1, 1, 0),
        ("a1", "zh", "en", "zh-en", 1, 3, 0),
        ("a1", "zh", "en", "x", 1, 1, 0),
    ]
    scores = metrics_of(table(rows), "tatoeba", [Setting.CROSSLINGUAL], ["accuracy"])
    assert scores.by_pair == {"th-en": {"accuracy": 1.0}, "zh-en": {"accuracy": 0.5}}
    assert scores.metrics == {"tatoeba/crosslingual/accuracy": 0.75}


def test_query_scores_name_every_list_once() -> None:
    scores = query_scores(table(ROWS), Setting.MONOLINGUAL, ["ndcg@10", "mrr"])
    rows = sorted(
        zip(*(scores[name].to_pylist() for name in ("query_id", "query_language", "pool", "mrr")), strict=True)
    )
    assert rows == [("q1", "th", "th", 1.0), ("q1", "zh", "zh", 1.0), ("q2", "th", "th", 0.5)]


def test_figures_do_not_depend_on_the_order_of_rows_nor_on_a_trip_through_parquet(tmp_path: Path) -> None:
    expected = metrics_of(table(ROWS), "b", list(Setting), ["map", "ndcg@10"])
    pq.write_table(table(ROWS[::-1]), tmp_path / "positions.parquet", row_group_size=2)
    assert metrics_of(pq.read_table(tmp_path / "positions.parquet"), "b", list(Setting), ["map", "ndcg@10"]) == expected


def test_a_union_that_was_not_measured_gives_no_figures() -> None:
    unmeasured = table(ROWS).set_column(6, "position_in_union", pa.nulls(len(ROWS), pa.int64()))
    with pytest.raises(AssertionError, match="position_in_union was not measured"):
        metrics_of(unmeasured, "b", [Setting.MULTILINGUAL], ["map"])
