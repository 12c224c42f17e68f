"""Every table of this experiment's README, from the positions: `python experiments/2026-11-26-transfer/tables.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from study.analysis import formats
from study.analysis.blocks import block_of
from study.analysis.comparison import crossed_design
from study.analysis.crossed import Crossed
from study.analysis.groups import HYBRID, ZERO_SHOT, Group, groups_of
from study.analysis.pairs import Pair
from study.analysis.query_values import SettingValues
from study.analysis.statistics import Difference, contributions, unpaired
from study.analysis.study import Study, read_study
from tasks.schema import Setting
from tasks.scoring import metrics_of

HERE = Path(__file__).parent
METRICS = (
    ("monolingual/map", "mono mAP"),
    ("crosslingual/map", "cross mAP"),
    ("multilingual/map", "multi mAP"),
    ("multilingual/ndcg@10", "multi nDCG@10"),
    ("multilingual/mrr", "multi MRR"),
    ("multilingual/rank_distance", "rank distance"),
    ("multilingual/language_preference", "language preference"),
)
ORDER = (ZERO_SHOT, "En-En", "X-X", "X-X-mono", "X-Y", HYBRID, "pair-level hybrid")
SIZE_HYBRID = "hybrid (alpha 0.5)"
SIZE_ARMS = ("X-Y", SIZE_HYBRID, "X-X-mono")
UNSEEN = ("el", "ru", "th", "tr")
"""Languages of XQuAD-R that MLQA-R, the training set of direction B, does not have."""
Row = Sequence[str]


def main() -> None:
    """Print all tables."""
    for name, benchmark in (("xquad-to-mlqa", "mlqa_r"), ("mlqa-to-xquad", "xquad_r")):
        study = read_study(str(HERE / name))
        for view in (benchmark, f"{benchmark}@centred"):
            show(
                f"{name}: {view}, temperature 0.02",
                ("arm", "seeds", *(title for _, title in METRICS)),
                arms(study, view),
            )
        show(
            f"{name}: the best alpha's lead and 95 % interval, temperature 0.02",
            ("against", "view", *(title for _, title in METRICS)),
            leads(study, benchmark),
        )
        show(
            f"{name}: centred minus as it is, temperature 0.02",
            ("arm", *(title for _, title in METRICS)),
            centring_gains(study, benchmark),
        )
    study = read_study(str(HERE / "mlqa-to-xquad"))
    for view in ("xquad_r", "xquad_r@centred"):
        show(
            f"direction B by seen and unseen query languages, multi mAP, {view}",
            ("arm", "seen", "unseen"),
            split(study, view),
        )
        show(f"lead of hybrid 0.5, {view}", ("against", "seen", "unseen"), split_leads(study, view))
    for name, benchmark in (("xquad-to-mlqa", "mlqa_r"), ("mlqa-to-xquad", "xquad_r")):
        headings = ("against no training", "multi mAP", "language preference")
        show(
            f"{name}: {benchmark}, temperature 0.02", headings, untrained_leads(read_study(str(HERE / name)), benchmark)
        )
    warm = read_study(str(HERE / "xquad-to-mlqa"))
    show("xquad-to-mlqa: mlqa_r", ("", "mono mAP", "multi mAP"), temperatures(warm, "mlqa_r"))
    for view in ("mlqa_r", "mlqa_r@centred"):
        show(
            f"xquad-to-mlqa: {view}, temperature 0.05",
            ("arm", "seeds", *(t for _, t in METRICS)),
            arms(warm, view, 0.05),
        )
    for view in ("mlqa_r", "mlqa_r@centred"):
        show(f"by training rows: {view}, seed 0", ("rows", "arm", *(title for _, title in METRICS)), sizes(view))
        show(
            f"by training rows: leads, {view}, seed 0 alone: intervals hold over questions, not over seeds",
            ("rows", "lead", *(title for _, title in METRICS)),
            size_leads(view),
        )


def show(title: str, headings: Row, rows: Iterable[Row]) -> None:
    """Print a table in Markdown."""
    print(f"\n{title}\n\n| {' | '.join(headings)} |\n|{' :-- |' + ' --: |' * (len(headings) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def groups(study: Study, temperature: float = 0.02) -> list[Group]:
    """Return the settings tried at a temperature, in the order of the tables."""
    chosen = [group for group in groups_of(study.results) if group.config.temperature == temperature]
    return sorted(chosen, key=lambda group: (ORDER.index(group.sampling), float(f"{group.alpha}")))


def figures(study: Study, group: Group, view: str) -> dict[str, float]:
    """Return the means over seeds, computed from the positions."""
    names = sorted({key.partition("/")[2] for key, _ in METRICS})
    tables = [
        metrics_of(study.positions(number, view), view, tuple(Setting), names).metrics for number in group.numbers
    ]
    return {key: fmean(table[f"{view}/{key}"] for table in tables) for key, _ in METRICS}


def text(metric: str, value: float) -> str:
    """Return a figure as the tables have it."""
    return f"{value:,.0f}" if metric.endswith("rank_distance") else f"{value:.3f}"


def arms(study: Study, view: str, temperature: float = 0.02) -> Iterable[Row]:
    """Yield each setting's figures."""
    for group in groups(study, temperature):
        found = figures(study, group, view)
        yield group.label, str(len(group.results)), *(text(key, found[key]) for key, _ in METRICS)


