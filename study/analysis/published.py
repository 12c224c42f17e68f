"""Our figures beside published ones, where backbone, batches, benchmark, protocol, languages and metric match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from study.analysis.groups import Group
from study.analysis.leaderboard import decimals
from study.analysis.tables import Cell, Table, figure, words
from study.analysis.verdict import metric_name
from tasks.metrics import RANK_DISTANCE
from tasks.published import Published, read_published
from tasks.schema import Setting

BACKBONES = {"FacebookAI/xlm-roberta-base": "XLM-R", "sentence-transformers/LaBSE": "LaBSE"}
BENCHMARKS = {"xquad_r": "XQuAD-R", "mlqa_r": "MLQA-R"}
MIRACL = "miracl"
_PROTOCOLS = {"xquad_r": ("context", "sentence"), "mlqa_r": ("context", "sentence"), MIRACL: ("variant", "full")}
"""The switch that has to stand where the paper had it."""
MEAN = "mean"
_HEADINGS = ("backbone", "batches", "figure", "ours", "published", "difference")


class Value(NamedTuple):
    """A published figure of one backbone and benchmark; `language` is `mean` for the macro average."""

    setting: Setting
    metric: str
    language: str
    by_sampling: Mapping[str, float]


def published_table(groups: Sequence[Group], benchmark: str, *, by_language: bool = False) -> Table:
    """Return our groups' macro averages (or languages) beside the paper's; without rows where nothing matches."""
    rows = []
    for group in groups:
        for value in _matching(group, benchmark):
            ours, theirs = _ours(group, benchmark, value), value.by_sampling.get(group.sampling)
            if ours is None or theirs is None or by_language != (value.language != MEAN):
                continue
            places = decimals(value.metric)
            gap = Cell(f"{ours - theirs:+.{places}f}".replace("-", "−"), ours - theirs)
            name = f"{value.setting} {metric_name(value.metric)}" + f", {value.language}" * by_language
            cells = (*words(group.backbone, group.label, name), figure(ours, places), figure(theirs, places), gap)
            rows.append(cells)
    title = f"{benchmark}: ours beside {source()}" + ", by query language" * by_language
    return Table(title, _HEADINGS, tuple(rows), frozenset(_HEADINGS[:3]))


def source() -> str:
    """Return where the published figures are from."""
    return read_published().source.partition(",")[0]


def _matching(group: Group, benchmark: str) -> Iterator[Value]:
    """Yield the published figures that measure what the group's trials measured."""
    measured, backbone = group.results[0]["benchmarks"].get(benchmark), BACKBONES.get(group.backbone)
    switch, standing = _PROTOCOLS.get(benchmark, ("", ""))
    if measured is None or backbone is None or measured["details"].get(switch) != standing:
        return
    published = read_published()
    values = list(_of_miracl(published, backbone) if benchmark == MIRACL else _of(published, backbone, benchmark))
    if {value.language for value in values} - {MEAN} == set(measured["queries"]):
        yield from values


def _of(published: Published, backbone: str, benchmark: str) -> Iterator[Value]:
    name = BENCHMARKS[benchmark]
    for language, settings in published.map[backbone][name].items():
        yield from (Value(Setting(setting), "map", language, by) for setting, by in settings.items())
    for key, by in published.mean_recall[backbone][name].items():
        metric, _, setting = key.partition(" ")
        yield Value(Setting(setting), metric, MEAN, by)
    for language, by in published.rank_distance[name][backbone].items():
        yield Value(Setting.MULTILINGUAL, RANK_DISTANCE, language, by)


def _of_miracl(published: Published, backbone: str) -> Iterator[Value]:
    for language, metrics in published.miracl_dev_monolingual[backbone].items():
        yield from (Value(Setting.MONOLINGUAL, metric, language, by) for metric, by in metrics.items())


def _ours(group: Group, benchmark: str, value: Value) -> float | None:
    if value.language == MEAN:
        return group.mean(f"{benchmark}/{value.setting}/{value.metric}")
    return group.by_language(benchmark, value.setting, value.metric).get(value.language)
