"""How often tests of `study.compare` find a difference: where there is none, and where there is one.

    python experiments/2026-11-26-crossed-statistics/level_and_power.py

1,000 simulated studies a row (`simulation`). The first setting is compared with the last. The last column is the median
ratio of the widths of the two intervals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from scipy import special
from simulation import LANGUAGES, LARGE, MIDDLE, NONE, SMALL, Case, Design, figures

from study.analysis.crossed import Crossed
from study.analysis.statistics import Floats, holm, unpaired
from study.results.provenance import hardware, versions

RUNS = 1_000
DESIGNS = (Design(3, 2), Design(6, 2), Design(3, 3), Design(5, 3), Design(6, 5), Design(5, 3, 30), Design(5, 3, 600))
USUAL = (Design(3, 2), Design(3, 3), Design(5, 3), Design(6, 5))
ALIKE = (
    Case("none", NONE),
    Case("small", SMALL),
    Case("middle", MIDDLE),
    Case("small; seeds matter much", SMALL, common=LARGE),
    Case("middle; questions better and worse", MIDDLE, by_question=0.5),
    Case("small; seeds matter much; questions better and worse", SMALL, common=LARGE, by_question=0.5),
)
UNLIKE = (
    Case("middle, growing along the settings", MIDDLE, common=MIDDLE, unlike="slope"),
    Case("small, the first setting three times", SMALL, common=MIDDLE, unlike="one setting"),
)
UNPAIRED = (*ALIKE[:3], ALIKE[4], Case("small; questions better and worse", SMALL, by_question=0.5))
TESTS = (
    "crossed",
    "its interval",
    "any language (Holm)",
    "Hillis",
    "t within seeds",
    "unpaired",
    "questions only",
)


def main() -> None:
    """Print all tables as Markdown."""
    print("# Level and power of the tests\n")
    print(f"In percent of {RUNS:,} studies, at 5 %; the standard error of a percentage near 5 is 0.7.")
    table("No difference: 3 to 7 is right", [(case, design) for design in DESIGNS for case in ALIKE])
    table("No difference, settings that do not vary alike", [(case, d) for d in USUAL[1:] for case in UNLIKE])
    rows = [
        (shifted(case, design, shift), design)
        for design in USUAL
        for case, shift in ((ALIKE[1], 0.1), (ALIKE[2], 0.3), (ALIKE[3], 0.1))
    ]
    table("A difference: power", rows)
    unpaired_table()
    print(f"\n{hardware()}, {versions()}")


def shifted(case: Case, design: Design, shift: float) -> Case:
    """Return the case with the first setting ahead of all others."""
    return Case(case.name, case.own, case.common, shift=(shift, *(0.0,) * (design.settings - 1)))


def studies(case: Case, design: Design) -> Iterator[Floats]:
    """Yield simulated studies, the same ones every time."""
    random = np.random.default_rng([*design, *case.name.encode(), round(1000 * sum(case.shift))])
    return (case.values(design, random) for _ in range(RUNS))


def table(title: str, rows: list[tuple[Case, Design]]) -> None:
    """Print one row for each case and design."""
    names = ("settings", "seeds", "questions", "noise", "difference", *TESTS, "crossed / unpaired")
    print(f"\n## {title}\n\n| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    for case, design in rows:
        counts, gaps, ratios = Counter[str](), [], []
        for values_ASLQ in studies(case, design):
            found, gap, ratio = answers(values_ASLQ)
            counts.update(found)
            gaps.append(gap)
            ratios.append(ratio)
        cells = " | ".join(f"{100 * counts[test] / RUNS:.1f}" for test in TESTS)
        print(f"| {design} | {case.name} | {np.mean(gaps):+.3f} | {cells} | {np.median(ratios):.2f} |", flush=True)


def answers(values_ASLQ: Floats) -> tuple[dict[str, bool], float, float]:
    """Return which tests find a difference, the difference, and how wide the interval is beside the unpaired one's."""
    last = len(values_ASLQ) - 1
    crossed = Crossed(figures(values_ASLQ))
    found = crossed.difference(0, last)
    languages = [p_alone(Crossed(figures(values_ASLQ[:, :, [language]]))) for language in range(LANGUAGES)]
    whole = {"all": range(LANGUAGES)}
    alone = unpaired(values_ASLQ[0], values_ASLQ[last], whole)["all"]
    questions = unpaired(values_ASLQ[0].mean(axis=0)[None], values_ASLQ[last].mean(axis=0)[None], whole)["all"]
    within_S = (values_ASLQ[0] - values_ASLQ[last]).mean(axis=(1, 2))
    t = within_S.mean() / np.sqrt(within_S.var(ddof=1) / len(within_S))
    rejected = {
        "crossed": found.p <= 0.05,
        "its interval": not found.low <= 0 <= found.high,
        "any language (Holm)": min(holm(languages)) <= 0.05,
        "Hillis": hillis(crossed) <= 0.05,
        "t within seeds": bool(2 * special.stdtr(len(within_S) - 1, -abs(t)) <= 0.05),
        "unpaired": alone.p <= 0.05,
        "questions only": questions.p <= 0.05,
    }
    return rejected, found.value, (found.high - found.low) / (alone.high - alone.low)


