"""The answer of a study: who is ahead by its interval, and where the best trial stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from study.analysis.blocks import block_of
from study.analysis.comparison import Comparison, Figure, measured_groups
from study.analysis.headline import headline
from study.analysis.pairs import choose_pairs
from study.analysis.statistics import Difference, Method
from study.analysis.study import Study
from study.results.layout import StudyError
from study.results.study_record import StudyRecord
from study.results.trial_result import BenchmarkResult, FailedTrial, TrialResult
from study.space.selection import DEFAULT_OBJECTIVE
from tasks.schema import Setting
from tests.study.trial_results import objective, trial_result

MAP = Figure(Setting.MULTILINGUAL, "map")
EMPTY = BenchmarkResult(
    benchmark="factbook", revision="1", details={}, metrics={}, by_language={}, by_pair={}, queries={}, passages={}
)
MEASURED = {"factbook": EMPTY}


def trials(score: float, seeds: int = 2, first: int = 0, **config: Any) -> list[TrialResult]:
    return [
        trial_result(
            first + seed,
            {DEFAULT_OBJECTIVE: score},
            measured=MEASURED,
            **{"backbone": "/models/me5", "seed": seed} | config,
        )
        for seed in range(seeds)
    ]


def numbered(groups: Iterable[list[TrialResult]]) -> tuple[TrialResult, ...]:
    everything = [result for group in groups for result in group]
    return tuple(result.model_copy(update={"number": number}) for number, result in enumerate(everything))


def answer(
    *groups: list[TrialResult],
    found: Mapping[str, Difference] | None = None,
    benchmark: str = "factbook",
    baselines: Sequence[str] = (),
) -> list[str]:
    """Return the headline of a study of these trials; differences are by the baseline's sampling."""
    record = StudyRecord(name="toy", search_space={}, objectives=(objective(DEFAULT_OBJECTIVE),))
    study = Study("/studies/toy", record, numbered(groups))
    measured = measured_groups(study, "factbook")
    comparisons = [
        Comparison(
            pair,
            benchmark,
            {MAP: (found or {}).get(pair.baseline.sampling, difference(0.02, 0.001))},
            block=block_of(pair.groups, measured),
        )
        for pair in choose_pairs(study, baselines)
    ]
    return headline(study, {benchmark: comparisons}, {benchmark: MAP})


def difference(value: float, p: float, method: Method = Method.CROSSED) -> Difference:
    return Difference(value, value - 0.01, value + 0.01, p, (2, 2), 390, 390, 12, method, 7)


def test_the_answer_says_how_many_settings_beat_the_best_trial_on_what_is_reported() -> None:
    def both(alpha: float, validation: float, reported: float) -> list[TrialResult]:
        scores = {DEFAULT_OBJECTIVE: validation, "factbook/multilingual/map": reported}
        return [trial_result(0, scores, measured=MEASURED, alpha=alpha)]

    *_, told = answer(both(0.25, 0.5, 0.3), both(1, 0.4, 0.4), both(0, 0.3, 0.2))
    assert told == "On factbook, which was not used for selection, 1 of 2 other settings has a better multilingual/map."
    *_, told = answer(both(0.25, 0.5, 0.5), both(1, 0.4, 0.4), both(0, 0.3, 0.2))
    none = "On factbook, which was not used for selection, none of 2 other settings has a better multilingual/map."
    assert told == none
    *_, told = answer(both(0.25, 0.3, 0.5), both(1, 0.4, 0.5), both(0, 0.3, 0.2))
    assert told == none, "an equal one is not better"


def test_settings_with_the_same_objective_as_the_best_trial_are_told() -> None:
    *_, told = answer(trials(0.6, alpha=0.25), trials(0.6, alpha=1), trials(0.6, alpha=0), trials(0.5, alpha=0.5))
    assert (
        "0.600 on average over 2 seeds. 2 other settings have exactly the same value; the one tried first was taken."
        in told
    )
    *_, told = answer(trials(0.6, alpha=0.25), trials(0.6, alpha=1))
    assert "1 other setting has exactly the same value;" in told
    *_, told = answer(trials(0.6, alpha=0.25), trials(0.5, alpha=1))
    assert "exactly the same" not in told


def test_an_objective_at_its_ceiling_chooses_nothing_and_says_so() -> None:
    *_, told = answer(trials(1.0, 1, steps=0), trials(1.0, alpha=0.25), trials(1.0, alpha=1))
    assert "2 other settings have exactly the same value; the one tried first was taken. No value is better: by" in told
    *_, told = answer(trials(1.0, alpha=0.25), trials(0.9, alpha=1))
    assert "No value is better" not in told


