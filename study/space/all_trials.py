"""What is wrong with the data and backbones of a study's trials, seen together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from study.config import TrialConfig, backbone_folder


def backbone_elsewhere(trials: Sequence[TrialConfig], base: Path) -> str | None:
    """Return which backbone is a folder from here alone: workers run in other folders, and would ask the hub for it."""
    for name in (trial.backbone for trial in trials):
        folder = backbone_folder(name)
        if folder and not Path(name).is_absolute():
            return (
                f"backbone '{name}': there is no such folder in {base.resolve()}, where the paths of a search space "
                f"start, but there is {folder}: write that whole path"
            )
    return None


def lacking_weight(trials: Sequence[TrialConfig]) -> str | None:
    """Return which corpus has no weight beside one that has: its number of rows would be compared with that weight."""
    for corpora in (trial.corpora for trial in trials):
        given = [corpus for corpus in corpora if corpus.weight is not None]
        lacking = [corpus for corpus in corpora if corpus.weight is None]
        if given and lacking:
            return (
                f"trial.corpora: '{given[0].name}' has weight {given[0].weight:g}, and '{lacking[0].name}' without one "
                "would count as its number of rows: write a weight for every corpus, or for none"
            )
    return None


def incomparable(trials: Sequence[TrialConfig]) -> str | None:
    """Return in what trials would be ranked or shown together though they are measured on different data."""
    if len({repr(trial.validation.benchmark) for trial in trials}) > 1:
        return (
            "trial.validation.benchmark: it differs between trials, and scores on one benchmark cannot be compared "
            "with scores on another: validate all trials on the same"
        )
    data: dict[str, str] = {}
    for benchmark in (benchmark for trial in trials for benchmark in trial.benchmarks):
        if data.setdefault(benchmark.key, repr(benchmark)) != repr(benchmark):
            return (
                f"trial.benchmarks: '{benchmark.key}' is not the same data in all trials: give each its own label, "
                f"such as {{name: {benchmark.name}, label: {benchmark.name}-2}}"
            )
    return None
