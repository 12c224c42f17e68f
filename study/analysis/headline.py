"""The answer of a study in a few sentences: how hybrid batches compare, and where the best trial stands.

The terminal and the report show the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from study.analysis import formats
from study.analysis.caveats import caveats
from study.analysis.comparison import Comparison, Figure, compare, leading_figures
from study.analysis.formats import decimals
from study.analysis.groups import HYBRID, ZERO_SHOT, Group, groups_of, merit, ranked, settings_text, varied_settings
from study.analysis.pairs import Pair, choose_pairs
from study.analysis.statistics import Method, holm
from study.analysis.study import Study
from study.analysis.verdict import badge, chosen_from, trained, untested_sentences
from study.config import SEPARATOR
from study.config_sections import VALIDATION
from study.results.layout import StudyError
from study.space.selection import Objective
from tasks.metrics import known_metric, metric
from tasks.schema import Setting

_BACKBONES = 3
"""Most backbones that the answer speaks of; the best trial's is the first."""
_CHARACTERS = 200
"""A sentence is ended before it gets longer."""
_ALWAYS_TOLD = tuple(
    Figure(setting, name) for setting in (Setting.MONOLINGUAL, Setting.MULTILINGUAL) for name in ("map", "mrr")
)
"""Scores that are told where they order two settings otherwise, whatever the verdicts speak of."""
_NAMED = frozenset({"backbone", "alpha", "mixing", "steps", "corpora"})
"""Settings that a trial's description has in other words, if at all."""


def headline(study: Study, compared: Mapping[str, Sequence[Comparison]], figures: Mapping[str, Figure]) -> list[str]:
    """Return the answer on one benchmark, the first of the search space that has comparisons.

    Args:
        study: the study.
        compared: comparisons by benchmark.
        figures: the figure to speak of by benchmark (`comparison.leading_figures`).
    """
    named = [benchmark.key for result in study.results for benchmark in result.config.benchmarks]
    benchmark = next((name for name in [*named, *figures] if name in figures), next(iter(named)))
    comparisons = [one for one in compared.get(benchmark, ()) if figures.get(benchmark) in one.overall]
    best = next(iter(ranked(study.results, study.objective, study.seeds)), None)
    group = next((each for each in groups_of(study.results) if best and each.holds(best.number)), None)
    sentences = list(_verdicts(comparisons, figures[benchmark], benchmark, group)) if comparisons else []
    if not sentences:
        sentences = untested_sentences([one for each in compared.values() for one in each])
    if not sentences:
        sentences = ["No verdict: no backbone has both hybrid trials and a baseline that were measured alike."]
    if best and group:
        where = _place(best.number, group, study, comparisons, benchmark)
        sentences.append(f"{_described(best.number, group, study)}. {where}.")
        sentences += _standing(group, study, benchmark)
    return [
        *sentences,
        *caveats(study),
    ]


def headline_of(study: Study) -> list[str]:
    """Return the answer of a study that nothing was compared in yet."""
    try:
        pairs = choose_pairs(study)
    except StudyError:  # no hybrid trials, for example
        return headline(study, {}, {})
    named = [benchmark.key for result in study.results for benchmark in result.config.benchmarks]
    compared: dict[str, list[Comparison]] = {}
    for benchmark in dict.fromkeys([*named, *study.benchmarks]):
        compared[benchmark] = compare(study, pairs, benchmark)
        if figures := leading_figures(compared, objective=study.objective.metric):
            return headline(study, compared, figures)
    return headline(study, compared, {})


def _verdicts(comparisons: Sequence[Comparison], figure: Figure, benchmark: str, best: Group | None) -> Iterator[str]:
    """Yield how each group compares with its baselines, the best trial's backbone first."""
    by_group: dict[tuple[int, ...], list[Comparison]] = {}
    for comparison in comparisons:
        if figure in comparison.overall:
            by_group.setdefault(comparison.pair.group.numbers, []).append(comparison)
    groups = sorted(by_group.values(), key=lambda group: group[0].pair.group.backbone != (best and best.backbone))
    backbones = list(dict.fromkeys(group[0].pair.group.backbone for group in groups))
    for group in groups:
        if group[0].pair.group.backbone in backbones[:_BACKBONES]:
            start = f"{trained(group[0])}, {figure.name} of {benchmark}: {group[0].pair.group.label} is "
            yield from _sentences(start, "It is ", sorted(_clause(comparison, figure) for comparison in group))
            yield from _turned(group, figure)
    if len(backbones) > _BACKBONES:
        yield "Other backbones are compared below."


