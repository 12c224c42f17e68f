"""How often a difference between groups of trials is found: where there is none, and where there is one.

    python experiments/2026-11-23-type-one-error/type_one_error.py [STUDY]

Simulated: 1,000 comparisons a row, on 200 questions in 11 languages. A value is a logistic function of a sum of normal
effects: of the question and of the question in its language (shared by all trials); of the seed, and of the seed in a
language (they move whole figures); of the seed on a question, and on a question in a language. Both groups are drawn
alike but for a shift of the one, which is 0 where the type-I error is measured.

Real: with the folder of a study that has six or more seeds of a configuration, those seeds are dealt into two groups
of two in every possible way; whatever differs then is noise.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, islice
from typing import NamedTuple

import numpy as np
from scipy import stats

from study.analysis.comparison import query_values
from study.analysis.statistics import Floats, differences, holm
from study.analysis.study import Group, Study, groups_of, read_study
from study.results.layout import hardware, versions
from tasks.schema import Setting

QUESTIONS, LANGUAGES, RUNS, RESAMPLES = 200, 11, 1_000, 1_000
TOGETHER = 50
"""Comparisons made at a time."""
SEVERAL = ((2, 2), (3, 3), (5, 5))


class Noise(NamedTuple):
    """Standard deviations of what a seed does, on the logistic scale."""

    seed: float
    seed_language: float
    seed_question: float = 0.6
    seed_question_language: float = 1.0


NONE, SMALL, MIDDLE, LARGE = Noise(0.0, 0.0), Noise(0.04, 0.05), Noise(0.15, 0.2), Noise(0.3, 0.4)


class Case(NamedTuple):
    """What the trials of two groups are drawn from."""

    name: str
    noise: Noise
    other: Noise
    """Of the second group."""
    shift: float = 0.0
    """Of the first group, on the logistic scale: 0.3 is about 0.05 of a figure near 0.5."""
    by_question: float = 0.0
    """Standard deviation over questions of a further shift of the first group, which is 0 on average."""


ALIKE = (
    Case("none", NONE, NONE),
    Case("small", SMALL, SMALL),
    Case("middle", MIDDLE, MIDDLE),
    Case("large", LARGE, LARGE),
)
APART = (
    Case("small", SMALL, SMALL, shift=0.3),
    Case("middle", MIDDLE, MIDDLE, shift=0.3),
)
UNLIKE = (
    Case("middle against small", MIDDLE, SMALL),
    Case("middle; better and worse by question", MIDDLE, MIDDLE, by_question=0.5),
    Case("small; better and worse by question", SMALL, SMALL, by_question=0.5),
)


def main() -> None:
    """Print the report as Markdown."""
    print("# Type-I error and power of `study.analysis.statistics`\n")
    print(
        f"Found at 5 %, in percent; {RUNS} simulated comparisons a row, {QUESTIONS} questions, {LANGUAGES} languages."
    )
    _simulated("No difference, trials of both groups drawn alike: 3 to 7 is right", ALIKE, ((1, 1), *SEVERAL, (2, 3)))
    _simulated("No difference, trials not drawn alike", UNLIKE, SEVERAL)
    _simulated("A difference: power", APART, SEVERAL)
    if len(sys.argv) > 1:
        _real(read_study(sys.argv[1]))
    print(f"\n{hardware()}, {versions()}")


def group(noise: Noise, trials: int, question_UQ: Floats, random: np.random.Generator) -> Floats:
    """Return values of one group of trials, (trials, languages, questions)."""
    effect_SUQ = (
        noise.seed * random.normal(size=(trials, 1, 1))
        + noise.seed_language * random.normal(size=(trials, LANGUAGES, 1))
        + noise.seed_question * random.normal(size=(trials, 1, QUESTIONS))
        + noise.seed_question_language * random.normal(size=(trials, LANGUAGES, QUESTIONS))
    )
    return np.asarray(1 / (1 + np.exp(-(question_UQ + effect_SUQ))))


def comparisons(case: Case, trials: tuple[int, int]) -> Iterator[tuple[Floats, Floats]]:
    """Yield simulated groups, each pair on its own questions."""
    random = np.random.default_rng([*trials, round(1000 * case.shift), round(1000 * case.noise.seed)])
    for _ in range(RUNS):
        question_UQ = random.normal(0, 1.2, QUESTIONS) + random.normal(0, 0.8, (LANGUAGES, QUESTIONS))
        shift_Q = case.by_question * random.normal(size=QUESTIONS) if case.by_question else 0.0
        first = group(case.noise, trials[0], question_UQ + case.shift + shift_Q, random)
        yield first, group(case.other, trials[1], question_UQ, random)


def found_by(pairs: Sequence[tuple[Floats, Floats]]) -> Counter[str]:
    """Return how often each test finds a difference at 5 %: ours, its interval and languages, and others.

    The units of all pairs stand in one array: they share the draws of questions, which `differences` makes once.
    """
    a_SUQ, b_SUQ = (np.concatenate(groups, axis=1) for groups in zip(*pairs, strict=True))
    units_P = np.arange(a_SUQ.shape[1]).reshape(len(pairs), -1)
    wholes = {(number, None): units.tolist() for number, units in enumerate(units_P)}
    languages = {(number, unit): [unit] for number, units in enumerate(units_P) for unit in units.tolist()}
    ours = differences(a_SUQ, b_SUQ, {**wholes, **languages}, RESAMPLES)
    flips = differences(a_SUQ.mean(axis=0)[None], b_SUQ.mean(axis=0)[None], wholes, RESAMPLES)
    counts: Counter[str] = Counter()
    for number, (units, pair) in enumerate(zip(units_P.tolist(), pairs, strict=True)):
        whole, (a_SQ, b_SQ) = ours[number, None], (values_SUQ.mean(axis=1) for values_SUQ in pair)
        low, high = bootstrap_of_both(a_SQ, b_SQ)
        several = len(a_SQ) + len(b_SQ) > 2
        counts["ours"] += whole.p <= 0.05
        counts["its interval"] += not whole.low <= 0 <= whole.high
        counts["any language (Holm)"] += min(holm([ours[number, unit].p for unit in units])) <= 0.05
        counts["sign flips"] += flips[number, None].p <= 0.05
        counts["bootstrap of both"] += not low <= 0 <= high
        counts["t of figures"] += bool(several and stats.ttest_ind(a_SQ.mean(axis=1), b_SQ.mean(axis=1)).pvalue <= 0.05)
    return counts


def bootstrap_of_both(a_SQ: Floats, b_SQ: Floats) -> tuple[float, float]:
    """Return the 95 % interval of the usual hierarchical bootstrap: seeds resampled, then questions."""
    random = np.random.default_rng(0)

    def drawn_figures(values_SQ: Floats) -> Floats:
        trials = len(values_SQ)
        count_RS = random.multinomial(trials, np.full(trials, 1 / trials), RESAMPLES) / trials
        return np.asarray((count_RS * (drawn_questions(values_SQ.shape[1]) @ values_SQ.T)).sum(axis=1))

    low, high = np.quantile(drawn_figures(a_SQ) - drawn_figures(b_SQ), [0.025, 0.975])
    return float(low), float(high)


@cache
def drawn_questions(questions: int) -> Floats:
    """Return each question's share (R, Q) of every bootstrap sample."""
    return np.random.default_rng(1).multinomial(questions, np.full(questions, 1 / questions), RESAMPLES) / questions


