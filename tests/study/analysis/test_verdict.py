"""The sentence a comparison comes to, and its tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from study.analysis.blocks import block_of
from study.analysis.comparison import Comparison, Figure
from study.analysis.groups import Group, groups_of
from study.analysis.pairs import Pair
from study.analysis.statistics import Difference, Method
from study.analysis.verdict import as_data, badge, differences_table, languages_table, sentence
from study.results.trial_result import BenchmarkResult
from tasks.schema import Setting
from tests.study.trial_results import trial_result

MAP, DISTANCE = Figure(Setting.MULTILINGUAL, "map"), Figure(Setting.MULTILINGUAL, "rank_distance")


def factbook(**details: str) -> dict[str, BenchmarkResult]:
    return {
        "factbook": BenchmarkResult(
            benchmark="factbook",
            revision="1",
            details=details,
            metrics={},
            by_language={},
            by_pair={},
            queries={},
            passages={},
        )
    }


def group(*, measured: dict[str, BenchmarkResult] | None = None, **config: Any) -> Group:
    return groups_of([trial_result(3, measured=measured or factbook(), **config)])[0]


def comparison(found: Difference, figure: Figure = MAP, **baseline: Any) -> Comparison:
    by_language = {figure: {"th": found, "zh": Difference(0, -1, 1, 0.9, (1, 1), 390, 390, 389, Method.QUESTIONS, 2)}}
    return Comparison(Pair(group(alpha=0.5), group(**baseline)), "factbook", {figure: found}, by_language)


def difference(
    value: float, p: float, seeds: tuple[int, int] = (2, 2), method: Method = Method.CROSSED, freedom: float = 12
) -> Difference:
    return Difference(value, value - 0.019, value + 0.019, p, seeds, 390, 390, freedom, method, 7)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            difference(0.031, 0.004),
            (
                "hybrid (alpha 0.5) leads X-Y on multilingual mAP by 0.031 [0.012, 0.050], p = 0.004. Tested over "
                "2 shared seeds and 390 questions (crossed over 7 settings, 12 degrees of freedom)."
            ),
        ),
        (
            difference(-0.004, 0.62, (2, 3), Method.UNPAIRED, 3),
            (
                "hybrid (alpha 0.5) is within noise of X-Y on multilingual mAP, −0.004 [−0.023, +0.015], p = 0.620. "
                "Tested over 2 and 3 seeds and 390 questions (unpaired, 3 degrees of freedom)."
            ),
        ),
        (
            difference(0.031, 0.0001, (3, 0), Method.UNTRAINED, 4.271),
            (
                "hybrid (alpha 0.5) leads X-Y on multilingual mAP by 0.031 [0.012, 0.050], p < 0.001. "
                "Tested over 3 seeds and 390 questions (4.27 degrees of freedom)."
            ),
        ),
        (
            difference(0.031, 0.0001, (0, 0), Method.UNTRAINED, 0),
            (
                "hybrid (alpha 0.5) leads X-Y on multilingual mAP by 0.031 [0.012, 0.050], p < 0.001. "
                "Tested over 390 questions; neither was trained."
            ),
        ),
        (
            difference(0.031, 0.0001, (1, 1), Method.QUESTIONS, 0),
            (
                "hybrid (alpha 0.5) differs from X-Y on multilingual mAP by +0.031 [+0.012, +0.050], p < 0.001. "
                "With one seed each that is no verdict: interval and p hold over 390 questions alone, and "
                "noise between seeds is unknown."
            ),
        ),
    ],
)
def test_the_sentence_says_who_leads_by_how_much_over_what_noise_and_by_which_test(
    found: Difference, expected: str
) -> None:
    assert sentence(comparison(found, alpha=0), MAP) == f"xlmr-tiny: {expected}"


def test_the_sentence_names_the_trials_that_share_no_seed_and_are_left_out() -> None:
    groups = [
        groups_of(trial_result(number, measured=factbook(), alpha=alpha, seed=seed) for number, seed in trials)[0]
        for alpha, trials in ((0.5, ((0, 0), (1, 1), (2, 2))), (0.0, ((3, 0), (4, 1))), (1.0, ((5, 0), (6, 1))))
    ]
    pair = Pair(groups[0], groups[1])
    found = difference(0.031, 0.004)
    compared = Comparison(pair, "factbook", {MAP: found}, {MAP: {"th": found}}, block_of(pair.groups, groups))
    assert compared.left_out == (2,)
    assert sentence(compared, MAP).endswith(". Trial 2 is left out: only one of the two has its seed.")
    assert as_data(compared)["trials_left_out"] == [2]


def test_the_settings_that_tell_a_group_from_others_of_its_sampling_are_named() -> None:
    at = replace(comparison(difference(0.031, 0.004), alpha=0), at="temperature 0.02")
    assert sentence(at, MAP).startswith("xlmr-tiny at temperature 0.02: hybrid (alpha 0.5) leads X-Y")


def test_one_seed_each_is_no_answer() -> None:
    pair, methods = Pair(group(alpha=0.5), group(alpha=0)), (Method.QUESTIONS, Method.CROSSED)
    judged = [badge(pair, difference(0.03, p, method=method), "map") for method in methods for p in (0.01, 0.2)]
    assert judged == ["one seed", "one seed", "ahead", "within noise"]
    assert badge(pair, difference(0.03, 0.01), "rank_distance") == "behind"


def test_a_smaller_rank_distance_leads() -> None:
    found = Difference(-12.3, -20.0, -4.6, 0.02, (2, 2), 390, 390, 14.2, Method.UNPAIRED, 2)
    assert "leads X-X-mono on multilingual rank distance by 12.3 [4.6, 20.0]" in sentence(
        comparison(found, DISTANCE, alpha=1), DISTANCE
    )


def test_another_backbone_is_named() -> None:
    other = comparison(difference(0.031, 0.004), backbone="builtin/labse-tiny", alpha=0.5)
    assert "leads labse-tiny, hybrid (alpha 0.5) on" in sentence(other, MAP)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ((12, 4), ", chosen by validation from 12 hybrid and 4 X-Y settings, which favours the larger number"),
        ((4, 4), ", chosen by validation from 4 hybrid and 4 X-Y settings"),
        ((1, 1), ""),
    ],
)
def test_trained_groups_at_other_settings_are_no_verdict_and_the_sentence_says_what_they_were_chosen_from(
    candidates: tuple[int, int], chosen: str
) -> None:
    other = comparison(difference(0.031, 0.004), alpha=0, temperature=0.1, learning_rate=2e-5)
    other = replace(other, pair=replace(other.pair, candidates=candidates))
    told = sentence(other, MAP)
    assert "hybrid (alpha 0.5) differs from X-Y on multilingual mAP by +0.031 [+0.012, +0.050], p = 0.004." in told
    differ = "temperature (0.05 against 0.1), learning_rate (3e-05 against 2e-05)"
    assert told.endswith(f" That is no verdict, as the two also differ in {differ}{chosen}.")
    assert badge(other.pair, other.overall[MAP], "map") == "other settings"
    assert not any(cell.strong for row in differences_table(other).rows for cell in row)
    assert as_data(other)["chosen_from"] == list(candidates)


def test_an_untrained_group_that_reads_texts_otherwise_is_judged_and_the_setting_is_named() -> None:
    other = comparison(difference(0.031, 0.004), steps=0, max_query_tokens=24)
    assert sentence(other, MAP).endswith(" The two also differ in max_query_tokens (64 against 24).")
    assert badge(other.pair, other.overall[MAP], "map") == "ahead"


def test_measurements_that_differ_are_named() -> None:
    own = factbook(split="test", centring="means of factbook")
    other = factbook(split="test", centring="means of the benchmark", transductive="ar, th")
    pair = Pair(group(alpha=0.5, measured=own), group(steps=0, measured=other))
    compared = Comparison(pair, "factbook", {MAP: difference(0.031, 0.004)})
    assert sentence(compared, MAP).endswith(
        " The two were measured differently: centring (means of factbook against means of the benchmark); transductive "
        "(none against ar, th)."
    )
    assert set(as_data(compared)["measured_otherwise"]) == {"centring", "transductive"}


def test_a_count_that_older_results_lack_is_no_difference_of_measurements() -> None:
    own, old = factbook(split="test", unanswered="3 queries"), factbook(split="test")
    pair = Pair(group(alpha=0.5, measured=own), group(alpha=0, measured=old))
    assert Comparison(pair, "factbook", {MAP: difference(0.031, 0.004)}).measured_otherwise == {}
    other = replace(pair, baseline=group(alpha=0, measured=factbook(split="test", unanswered="4 queries")))
    assert set(Comparison(other, "factbook", {MAP: difference(0.031, 0.004)}).measured_otherwise) == {"unanswered"}


def test_what_is_beyond_noise_is_bold_in_the_tables_by_language_after_holm() -> None:
    found = comparison(difference(0.031, 0.03), alpha=0)
    (overall,) = differences_table(found).rows
    thai, chinese = languages_table(found, MAP).rows
    assert [cell.text for cell in overall] == ["multilingual mAP", "+0.031", "[+0.012, +0.050]", "0.030"]
    assert overall[1].strong
    assert [cell.text for cell in thai] == ["th", "+0.031", "[+0.012, +0.050]", "0.060"]
    assert not thai[1].strong
    assert not chinese[1].strong


def test_as_data_it_holds_every_figure_and_language() -> None:
    data = as_data(comparison(difference(0.031, 0.03), alpha=0))
    assert data["group"] == {"backbone": "builtin/xlmr-tiny", "sampling": "hybrid", "alpha": 0.5, "trials": [3]}
    (figure,) = data["figures"]
    assert (figure["setting"], figure["metric"], figure["p"], figure["seeds"]) == ("multilingual", "map", 0.03, (2, 2))
    assert figure["languages"]["th"]["p_holm"] == 0.06