def lead(study: Study, pair: Pair, view: str, setting: Setting, metric: str, only: Sequence[str] = ()) -> Difference:
    """Return a difference in a crossed design, or unpaired from English alone, which has other rows.

    Over the queries of some languages, or of all.
    """
    values = SettingValues(study, view, setting, (metric,))
    units = [
        n for n, unit in enumerate(values.of(pair.group.numbers[0]).units) if not only or unit.query_language in only
    ]
    document_Q = values.document_of(pair.group.numbers[0])
    block = block_of(pair.groups, groups(study))
    if block is None:
        both = values.stacked(pair.group.numbers), values.stacked(pair.baseline.numbers)
        return unpaired(*both, {metric: units}, document_Q)[metric]
    design = crossed_design(block, values)
    crossed = Crossed(contributions(design[:, :, units], document_Q))
    place = {group.numbers: number for number, group in enumerate(block.groups)}
    if pair.baseline.config.steps:
        return crossed.difference(place[pair.group.numbers], place[pair.baseline.numbers])
    untrained = contributions(values.stacked(pair.baseline.numbers)[:, units], document_Q).values_xD.mean(axis=0)
    return crossed.difference_from_untrained(place[pair.group.numbers], untrained)


def best_hybrid(study: Study) -> Group:
    """Return the hybrid setting that did best in validation among those with all three seeds."""
    objective = study.objective.metric
    whole = [group for group in groups(study) if group.sampling == HYBRID and len(group.results) == 3]
    return max(whole, key=lambda group: group.mean(objective) or 0)


def centring_gains(study: Study, benchmark: str) -> Iterable[Row]:
    """Yield what centring adds to each setting, by `statistics.unpaired`: without training, over questions alone."""
    for group in groups(study):
        cells = []
        for key, _ in METRICS:
            setting, _, metric = key.partition("/")
            views = [
                SettingValues(study, view, Setting(setting), (metric,)) for view in (benchmark, f"{benchmark}@centred")
            ]
            as_it_is, centred = (values.stacked(group.numbers) for values in views)
            document_Q = views[0].document_of(group.numbers[0])
            units = list(range(as_it_is.shape[1]))
            cells.append(shown(metric, unpaired(centred, as_it_is, {metric: units}, document_Q)[metric]))
        yield group.label, *cells


def baselines(study: Study) -> list[Group]:
    """Return the settings that hybrid batches are compared with; each has three seeds, or needs none."""
    return [g for g in groups(study) if g.sampling not in {HYBRID, "pair-level hybrid"}]


def shown(metric: str, found: Difference) -> str:
    """Return a lead with its interval, bold if it excludes 0."""
    places = 0 if metric == "rank_distance" else 3
    content = f"{formats.signed(found.value, places)} {formats.interval(found.low, found.high, places)}"
    return f"**{content}**" if found.low > 0 or found.high < 0 else content


def leads(study: Study, benchmark: str) -> Iterable[Row]:
    """Yield the lead of the best hybrid setting over each baseline, as it is and centred."""
    hybrid = best_hybrid(study)
    for baseline in baselines(study):
        for view in (benchmark, f"{benchmark}@centred"):
            cells = []
            for key, _ in METRICS:
                setting, _, metric = key.partition("/")
                cells.append(shown(metric, lead(study, Pair(hybrid, baseline), view, Setting(setting), metric)))
            yield f"{hybrid.label} − {baseline.label}", "centred" if "@" in view else "as it is", *cells


