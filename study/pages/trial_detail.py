"""Everything about one trial in a few lines: its settings that others do not share, how it trained, and all scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from study.analysis import formats
from study.analysis.groups import ENCODING_SETTINGS
from study.analysis.tables import Cell, Table, number_cell
from study.config import SEPARATOR
from study.pages.forest_charts import LOWER
from study.results.layout import TRIALS
from study.results.trial_result import BenchmarkResult, TrialResult
from study.space.selection import Objective
from tasks.metrics import higher_is_better

UNTRAINED = (*ENCODING_SETTINGS, "backbone", "steps", "seed", "benchmarks", "centring", "top_lists", "resources")
"""Settings that have an effect without training."""


@dataclass(frozen=True)
class TrialDetail:
    """One trial."""

    number: int
    label: str
    folder: str
    """Below the study's."""
    facts: dict[str, str]
    scores: dict[str, Table]
    """By benchmark: one row per score."""

    @property
    def anchor(self) -> str:
        """The id of its place on the page."""
        return f"trial-{self.number}"


def read_detail(result: TrialResult, label: str, objective: Objective, differing: Sequence[str]) -> TrialDetail:
    """Return what a report says about one trial.

    Args:
        result: the trial.
        label: tells it from the others.
        objective: what trials are ranked by.
        differing: the settings in which trials of the study differ; those of training are left out without training.
    """
    training = result.training
    shown = [name for name in differing if result.config.steps or name in UNTRAINED]
    facts = {name: formats.setting(getattr(result.config, name)) for name in shown}
    if objective.metric in result.metrics:
        value = formats.fixed(result.metrics[objective.metric], formats.decimals(objective.metric))
        facts |= {formats.key_name(objective.metric): value}
    if training.best_step:
        facts |= {"steps": f"{training.step:,}", "best step": f"{training.best_step:,}"}
        facts |= {"minutes of training": f"{training.seconds / 60:.1f}"}
    scores = {name: _scores(name, measured) for name, measured in sorted(result.benchmarks.items())}
    return TrialDetail(result.number, label, f"{TRIALS}/{result.number:04d}", facts, scores)


def _scores(benchmark: str, measured: BenchmarkResult) -> Table:
    return Table(f"Scores on {benchmark}", ("score", "value"), tuple(_rows(measured)), frozenset({"score"}))


def _rows(measured: BenchmarkResult) -> Iterator[tuple[Cell, ...]]:
    for key, value in measured.metrics.items():
        name = formats.key_name(key.partition(SEPARATOR)[2])
        lower = LOWER * (not higher_is_better(key.rpartition(SEPARATOR)[2]))
        yield Cell(name + lower), number_cell(value, formats.decimals(key))
