"""Language by language: names, unseen languages, heat maps and language bias."""

from __future__ import annotations

from study.analysis.groups import groups_of
from study.analysis.languages import heat_maps, heat_table, language_bias_tables, language_name, unseen_languages
from study.analysis.study import Study
from tests.study.synthetic_study import UNSEEN
from tests.study.trial_results import changed


def test_a_language_is_named_and_marked_where_unseen() -> None:
    assert language_name("th") == "Thai (th)"
    assert language_name("vi", frozenset({"vi"})) == "Vietnamese (vi)†"
    assert language_name("xxx") == "xxx"


def test_unseen_are_those_that_no_trial_was_trained_on(synthetic_study: Study) -> None:
    assert unseen_languages(synthetic_study.results, "xquad_r") == set(UNSEEN)
    untrained = [changed(result, steps=0) for result in synthetic_study.results]
    assert unseen_languages(untrained, "xquad_r") == frozenset()


def test_a_heat_map_has_pairs_beside_the_diagonal_and_the_own_language_on_it(synthetic_study: Study) -> None:
    maps = heat_maps(synthetic_study.results, "xquad_r", ("map", "ndcg@10", "no such"))
    assert maps is not None
    measured = synthetic_study.results[5].benchmarks["xquad_r"]
    row, column = maps["rows"].index("ar"), maps["columns"].index("zh")
    values = maps["values"][5]["map"]
    assert values[row][column] == round(measured.by_pair["ar-zh"]["map"], 4)
    assert values[row][row] == round(measured.by_language["monolingual"]["ar"]["map"], 4)
    assert maps["metrics"] == {"map": "mAP", "ndcg@10": "nDCG@10"}


def test_a_heat_map_tells_languages_apart_whose_names_have_hyphens(synthetic_study: Study) -> None:
    (first, *_) = synthetic_study.results
    names, scores = ("pt-BR", "pt-PT", "th"), iter(range(9))
    measured = first.benchmarks["xquad_r"].model_copy(
        update={
            "queries": dict.fromkeys(names, 1),
            "passages": dict.fromkeys(names, 1),
            "by_language": {"monolingual": {name: {"map": next(scores) / 10} for name in names}},
            "by_pair": {f"{q}-{p}": {"map": next(scores) / 10} for q in names for p in names if q != p},
        }
    )
    maps = heat_maps([first.model_copy(update={"benchmarks": {"xquad_r": measured}})], "xquad_r", ("map",))
    assert maps is not None
    assert sorted(maps["rows"]) == sorted(maps["columns"]) == sorted(names)
    values = maps["values"][first.number]["map"]
    assert sorted(value for row in values for value in row) == [n / 10 for n in range(9)]


def test_without_pairs_of_languages_there_is_no_heat_map(synthetic_study: Study) -> None:
    (first, *_) = synthetic_study.results
    without_pairs = first.benchmarks["xquad_r"].model_copy(update={"by_pair": {}})
    alone = first.model_copy(update={"benchmarks": {"xquad_r": without_pairs}})
    assert heat_maps([alone], "xquad_r", ("map",)) is None


def test_without_a_metric_that_was_measured_there_is_no_heat_map(synthetic_study: Study) -> None:
    assert heat_maps(synthetic_study.results, "xquad_r", ("accuracy",)) is None


def test_the_heat_table_has_every_pair(synthetic_study: Study) -> None:
    table = heat_table(synthetic_study.results[0], "xquad_r", "map")
    assert len(table.rows) == 11
    assert all(isinstance(cell.value, float) for row in table.rows for cell in row[1:])


def test_language_bias_stands_by_language_and_group(synthetic_study: Study) -> None:
    groups = groups_of(synthetic_study.results)
    table, preference, *_ = language_bias_tables(groups, "xquad_r", frozenset(UNSEEN))
    assert preference.title.startswith("Language preference by query language: share of questions")
    assert [row[0].text for row in table.rows][-2:] == ["Vietnamese (vi)†", "Chinese (zh)"]
    means = [
        sum(r.benchmarks["xquad_r"].by_language["multilingual"]["zh"]["rank_distance"] for r in group.results) / 2
        for group in groups
    ]
    assert [cell.value for cell in table.rows[-1][1:]] == means