def untrained_leads(study: Study, view: str) -> Iterable[Row]:
    """Yield what the baselines gain over the untrained model in the multilingual pool."""
    untrained = next(group for group in groups(study) if group.sampling == ZERO_SHOT)
    for group in baselines(study):
        if group.sampling != ZERO_SHOT:
            pair = Pair(group, untrained)
            found = ((m, lead(study, pair, view, Setting.MULTILINGUAL, m)) for m in ("map", "language_preference"))
            yield group.label, *(shown(metric, difference) for metric, difference in found)


def temperatures(study: Study, view: str) -> Iterable[Row]:
    """Yield what a temperature of 0.05 changes, and the leads of hybrid there; unpaired, as the seeds differ."""
    usual, warm = ({group.label: group for group in groups(study, each)} for each in (0.02, 0.05))
    pairs = {f"{label}, 0.05 minus 0.02": (group, usual[label]) for label, group in warm.items()}
    hybrid = next(group for group in warm.values() if group.sampling == HYBRID)
    pairs |= {f"{hybrid.label} minus {label}, 0.05": (hybrid, warm[label]) for label in warm if warm[label] != hybrid}
    for title, (group, other) in pairs.items():
        cells = []
        for setting in (Setting.MONOLINGUAL, Setting.MULTILINGUAL):
            values = SettingValues(study, view, setting, ("map",))
            both = values.stacked(group.numbers), values.stacked(other.numbers)
            document_Q, units = values.document_of(group.numbers[0]), list(range(both[0].shape[1]))
            cells.append(shown("map", unpaired(*both, {"map": units}, document_Q)["map"]))
        yield title, *cells


def split(study: Study, view: str) -> Iterable[Row]:
    """Yield multilingual mAP over the queries of seen and of unseen languages."""
    for group in groups(study):
        means = group.by_language(view, Setting.MULTILINGUAL, "map")
        unseen = fmean(means[la] for la in UNSEEN)
        seen = fmean(value for la, value in means.items() if la not in UNSEEN)
        yield group.label, f"{seen:.3f}", f"{unseen:.3f}"


def split_leads(study: Study, view: str) -> Iterable[Row]:
    """Yield the lead of hybrid 0.5 over each baseline on seen and on unseen languages."""
    hybrid = next(group for group in groups(study) if group.sampling == HYBRID and group.alpha == 0.5)
    languages = hybrid.by_language(view, Setting.MULTILINGUAL, "map")
    seen = [language for language in languages if language not in UNSEEN]
    for baseline in baselines(study):
        pair = Pair(hybrid, baseline)
        cells = [shown("map", lead(study, pair, view, Setting.MULTILINGUAL, "map", only)) for only in (seen, UNSEEN)]
        yield baseline.label, *cells


def by_size() -> list[tuple[int, dict[str, tuple[Study, Group]]]]:
    """Return, per number of rows trained on, the trial with seed 0 of each arm that has one, and its study."""
    found: dict[int, dict[str, tuple[Study, Group]]] = {}
    for name in ("size", "xquad-to-mlqa"):
        study = read_study(str(HERE / name))
        for group in groups(study):
            first = tuple(one for one in group.results if one.config.seed == 0)
            if group.label in SIZE_ARMS and first:
                found.setdefault(first[0].corpora[0].rows, {})[group.label] = (study, replace(group, results=first))
    return sorted(found.items())


def sizes(view: str) -> Iterable[Row]:
    """Yield the figures of each arm for each number of training rows."""
    for rows, trials in by_size():
        for arm, (study, group) in trials.items():
            found = figures(study, group, view)
            yield f"{rows:,}", arm, *(text(key, found[key]) for key, _ in METRICS)


def size_leads(view: str) -> Iterable[Row]:
    """Yield the lead of hybrid batches over both of their ends for each number of training rows."""
    ends = [arm for arm in SIZE_ARMS if arm != SIZE_HYBRID]
    for rows, trials in by_size():
        for arm in ends:
            if not {SIZE_HYBRID, arm} <= trials.keys():
                continue
            cells = []
            for key, _ in METRICS:
                setting, _, metric = key.partition("/")
                compared = [
                    (SettingValues(study, view, Setting(setting), (metric,)), group.numbers)
                    for study, group in (trials[SIZE_HYBRID], trials[arm])
                ]
                hybrid, other = (values.stacked(numbers) for values, numbers in compared)
                values, numbers = compared[0]
                units, document_Q = list(range(hybrid.shape[1])), values.document_of(numbers[0])
                cells.append(shown(metric, unpaired(hybrid, other, {metric: units}, document_Q)[metric]))
            yield f"{rows:,}", f"{SIZE_HYBRID} − {arm}", *cells


if __name__ == "__main__":
    main()