def _simulated(title: str, cases: tuple[Case, ...], sizes: tuple[tuple[int, int], ...]) -> None:
    rows = []
    for trials in sizes:
        for case in cases:
            counts, gap, spread, drawn = Counter[str](), 0.0, 0.0, comparisons(case, trials)
            while pairs := list(islice(drawn, TOGETHER)):
                counts.update(found_by(pairs))
                gap += sum(float(a_SUQ.mean() - b_SUQ.mean()) for a_SUQ, b_SUQ in pairs) / RUNS
                if trials[0] > 1:
                    spread += sum(float(a_SUQ.mean(axis=(1, 2)).var(ddof=1)) for a_SUQ, _ in pairs) / RUNS
            shown = f"{np.sqrt(spread):.4f}" if spread else ""
            rows.append(([f"{trials[0]} against {trials[1]}", case.name, shown, f"{gap:+.3f}"], counts, RUNS))
    _print(title, ("trials", "noise between seeds", "spread of seeds", "difference"), rows)


def _real(study: Study) -> None:
    rows = [
        _dealt(study, held, benchmark, setting)
        for held in groups_of(study.results)
        if len(held.results) > 5
        for benchmark in study.benchmarks
        for setting in (Setting.MONOLINGUAL, Setting.MULTILINGUAL)
    ]
    _print("Real trials dealt into two groups of two", ("group", "setting", "mAP", "spread of seeds"), rows)


def _dealt(study: Study, held: Group, benchmark: str, setting: Setting) -> tuple[list[str], Counter[str], int]:
    values_SUQ = np.stack(
        [query_values(study.positions(n, benchmark), setting, ["map"]).values_UQ for n in held.numbers]
    )
    deals = [
        (values_SUQ[[four[0], other]], values_SUQ[[seed for seed in four[1:] if seed != other]])
        for four in combinations(range(len(values_SUQ)), 4)
        for other in four[1:]
    ]
    figure_S = values_SUQ.mean(axis=(1, 2))
    name = f"{held.backbone}, alpha {held.alpha}, {len(figure_S)} seeds"
    return [name, setting, f"{figure_S.mean():.3f}", f"{figure_S.std(ddof=1):.4f}"], found_by(deals), len(deals)


def _print(title: str, names: tuple[str, ...], rows: list[tuple[list[str], Counter[str], int]]) -> None:
    tests = ("ours", "its interval", "any language (Holm)", "sign flips", "bootstrap of both", "t of figures")
    print(f"\n## {title}\n\n| {' | '.join((*names, *tests))} |\n|{' --- |' * (len(names) + len(tests))}")
    for cells, counts, runs in rows:
        print(f"| {' | '.join((*cells, *(f'{100 * counts[test] / runs:.1f}' for test in tests)))} |", flush=True)


if __name__ == "__main__":
    main()
