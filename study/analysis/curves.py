"""Where is the best alpha: scores as a function of the settings, and which settings cannot be told from the best.

A curve is a row of groups that differ in alpha alone; the groups of a crossed design that differ in other settings too,
such as the temperature, are compared in the same way. `best_setting` has the statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from study.analysis.best_setting import BestSettings, best_settings, curve_band, dominated_by
from study.analysis.blocks import Block, lacking_seeds, largest_blocks
from study.analysis.comparison import Figure, crossed_design, measured_groups
from study.analysis.crossed import Crossed
from study.analysis.groups import Group, settings_text, varied_settings
from study.analysis.query_values import SettingValues
from study.analysis.shown_metrics import shown_metrics
from study.analysis.statistics import Floats, contributions, smallest_unit
from study.analysis.study import Study
from tasks.metrics import higher_is_better
from tasks.schema import Setting

FRONT = (
    Figure(Setting.MONOLINGUAL, "map"),
    Figure(Setting.MULTILINGUAL, "map"),
    Figure(Setting.MULTILINGUAL, "language_preference"),
)
"""The goals of a multilingual retriever that pull in different directions."""
_FEWEST = 3
"""Settings that make a curve; two are a pair (`comparison`)."""
MOST_SETTINGS = 30
"""More are compared on the leading figure alone: each is compared with all others, so time grows with the square."""


@dataclass(frozen=True)
class Curve:
    """Groups that differ in a few settings, compared with the best of them on one figure."""

    benchmark: str
    figure: Figure
    groups: tuple[Group, ...]
    """By the settings in `varied`."""
    varied: tuple[str, ...]
    """The settings in which the groups differ."""
    fixed: str
    """The other settings in which groups of the crossed design differ, as a text; empty if there are none."""
    values: Floats
    """Mean over seeds by group."""
    band: Floats
    """Half-width of the simultaneous 95 % band by group (`best_setting.curve_band`)."""
    best: BestSettings
    """Computed from values that are negated if lower is better."""
    seeds: int
    questions: int
    documents: int
    """What the questions are about."""
    left_out: tuple[str, ...] = ()
    """The settings of groups that would be on the curve but lack a result for some of its seeds, as texts."""

    @property
    def sign(self) -> int:
        """1 if higher values are better, otherwise -1."""
        return 1 if higher_is_better(self.figure.metric) else -1

    @property
    def labels(self) -> tuple[str, ...]:
        """The settings of each group as a text, such as `alpha 0.25`."""
        return tuple(settings_text(group, self.varied, self.groups) for group in self.groups)

    @property
    def leader(self) -> int:
        """The group with the best value."""
        return int(self.best.lead_A.argmax())


@dataclass(frozen=True)
class Front:
    """Groups of a crossed design by whether another one is better in every figure, beyond noise."""

    benchmark: str
    figures: tuple[Figure, ...]
    groups: tuple[Group, ...]
    varied: tuple[str, ...]
    dominated: dict[int, list[int]]
    """Group -> the groups that are better in every figure; empty if it may be on the Pareto front."""


def read_curves(study: Study, benchmark: str, leading: Figure | None = None) -> list[Curve]:
    """Return the curves of a study on one benchmark: for each figure, by alpha alone and by all settings at once.

    Args:
        study: the study.
        benchmark: what was measured.
        leading: the only figure of curves with more than MOST_SETTINGS settings; multilingual mAP unless given.
    """
    leading = leading or FRONT[1]
    curves, measured = [], measured_groups(study, benchmark)
    for block in largest_blocks(measured):
        lacking = lacking_seeds(block, measured)
        for figure, crossed in _figures(study, benchmark, block):
            sign = 1 if higher_is_better(figure.metric) else -1
            for members, varied, fixed in _lines(block.groups):
                if len(members) > MOST_SETTINGS and figure != leading:
                    continue
                compared = crossed.times(sign)
                curves.append(
                    Curve(
                        benchmark=benchmark,
                        figure=figure,
                        groups=tuple(block.groups[member] for member in members),
                        varied=varied,
                        fixed=fixed,
                        values=crossed.figures[members],
                        band=curve_band(crossed, members),
                        best=best_settings(compared, members),
                        seeds=len(block.seeds),
                        questions=crossed.contributions.questions,
                        documents=crossed.values_ASD.shape[2],
                        left_out=_left_out(
                            lacking,
                            [block.groups[member] for member in members],
                            [name for name in varied_settings(block.groups) if name not in varied],
                        ),
                    )
                )
    return curves


def read_fronts(study: Study, benchmark: str) -> list[Front]:
    """Return, for each crossed design, which of its groups may be on the Pareto front of the figures in FRONT."""
    fronts = []
    for block in largest_blocks(measured_groups(study, benchmark)):
        measured = {
            figure: crossed.times(1 if higher_is_better(figure.metric) else -1)
            for figure, crossed in _figures(study, benchmark, block)
            if figure in FRONT
        }
        if len(measured) > 1 and len(block.groups) >= _FEWEST:
            dominated = dominated_by(list(measured.values()))
            fronts.append(Front(benchmark, tuple(measured), block.groups, varied_settings(block.groups), dominated))
    return fronts


def _figures(study: Study, benchmark: str, block: Block) -> Iterator[tuple[Figure, Crossed]]:
    """Yield every figure of a block that can be tested, its macro average over languages."""
    results = [result for group in block.groups for result in group.results]
    for setting, metrics in shown_metrics(results, benchmark, shared=True).items():
        values = SettingValues(study, benchmark, setting, metrics)
        block_ASUQ, first = crossed_design(block, values), block.numbers[0][0]
        units, document_Q = values.of(first).units, values.document_of(first)
        for metric in dict.fromkeys(unit.metric for unit in units):
            averaged = [number for number, unit in enumerate(units) if unit.metric == metric]
            if smallest_unit(block_ASUQ, averaged, document_Q) > 1:
                yield Figure(setting, metric), Crossed(contributions(block_ASUQ[:, :, averaged], document_Q))


def _lines(groups: Sequence[Group]) -> Iterator[tuple[list[int], tuple[str, ...], str]]:
    """Yield which groups make a curve, the settings that vary along it, and the others that it is measured at."""
    varied = varied_settings(groups)
    others = [name for name in varied if name != "alpha"]
    lines: dict[str, list[int]] = {}
    for number, group in enumerate(groups):  # by whole values: texts are rounded
        lines.setdefault(str([getattr(group.config, name) for name in others]), []).append(number)
    for members in lines.values():
        if len(members) >= _FEWEST:
            fixed = settings_text(groups[members[0]], others, groups)
            yield sorted(members, key=lambda member: _place(groups[member])), ("alpha",), fixed
    if others and len(groups) >= _FEWEST:
        yield list(range(len(groups))), varied, ""


def _left_out(lacking: Sequence[Group], line: Sequence[Group], fixed: Sequence[str]) -> tuple[str, ...]:
    """Return the settings of lacking groups that a line passes over.

    Args:
        lacking: groups that lack seeds of the design.
        line: groups that are compared.
        fixed: the settings that vary in the design and are the same along the line; others are on other lines.
    """
    alike = [group for group in lacking if all(getattr(group.config, n) == getattr(line[0].config, n) for n in fixed)]
    names = varied_settings([*line, *alike])
    return tuple(settings_text(group, names, [*line, *alike]) for group in alike)


def _place(group: Group) -> tuple[bool, float]:
    """Return a sort key: constant alphas by value, then schedules by where they start."""
    alpha = group.alpha
    return (False, alpha) if isinstance(alpha, float) else (True, alpha.start)