def tied(metric: str, value: float) -> str:
    """Return the end of the answer of a study in which two settings have this value of the objective."""
    record = StudyRecord(name="toy", search_space={}, objectives=(objective(metric),))
    results = numbered([[trial_result(0, {metric: value}, measured=MEASURED, alpha=alpha)] for alpha in (0.25, 0.5)])
    return headline(Study("/studies/toy", record, results), {}, {})[-1]


def test_where_less_is_better_an_objective_is_at_its_best_at_its_lower_bound() -> None:
    metric = "validation/multilingual/language_preference"
    assert "No value is better" in tied(metric, 0.0)
    assert "No value is better" not in tied(metric, 1.0), "the worst value"
    assert "No value is better" not in tied("validation/loss", 1.0), "which has no bound"


def test_a_best_trial_that_no_comparison_was_asked_for_says_that() -> None:
    *_, told = answer(*(trials(0.9, 1, steps=0), trials(0.4, alpha=0.25), trials(0.5, alpha=0)), baselines=["X-Y"])
    assert told.endswith("It is in no verdict: no comparison with zero-shot was asked for.")


def test_the_best_trial_is_compared_with_its_backbone_without_training_whatever_its_batches() -> None:
    untrained = trials(0.1, seeds=1, steps=0)
    first, second, third = answer(untrained, trials(0.4, alpha=0.25), trials(0.6, alpha=0))
    assert first.startswith("me5, multilingual mAP of factbook: hybrid (alpha 0.25) is ahead of X-Y")
    assert "ahead of zero-shot" in first
    assert second == "me5, multilingual mAP of factbook: X-Y is ahead of zero-shot (+0.020 [+0.010, +0.030])."
    assert third.endswith("It is what hybrid (alpha 0.25) is compared with.")
    alone, place = answer(untrained, trials(0.6, alpha=0))
    assert alone == second
    assert place.endswith("It is in no other verdict than that against zero-shot: its backbone has no hybrid trial.")
    *_, place = answer(untrained, trials(0.6, alpha=0), trials(0.5, alpha=1))
    assert place.endswith(
        "its backbone has no hybrid trial; `study.compare` with `--baseline 3` compares it with X-X-mono."
    ), "trials are numbered from 0: one untrained, two each of X-Y and X-X-mono"
    *_, place = answer(untrained, trials(0.6, alpha=0), trials(0.5, alpha=1, temperature=0.2))
    assert place.endswith("its backbone has no hybrid trial."), "at other settings they are not compared"
    *_, best = answer(trials(0.9, seeds=1, steps=0), trials(0.4, alpha=0.25), trials(0.3, alpha=0))
    assert best.endswith("It is what hybrid (alpha 0.25) is compared with.")
    with pytest.raises(StudyError, match="nothing to compare"):  # the untrained one is the best
        answer(untrained, trials(0.05, alpha=0))


def test_leads_are_those_beyond_noise_and_a_baseline_that_is_best_has_its_place() -> None:
    told = answer(
        *(trials(0.5, alpha=0.25), trials(0.4, alpha=1), trials(0.6, alpha=0)),
        found={"X-X-mono": difference(0.024, 0.001), "X-Y": difference(-0.001, 0.7)},
    )
    verdict, best = told
    assert verdict == (
        "me5, multilingual mAP of factbook: hybrid (alpha 0.25) is ahead of X-X-mono (+0.024 [+0.014, +0.034]), "
        "within noise of X-Y (−0.001 [−0.011, +0.009])."
    )
    by = f"by {DEFAULT_OBJECTIVE}: 0.600 on average over 2 seeds"
    assert best == f"The best trial is 4 (me5, X-Y), {by}. It is what hybrid (alpha 0.25) is compared with."