def p_alone(crossed: Crossed) -> float:
    """Return p of the first setting against the last, without the interval, which takes most of the time."""
    weight_A = np.zeros(len(crossed.figures))
    weight_A[0], weight_A[-1] = 1.0, -1.0
    return 2 * crossed.contrast_errors(weight_A[None])[0].tail(abs(float(weight_A @ crossed.figures)))


def hillis(crossed: Crossed) -> float:
    """Return p of the first setting against the last: noise always pooled, one t with Hillis's degrees of freedom."""
    values_ASQ = crossed.values_ASQ
    _, seeds, questions = values_ASQ.shape
    pooled, freedom = crossed.pooled_variance.value, crossed.pooled_variance.freedom
    table_SQ = values_ASQ[0] - values_ASQ[-1]
    residual_SQ = table_SQ - table_SQ.mean(axis=0)
    residual_SQ -= residual_SQ.mean(axis=1, keepdims=True)
    both = (residual_SQ**2).sum() / ((seeds - 1) * (questions - 1)) / (seeds * questions)
    question = table_SQ.mean(axis=0).var(ddof=1) / questions
    variance = 2 * pooled / seeds + max(question - both, 0.0)
    satterthwaite = freedom * (variance / (2 * pooled / seeds)) ** 2
    return float(2 * special.stdtr(satterthwaite, -abs(table_SQ.mean()) / np.sqrt(variance)))


def unpaired_table() -> None:
    """Print the level of the unpaired test: groups that share no seeds."""
    names = ("trials", "noise", "unpaired", "any language (Holm)")
    print(f"\n## No difference, no shared seeds\n\n| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    for trials in ((1, 1), (2, 2), (3, 3), (5, 5), (2, 3)):
        for case in UNPAIRED:
            print(f"| {trials[0]} against {trials[1]} | {case.name} | {unpaired_row(case, trials)} |", flush=True)


def unpaired_row(case: Case, trials: tuple[int, int]) -> str:
    """Return how often a difference is found, overall and in any language."""
    random = np.random.default_rng([*trials, *case.name.encode()])
    names = {"all": range(LANGUAGES), **{str(language): [language] for language in range(LANGUAGES)}}
    counts = Counter[str]()
    for _ in range(RUNS):
        values_ASLQ = case.values(Design(2, sum(trials)), random)
        found = unpaired(values_ASLQ[0, : trials[0]], values_ASLQ[1, trials[0] :], names)
        counts["all"] += found["all"].p <= 0.05
        counts["any"] += min(holm([found[str(language)].p for language in range(LANGUAGES)])) <= 0.05
    return " | ".join(f"{100 * counts[name] / RUNS:.1f}" for name in ("all", "any"))


if __name__ == "__main__":
    main()
