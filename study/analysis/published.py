"""Our scores beside published ones, where backbone, batches, benchmark, protocol, languages and metric match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from study.analysis import formats
from study.analysis.formats import decimals, metric_name, setting_name
from study.analysis.groups import HYBRID, Group, representatives
from study.analysis.tables import Cell, Table, number_cell
from study.space.selection import Objective
from tasks.metrics import metric
from tasks.published import Published, read_published
from tasks.schema import Setting

BACKBONES = {"FacebookAI/xlm-roberta-base": "XLM-R", "sentence-transformers/LaBSE": "LaBSE"}
BENCHMARKS = {"xquad_r": "XQuAD-R", "mlqa_r": "MLQA-R"}
MIRACL = "miracl"
_PROTOCOLS = {
    "xquad_r": {"context": "sentence"},
    "mlqa_r": {"context": "sentence"},
    MIRACL: {"variant": "full", "split": "dev"},
}
"""The details in which the protocol shows, and their values in the paper."""
_SPLIT = "dev"
"""What was read where a copy has one split alone, and in results of versions that did not record it."""
HYBRID_ALPHA = 0.5
"""Alpha of the paper's hybrid batches."""
MEAN = "mean"
_Name = tuple[Setting, str, str]
"""Setting, metric, and language or `mean`."""


class Value(NamedTuple):
    """A published score of one backbone on one benchmark; `language` is `mean` for the macro average."""

    setting: Setting
    metric: str
    language: str
    by_sampling: Mapping[str, float]


def published_tables(
    groups: Sequence[Group], benchmark: str, objective: Objective, *, by_language: bool = False
) -> tuple[Table, ...]:
    """Return, per matching backbone, our macro averages (or scores by language) beside the paper's, one per row.

    Args:
        groups: all that were measured on the benchmark; the best of each sampling is shown, of hybrid batches the best
            with the paper's alpha.
        benchmark: its name.
        objective: what trials are ranked by.
        by_language: whether to show scores by language.
    """
    as_published = [group for group in groups if group.sampling != HYBRID or group.alpha == HYBRID_ALPHA]
    shown = representatives(as_published, objective).values()
    tables = []
    for backbone in dict.fromkeys(group.backbone for group in shown):
        columns = {group.label: _pairs(group, benchmark, by_language) for group in shown if group.backbone == backbone}
        columns = {label: pairs for label, pairs in columns.items() if pairs}
        names = sorted({name for pairs in columns.values() for name in pairs}, key=_order)
        rows = tuple(
            (
                Cell(f"{setting_name(name[0])} {metric_name(name[1])}" + f", {name[2]}" * by_language),
                *_cells(columns, name),
            )
            for name in names
        )
        headings = (f"{label} {what}" for label in columns for what in ("ours", "published", "difference"))
        title = f"{backbone} on {benchmark}, beside {source()}"
        tables += [Table(title, ("score", *headings), rows, frozenset({"score"}))] if rows else []
    return tuple(tables)


def _pairs(group: Group, benchmark: str, by_language: bool) -> dict[_Name, tuple[float, float]]:
    """Return our and the published value of every score that both have."""
    pairs = {}
    for value in _matching(group, benchmark):
        ours, theirs = _ours(group, benchmark, value), value.by_sampling.get(group.sampling)
        if ours is not None and theirs is not None and by_language == (value.language != MEAN):
            pairs[value.setting, value.metric, value.language] = (ours, theirs)
    return pairs


def _cells(columns: Mapping[str, Mapping[_Name, tuple[float, float]]], name: _Name) -> Iterator[Cell]:
    places = decimals(name[1])
    for pairs in columns.values():
        if name not in pairs:
            yield from (Cell(formats.NOTHING),) * 3
            continue
        ours, theirs = pairs[name]
        yield from (number_cell(ours, places), number_cell(theirs, places))
        yield Cell(formats.signed(ours - theirs, places), ours - theirs)


def _order(name: _Name) -> tuple[bool, str, int, str]:
    """Order scores by metric, language bias last, then by setting and language."""
    setting, measure, language = name
    return metric(measure).is_language_bias, measure, list(Setting).index(setting), language


def source() -> str:
    """Return the source of the published scores."""
    return read_published().source.partition(",")[0]


def _matching(group: Group, benchmark: str) -> Iterator[Value]:
    """Yield the published scores that measure what the group's trials measured."""
    measured, backbone = group.results[0].benchmarks.get(benchmark), BACKBONES.get(group.backbone)
    protocol = _PROTOCOLS.get(benchmark)
    if measured is None or backbone is None or protocol is None:
        return
    if not protocol.items() <= {"split": _SPLIT, **measured.details}.items():
        return
    published = read_published()
    values = list(_of_miracl(published, backbone) if benchmark == MIRACL else _of(published, backbone, benchmark))
    if {value.language for value in values} - {MEAN} == set(measured.queries):
        yield from values


def _of(published: Published, backbone: str, benchmark: str) -> Iterator[Value]:
    name = BENCHMARKS[benchmark]
    for language, settings in published.map[backbone][name].items():
        yield from (Value(Setting(setting), "map", language, by) for setting, by in settings.items())
    for key, by in published.mean_recall[backbone][name].items():
        metric, _, setting = key.partition(" ")
        yield Value(Setting(setting), metric, MEAN, by)
    for language, by in published.rank_distance[name][backbone].items():
        yield Value(Setting.MULTILINGUAL, "rank_distance", language, by)


def _of_miracl(published: Published, backbone: str) -> Iterator[Value]:
    for language, metrics in published.miracl_dev_monolingual[backbone].items():
        yield from (Value(Setting.MONOLINGUAL, metric, language, by) for metric, by in metrics.items())


def _ours(group: Group, benchmark: str, value: Value) -> float | None:
    if value.language == MEAN:
        return group.mean(f"{benchmark}/{value.setting}/{value.metric}")
    return group.by_language(benchmark, value.setting, value.metric).get(value.language)