def test_a_score_that_turns_the_order_round_is_told() -> None:
    """A lead in all answers may be paid for with the first hits."""
    record = StudyRecord(name="toy", search_space={}, objectives=(objective(DEFAULT_OBJECTIVE),))
    study = Study("/studies/toy", record, numbered([trials(0.5, alpha=0.25), trials(0.4, alpha=1)]))
    (pair,) = choose_pairs(study)
    block = block_of(pair.groups, measured_groups(study, "factbook"))
    mrr, ndcg, own = (Figure(Setting.MULTILINGUAL, name) for name in ("mrr", "ndcg@10", "language_preference"))
    found = {
        MAP: difference(0.047, 0.001),
        mrr: difference(-0.017, 0.001),
        ndcg: difference(-0.002, 0.6),
        own: difference(-0.1, 0.001),  # lower is better: no contradiction
        Figure(Setting.CROSSLINGUAL, "map"): difference(-0.3, 0.001),  # of another setting, and not the first hits
    }

    def second(**changes: Difference) -> str:
        changed = found | {Figure(*name.split("_", 1)): change for name, change in changes.items()}  # type: ignore[arg-type]
        compared = [Comparison(pair, "factbook", changed, block=block)]
        return headline(study, {"factbook": compared}, {"factbook": MAP})[1]

    assert second() == "But it is behind X-X-mono on multilingual MRR (−0.017 [−0.027, −0.007])."
    assert second(multilingual_map=difference(0.01, 0.4)) == (
        "But it is ahead of X-X-mono on multilingual language preference (−0.100 [−0.110, −0.090])."
    ), "where the two cannot be told apart, the score that tells them apart most"
    assert second(monolingual_mrr=difference(-0.2, 0.001)).startswith("But it is behind X-X-mono on monolingual MRR (")
    lucky = {"multilingual_mrr": difference(-0.017, 0.03), "multilingual_language_preference": difference(-0.1, 0.6)}
    assert "on multilingual MRR" not in second(**lucky), "one p of three below 0.05 may well be luck"


def test_one_seed_each_is_no_judgement() -> None:
    told = answer(
        trials(0.5, 1, alpha=0.25),
        trials(0.4, 1, alpha=1),
        found={"X-X-mono": difference(0.024, 0.001, Method.QUESTIONS)},
    )
    assert "is not judged against X-X-mono, as there is one seed only (+0.024 [" in told[0]
    assert "0.500 with one seed. It is compared with X-X-mono." in told[1]


@pytest.mark.parametrize(
    ("groups", "placed"),
    [
        (
            [trials(0.5, alpha=0.25), trials(0.4, alpha=1), trials(0.9, alpha=0.5, temperature=0.02)],
            "It is in no verdict: no baseline was run at its temperature 0.02.",
        ),
        (
            [
                *(trials(0.5, alpha=0.25), trials(0.4, alpha=1), trials(0.3, 1, steps=0)),
                trials(0.9, alpha=0.5, temperature=0.02),
            ],
            "It is compared with zero-shot, not with X-X-mono: none of these was run at its temperature 0.02.",
        ),
        (
            [
                *(trials(0.5, 3, alpha=0.25), trials(0.4, 3, alpha=1), trials(0.9, 1, alpha=0.5)),
                *(trials(0.1, 1, alpha=0.6), trials(0.1, 1, alpha=0.7)),  # most have one seed: it is not ranked last
            ],
            "It is in no verdict: those that are compared have 3 seeds, and it has 1.",
        ),
        (
            [
                *(trials(0.5, alpha=0.25), trials(0.45, alpha=1)),
                *(trials(0.9, alpha=0.5, temperature=0.02), trials(0.4, alpha=1, temperature=0.02)),
            ],
            "It is in no verdict: verdicts compare at the settings where the baseline does best by the objective.",
        ),
        (
            [trials(0.5, alpha=0.25), trials(0.4, alpha=1), trials(0.9, backbone="LaBSE", alpha=0.5)],
            "It is in no verdict: its backbone has no baseline.",
        ),
        (
            [trials(0.5, alpha=0.25), trials(0.4, alpha=1), trials(0.9, backbone="LaBSE", alpha=1)],
            "It is in no verdict: its backbone has no hybrid trial.",
        ),
    ],
)
def test_the_best_trial_has_its_place_or_the_reason_why_it_is_in_no_verdict(
    groups: list[list[TrialResult]], placed: str
) -> None:
    *_, last = answer(*groups)
    assert last.endswith(placed), last


def test_a_setting_that_a_baseline_was_run_at_is_not_said_to_be_one_that_none_was_run_at() -> None:
    """One baseline has its temperature and the other its learning rate; none has both."""
    cold: dict[str, Any] = {"temperature": 0.02}
    slow: dict[str, Any] = {"learning_rate": 1e-5}
    *_, last = answer(
        *(trials(0.5, alpha=0.25, **cold), trials(0.4, alpha=1, **cold)),
        *(trials(0.5, alpha=0.25, **slow), trials(0.4, alpha=0, **slow)),
        trials(0.9, alpha=0.5, **cold, **slow),
    )
    none = "It is in no verdict: no baseline was run at all of its settings; the closest differs in learning_rate."
    assert last.endswith(none), last