def _turned(comparisons: Sequence[Comparison], figure: Figure) -> Iterator[str]:
    """Yield on which other score the order is another, beyond noise: for each baseline, on that which differs most.

    The scores are looked through for such a one, so p is corrected for their number (Holm).
    """
    clauses = []
    for comparison in comparisons:
        order = badge(comparison.pair, comparison.overall[figure], figure.metric)
        looked_at = {
            other: difference
            for other, difference in comparison.overall.items()
            if other != figure and (other.setting is figure.setting or other in _ALWAYS_TOLD)
            if metric(other.metric).bounds == (0, 1)  # others are on scales of their own
        }
        adjusted = holm([difference.p for difference in looked_at.values()])
        others = [
            (abs(difference.value), other)
            for (other, difference), p in zip(looked_at.items(), adjusted, strict=True)
            if badge(comparison.pair, replace(difference, p=p), other.metric) in {"ahead", "behind"} - {order}
        ]
        if others:
            _, other = max(others, key=lambda each: each[0])
            clauses.append(_clause(comparison, other, f" on {other.name}"))
    if clauses:
        yield from _sentences("But it is ", "It is ", clauses)


def _sentences(start: str, again: str, clauses: Sequence[str]) -> Iterator[str]:
    """Yield clauses as sentences that are not too long."""
    sentence = start + clauses[0]
    for clause in clauses[1:]:
        if len(f"{sentence}, {clause}.") > _CHARACTERS:
            yield f"{sentence}."
            sentence = again + clause
        else:
            sentence += f", {clause}"
    yield f"{sentence}."


def _clause(comparison: Comparison, figure: Figure, on: str = "") -> str:
    """Return how a group compares with its baseline; `on` says on which score, where that is not clear."""
    difference, baseline = comparison.overall[figure], comparison.pair.baseline
    own = baseline.backbone == comparison.pair.group.backbone
    other = baseline.label if own else f"{baseline.backbone_name}, {baseline.label}"
    places = decimals(figure.metric)
    gap = f"{formats.signed(difference.value, places)} {formats.interval(difference.low, difference.high, places)}"
    if unequal := comparison.pair.unequal:
        gap += f", and the two also differ in {formats.some_of(list(unequal))}{chosen_from(comparison.pair)}"
    if otherwise := comparison.measured_otherwise:
        gap += f", and the two were measured differently: {formats.some_of(list(otherwise))}"
    if difference.method is Method.QUESTIONS:
        return f"not judged against {other}, as there is one seed only ({gap})"
    if comparison.pair.confounded:
        return f"not judged against {other}, as the two are not at equal settings ({gap})"
    judged = {"ahead": "ahead of", "behind": "behind", "within noise": "within noise of"}
    return f"{judged[badge(comparison.pair, difference, figure.metric)]} {other}{on} ({gap})"


def _described(number: int, group: Group, study: Study) -> str:
    """Return which trial is the best, and by what."""
    objective = study.objective.metric
    mean, seeds = group.mean(objective), len(group.results)
    groups = groups_of(study.results)
    names = [name for name in varied_settings(groups) if name not in _NAMED]
    settings = [group.backbone_name, group.label, *(settings_text(group, [name], groups) for name in names)]
    over = f"on average over {seeds} seeds" if seeds > 1 else "with one seed"
    equal = sum(each.mean(objective) == mean for each in groups) - 1
    others = "1 other setting has" if equal == 1 else f"{equal} other settings have"
    tie = f". {others} exactly the same value; the one tried first was taken" if equal else ""
    if equal and mean is not None and mean == _optimum(study.objective):
        tie += ". No value is better: by this objective nothing can be chosen, so name a trial to `study.export`, with "
        tie += "`--trial`, or take another objective"
    return (
        f"The best trial is {number} ({formats.some_of(settings)}), by {objective}: "
        f"{formats.fixed(mean, decimals(objective))} {over}{tie}"
    )


def _optimum(objective: Objective) -> float | None:
    """Return the best value that an objective can have; None for the loss, which has no bound."""
    if (record := known_metric(objective.metric.rpartition(SEPARATOR)[2])) is None:
        return None
    lowest, highest = record.bounds
    return highest if objective.direction == "maximize" else lowest


def _standing(group: Group, study: Study, benchmark: str) -> Iterator[str]:
    """Yield how many settings are better than the best one by validation on what is reported, by the same metric."""
    name = study.objective.metric.removeprefix(f"{VALIDATION}/")
    reported = Objective(metric=f"{benchmark}/{name}", direction=study.objective.direction)
    merits = {
        each.numbers: merit(each, reported)[0]
        for each in groups_of(study.results)
        if each.mean(reported.metric) is not None
    }
    others = len(merits) - 1
    if group.numbers not in merits or not others:
        return
    better = sum(other > merits[group.numbers] for other in merits.values())
    have = "has" if better == 1 else "have"
    settings = f"{better} of {others} other settings {have}" if better else f"none of {others} other settings has"
    yield f"On {benchmark}, which was not used for selection, {settings} a better {name}."


