"""What is compared with what: at equal settings, so that a kind with more trials has no advantage."""

from __future__ import annotations

from typing import Any

import pytest

from study.analysis.pairs import choose_pairs
from study.analysis.study import Study
from study.config_sections import WindowsConfig
from study.results.layout import StudyError
from study.results.study_record import StudyRecord
from tests.study.trial_results import objective, trial_result

OBJECTIVE = objective("validation/multilingual/map")


def study_of(*trials: tuple[float, dict[str, Any]]) -> Study:
    """Return a study of trials given by objective and settings."""
    results = (trial_result(n, {OBJECTIVE.metric: score}, **config) for n, (score, config) in enumerate(trials))
    return Study("/nowhere/small", StudyRecord(name="small", search_space={}, objectives=(OBJECTIVE,)), tuple(results))


def chosen(study: Study, *baselines: str) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(pair.group.numbers, pair.baseline.numbers) for pair in choose_pairs(study, baselines)]


def test_hybrid_meets_its_end_at_equal_settings_though_a_better_trial_has_others() -> None:
    study = study_of(
        *((0.5, {"alpha": 0}), (0.6, {"alpha": 0.5})),
        *((0.9, {"alpha": 0.5, "temperature": 0.02}), (0.8, {"alpha": 0.7, "temperature": 0.02})),
    )
    assert chosen(study, "X-Y") == [((1,), (0,))]
    assert choose_pairs(study, ["X-Y"])[0].unequal == {}


def test_of_several_equal_settings_those_are_chosen_where_the_end_does_best_and_there_the_best_alpha() -> None:
    warm = {"temperature": 0.1}
    study = study_of(
        *((0.5, {"alpha": 0}), (0.9, {"alpha": 0.5})),
        *((0.6, {"alpha": 0} | warm), (0.65, {"alpha": 0.5} | warm), (0.7, {"alpha": 0.8} | warm)),
    )
    assert chosen(study, "X-Y") == [((4,), (2,))]


def test_most_seeds_come_before_the_best() -> None:
    warm = {"temperature": 0.1}
    study = study_of(
        *((0.5, {"alpha": 0}), (0.5, {"alpha": 0, "seed": 1}), (0.5, {"alpha": 0.5}), (0.5, {"alpha": 0.5, "seed": 1})),
        *((0.6, {"alpha": 0} | warm), (0.9, {"alpha": 0.5} | warm)),
    )
    assert chosen(study, "X-Y") == [((2, 3), (0, 1))]


def test_where_no_settings_are_equal_the_best_meet_and_what_differs_is_known() -> None:
    study = study_of(
        *((0.5, {"alpha": 0}), (0.7, {"alpha": 0, "temperature": 0.02})),
        *((0.9, {"alpha": 0.5, "temperature": 0.1}), (0.6, {"alpha": 0.4, "temperature": 0.3})),
    )
    (pair,) = choose_pairs(study, ["X-Y"])
    assert (pair.group.numbers, pair.baseline.numbers) == ((2,), (1,))
    assert pair.unequal == {"temperature": (0.1, 0.02)}
    assert pair.confounded
    assert pair.candidates == (2, 2)


@pytest.mark.parametrize(
    ("setting", "confounded"),
    [({"micro_batch_tokens": 512, "gradient_checkpointing": True}, False), ({"resources": {"workers": 2}}, False),
     ({"micro_batch_tokens": 512, "learning_rate": 1e-3}, True)],
)  # fmt: skip
def test_settings_that_change_time_and_memory_alone_take_no_verdict(setting: dict[str, Any], confounded: bool) -> None:
    (pair,) = choose_pairs(study_of((0.5, {"alpha": 0}), (0.9, {"alpha": 0.5} | setting)), ["X-Y"])
    assert pair.unequal.keys() == setting.keys()
    assert pair.confounded == confounded


def test_a_trial_that_is_named_as_the_baseline_was_chosen_from_no_others() -> None:
    study = study_of((0.5, {"alpha": 0}), *((0.6, {"alpha": 0.5, "temperature": 0.1 * n}) for n in range(1, 4)))
    (pair,) = choose_pairs(study, ["0"])
    assert pair.candidates == (3, 1)


def test_an_untrained_backbone_has_no_settings_of_training_to_be_equal() -> None:
    study = study_of((0.1, {"steps": 0, "alpha": 0.5}), (0.5, {"alpha": 0.5, "temperature": 0.2}))
    (pair,) = choose_pairs(study, ["zero-shot"])
    assert (pair.group.numbers, pair.baseline.numbers, pair.unequal) == ((1,), (0,), {})


def test_most_seeds_count_against_an_untrained_backbone_too() -> None:
    study = study_of(
        (0.1, {"steps": 0}),
        (0.9, {"alpha": 0.25}),
        *((0.5, {"alpha": 0.5, "seed": seed}) for seed in range(3)),
    )
    assert chosen(study, "zero-shot") == [((2, 3, 4), (0,))]


def test_a_trial_without_a_result_is_no_baseline() -> None:
    study = study_of((0.5, {"alpha": 0}), (0.6, {"alpha": 0.5}))
    with pytest.raises(StudyError, match="trial 18 has no result to compare with: trials with one are 0, 1"):
        choose_pairs(study, ["18"])


@pytest.mark.parametrize(
    ("setting", "value", "default"),
    [
        ("pooling", "first", None),
        ("query_prefix", "คำถาม: ", None),
        ("passage_prefix", "答案：", None),
        ("max_query_tokens", 24, 64),
        ("max_passage_tokens", 24, 256),
        ("precision", "bf16", "fp32"),
        ("windows", WindowsConfig(tokens=32, stride=16), None),
    ],
)
def test_an_untrained_backbone_that_reads_texts_in_another_way_is_not_at_equal_settings(
    setting: str, value: object, default: object
) -> None:
    study = study_of((0.1, {"steps": 0}), (0.5, {"alpha": 0.5, setting: value, "temperature": 0.2}))
    (pair,) = choose_pairs(study, ["zero-shot"])
    assert pair.unequal == {setting: (value, default)}


def test_hybrid_is_compared_with_every_other_way_to_sample_batches_at_equal_settings() -> None:
    english = [{"name": "factbook", "languages": ["en"]}]
    study = study_of(
        *((0.5, {"alpha": 0.5}), (0.4, {"alpha": 1}), (0.4, {"alpha": 0})),
        *((0.4, {"alpha": 1, "mixing": "pair"}), (0.4, {"alpha": 0.5, "mixing": "pair"})),
        *((0.4, {"alpha": 1, "corpora": english}), (0.3, {"steps": 0})),
    )
    pairs = choose_pairs(study)
    assert {pair.group.label for pair in pairs} == {"hybrid (alpha 0.5)"}
    assert [pair.baseline.label for pair in pairs] == [
        *("X-X-mono", "X-Y", "X-X", "En-En", "pair-level hybrid (alpha 0.5)", "zero-shot")
    ]
    assert all(pair.unequal == {} for pair in pairs)


def test_cross_lingual_pairs_are_x_y_whether_batches_or_pairs_are_drawn() -> None:
    study = study_of((0.5, {"alpha": 0.5}), (0.4, {"alpha": 0, "mixing": "pair"}))
    assert [pair.baseline.label for pair in choose_pairs(study)] == ["X-Y"]