def test_a_baseline_that_others_are_compared_with_too_is_named_once() -> None:
    groups = trials(0.9, alpha=0.5), trials(0.5, alpha=1), trials(0.3, 1, steps=0)
    *_, last = answer(*groups, baselines=["4"])
    assert last.endswith("It is compared with zero-shot."), last


def test_settings_that_are_not_compared_and_differ_are_named_in_the_answer() -> None:
    first, *_ = answer(trials(0.9, alpha=0.5, max_passage_tokens=24), trials(0.3, 1, steps=0))
    assert first.endswith(", and the two also differ in max_passage_tokens)."), first


def test_groups_without_equal_settings_are_not_judged_and_the_answer_says_what_they_were_chosen_from() -> None:
    best, *_ = answer(
        *(trials(score, alpha=alpha, temperature=0.02) for score, alpha in ((0.9, 0.25), (0.8, 0.5), (0.7, 0.75))),
        trials(0.5, alpha=0, temperature=0.1),
    )
    assert best == (
        "me5, multilingual mAP of factbook: hybrid (alpha 0.25) is not judged against X-Y, as the two are not at equal "
        "settings (+0.020 [+0.010, +0.030], and the two also differ in temperature, chosen by validation from 3 hybrid "
        "and 1 X-Y setting, which favours the larger number)."
    )


def test_a_pair_that_was_measured_otherwise_is_told_in_the_answer() -> None:
    otherwise = EMPTY.model_copy(update={"details": {"centring": "means of the benchmark"}})
    untrained = [one.model_copy(update={"benchmarks": {"factbook": otherwise}}) for one in trials(0.3, 1, steps=0)]
    first, *_ = answer(trials(0.9, alpha=0.5), untrained)
    assert first.endswith(", and the two were measured differently: centring)."), first


def test_a_seed_that_only_one_of_the_two_has_leaves_the_best_trial_out() -> None:
    lucky = trials(0.5, 3, alpha=0.25)
    lucky[2] = lucky[2].model_copy(update={"metrics": {DEFAULT_OBJECTIVE: 0.9}})
    *_, last = answer(lucky, trials(0.4, alpha=1), trials(0.4, alpha=0))
    assert last.startswith("The best trial is 2 (me5, hybrid (alpha 0.25)), by ")
    assert last.endswith("It is left out of the verdict: only one of the two that are compared has its seed.")


def test_every_backbone_is_a_sentence_and_no_sentence_is_long() -> None:
    groups = [
        trials(0.5 + place / 10, backbone=f"/models/a-backbone-with-a-long-name-{place}", alpha=alpha, mixing=mixing)
        for place in range(4)
        for alpha, mixing in ((0.25, "batch"), (0, "batch"), (1, "batch"), (1, "pair"), (0.5, "pair"))
    ]
    told = answer(*groups)
    assert told[0].startswith("a-backbone-with-a-long-name-3, multilingual mAP of factbook: hybrid (alpha 0.25) is ")
    assert "Other backbones are compared below." in told
    assert all(len(part) <= 200 for sentence in told for part in sentence.split(". "))


def test_a_study_without_pairs_still_places_its_best_trial() -> None:
    record = StudyRecord(name="toy", search_space={}, objectives=(objective(DEFAULT_OBJECTIVE),))
    study = Study("/studies/toy", record, numbered([trials(0.5, alpha=0.25), trials(0.6, alpha=0.5)]))
    none, last = headline(study, {}, {})
    assert none == "No verdict: no backbone has both hybrid trials and a baseline that were measured alike."
    assert last.endswith("It is in no verdict: its backbone has no baseline.")


def test_settings_whose_seeds_were_stopped_early_are_named() -> None:
    space = {"search": {"seeds": 2}, "scheduler": "asha"}
    record = StudyRecord(name="toy", search_space=space, objectives=(objective(DEFAULT_OBJECTIVE),))
    results = numbered([trials(0.9, seeds=1, alpha=0.5), trials(0.6, alpha=0)])
    told = headline(Study("/studies/toy", record, results), {}, {})
    assert told[-1].startswith("Not all 2 seeds have a result at alpha 0.5: where early stopping or a failure took the")
    assert told[-1].endswith("Settings with fewer seeds are ranked after the others.")
    alone = numbered([*(trials(0.9, seeds=1, alpha=alpha) for alpha in (0.25, 0.5, 0.75)), trials(0.6, alpha=0)])
    told = headline(Study("/studies/toy", record, alone), {}, {})
    assert told[1].startswith("The best trial is 3 (me5, X-Y)"), "though most have one seed"
    whole = numbered([trials(0.9, alpha=0.5), trials(0.6, alpha=0)])
    assert not any("seeds have" in one for one in headline(Study("/studies/toy", record, whole), {}, {}))