def _place(number: int, group: Group, study: Study, comparisons: Sequence[Comparison], benchmark: str) -> str:
    """Return what a trial is compared with, or why it is in no verdict."""
    alike = [one for one in comparisons if one.pair.group.backbone == group.backbone]
    own = [
        one
        for one in alike
        if group.numbers in (one.pair.group.numbers, one.pair.baseline.numbers)
        and (HYBRID in (group.sampling, one.pair.group.sampling) or one.pair.baseline.sampling != ZERO_SHOT)
    ]
    compared = {each.numbers for one in own for each in (one.pair.group, one.pair.baseline)}
    others = [one.pair.baseline for one in alike if one.pair.baseline.numbers not in compared]
    if own and all(number in one.left_out for one in own):
        return "It is left out of the verdict: only one of the two that are compared has its seed"
    against = list(dict.fromkeys(one.pair.group.label for one in own if group.numbers == one.pair.baseline.numbers))
    if against:
        return f"It is what {formats.some_of(against)} {'is' if len(against) == 1 else 'are'} compared with"
    reason = _reason(group, others if own else [], study, alike, benchmark)
    if not own:
        untrained = next((one for one in alike if one.pair.group.numbers == group.numbers), None)
        verdict = "no verdict" if untrained is None else f"no other verdict than that against {ZERO_SHOT}"
        return f"It is in {verdict}: {reason}{_way_to_compare(group, study)}"
    with_it = " and ".join(dict.fromkeys(one.pair.baseline.label for one in own))
    if not others:
        return f"It is compared with {with_it}"
    return f"It is compared with {with_it}, not with {' or '.join(other.label for other in others)}: {reason}"


def _way_to_compare(group: Group, study: Study) -> str:
    """Return how to compare a baseline with another one, where the study has both at the same settings."""
    others = [
        each
        for each in groups_of(study.results)
        if each.backbone == group.backbone
        and each.sampling not in (group.sampling, HYBRID, ZERO_SHOT)
        and not Pair(group, each).unequal
    ]
    if group.sampling in (HYBRID, ZERO_SHOT) or not others:
        return ""
    return f"; `study.compare` with `--baseline {others[0].numbers[0]}` compares it with {others[0].label}"


def _reason(
    group: Group, others: Sequence[Group], study: Study, comparisons: Sequence[Comparison], benchmark: str
) -> str:
    """Return why a group is not compared with others (`pairs` has the rules).

    Args:
        group: the group.
        others: baselines that only others of its backbone are compared with; empty if it is in no comparison.
        study: the study.
        comparisons: those of its backbone.
        benchmark: what they are about.
    """
    if any(benchmark not in result.benchmarks for result in group.results):
        return f"it was not measured on {benchmark}"
    is_hybrid, samplings = group.sampling == HYBRID, {other.sampling for other in others}
    wanted = "baseline" if is_hybrid else "hybrid trial"
    rivals = [
        each
        for each in groups_of(study.results)
        if each.backbone == group.backbone
        and (each.sampling == HYBRID) != is_hybrid
        and (not samplings or each.sampling in samplings)
    ]
    if not rivals:
        return f"its backbone has no {wanted}"
    if unequal := _unequal(group, rivals):
        return f"{'none of these' if samplings else f'no {wanted}'} was run at {unequal}"
    seeds = max((min(len(one.pair.group.results), len(one.pair.baseline.results)) for one in comparisons), default=0)
    if not group.config.steps and all(one.pair.baseline.sampling != ZERO_SHOT for one in comparisons):
        return "no comparison with zero-shot was asked for"
    if group.config.steps and len(group.results) < seeds:
        return f"those that are compared have {seeds} seeds, and it has {len(group.results)}"
    return "verdicts compare at the settings where the baseline does best by the objective"


def _unequal(group: Group, rivals: Sequence[Group]) -> str:
    """Return at which settings of a group none of its rivals was run; empty if one was run at all of them."""
    unequal = [Pair(group, rival).unequal for rival in rivals]
    closest = min(unequal, key=len)
    if not closest:
        return ""
    if all(closest.keys() <= each.keys() for each in unequal):
        return f"its {settings_text(group, closest, [group, *rivals])}"
    return f"all of its settings; the closest differs in {formats.some_of(list(closest))}"