def test_a_seed_that_is_missing_in_a_grid_of_seeds_is_told() -> None:
    axes = {
        "seed": {"type": "int", "low": 0, "high": 1},
        "alpha": {"type": "float", "low": 0, "high": 0.5, "step": 0.5},
    }
    results = numbered([trials(0.9, seeds=1, alpha=0.5), trials(0.6, alpha=0)])

    def told(sampler: str) -> str:
        space = {"search": {"sampler": sampler, "space": axes}}
        record = StudyRecord(name="toy", search_space=space, objectives=(objective(DEFAULT_OBJECTIVE),))
        return " ".join(headline(Study("/studies/toy", record, results), {}, {}))

    assert "Not all 2 seeds have a result at alpha 0.5: where early stopping" in told("grid")
    assert "seeds have a result" not in told("random"), "which draws seeds as it draws alpha"


def test_a_pair_without_hybrid_trials_is_named_as_it_is() -> None:
    told = answer(trials(0.5, alpha=1), trials(0.6, alpha=0), baselines=["2"])
    assert told[-1].endswith("It is what X-X-mono is compared with.")


def test_questions_that_were_trained_on_are_in_the_answer() -> None:
    record = StudyRecord(name="toy", search_space={}, objectives=(objective(DEFAULT_OBJECTIVE),))
    asked = {"th": 150, "zh": 1150}
    results = []
    for result, seen in zip(numbered([trials(0.5, alpha=0.25), trials(0.6, alpha=0.5)]), (12, 12, 0, 3), strict=True):
        measured = {name: one.model_copy(update={"queries": asked}) for name, one in result.benchmarks.items()}
        update = {"seen_questions": {"factbook": seen, "never measured": 7}, "benchmarks": measured}
        results.append(result.model_copy(update=update))
    told = headline(Study("/studies/toy", record, tuple(results)), {}, {})
    assert told[-2:] == [
        f"{of} trained on {seen} of the 1,300 questions of factbook: its figures are not those of unseen questions."
        for of, seen in (("Trials 0, 1 were", 12), ("Trial 3 was", 3))
    ]


def test_corpora_that_were_too_large_to_be_searched_for_test_questions_are_named_once() -> None:
    record = StudyRecord(name="toy", search_space={}, objectives=(objective(DEFAULT_OBJECTIVE),))
    results = [
        result.model_copy(update={"not_searched": not_searched})
        for result, not_searched in zip(
            numbered([trials(0.5, alpha=0.25), trials(0.6, alpha=0.5)]),
            ({"factbook": ("mmarco",)}, {"factbook": ("mmarco",)}, {"miracl": ("mmarco",)}, {}),
            strict=True,
        )
    ]
    told = headline(Study("/studies/toy", record, tuple(results)), {}, {})
    assert told[-1] == (
        "Corpus mmarco has too many questions to be searched for those of factbook, miracl: whether they were trained "
        "on is not known."
    )


def test_trials_that_failed_are_named() -> None:
    record = StudyRecord(name="toy", search_space={}, objectives=(objective(DEFAULT_OBJECTIVE),))
    results = numbered([trials(0.5, alpha=0.25)])
    reason = "out of memory: lower micro_batch_tokens (now 4096)"
    failed = [FailedTrial(number=number, config=results[0].config, failed=reason) for number in (2, 3)]
    told = headline(Study("/studies/toy", record, results, tuple(failed)), {}, {})
    assert told[-1] == "Trials 2, 3 failed (out of memory) and are in no figure."
    failed[1] = failed[1].model_copy(update={"failed": "the gradient is not finite at step 3: lower learning_rate"})
    told = headline(Study("/studies/toy", record, results, tuple(failed)), {}, {})
    assert told[-2:] == [
        "Trial 2 failed (out of memory) and is in no figure.",
        "Trial 3 failed (the gradient is not finite at step 3) and is in no figure.",
    ]
