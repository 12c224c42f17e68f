"""Which metrics of a benchmark tables, charts and comparisons show: the usual ones or, where it has none, its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from study.results.trial_result import TrialResult
from tasks.metrics import BIAS, QUALITY, known_metric
from tasks.schema import Setting


def shown_metrics(
    results: Sequence[TrialResult], benchmark: str, *, shared: bool = False
) -> dict[Setting, tuple[str, ...]]:
    """Return the metrics to show, for each setting that has any: those of quality, then those of language bias.

    Args:
        results: trials.
        benchmark: what they were measured on.
        shared: only what all the trials have; otherwise what some of them have.
    """
    found = dict.fromkeys(key for result in results for key in result.metrics)
    keys = [key for key in found if not shared or all(key in result.metrics for result in results)]
    shown = {}
    for setting in Setting:
        prefix = f"{benchmark}/{setting}/"
        measured = [key.removeprefix(prefix) for key in keys if key.startswith(prefix)]
        if metrics := (*_quality(measured), *(name for name in BIAS if name in measured)):
            shown[setting] = metrics
    return shown


def quality_metrics(results: Sequence[TrialResult], benchmark: str) -> tuple[str, ...]:
    """Return the metrics of quality to show, in whatever setting some of the trials have them."""
    shown = shown_metrics(results, benchmark).values()
    return tuple(dict.fromkeys(name for metrics in shown for name in metrics if name not in BIAS))


def _quality(measured: Sequence[str]) -> Sequence[str]:
    """Return the usual metrics of quality; where a benchmark has none of them, its own in its order."""
    return [name for name in QUALITY if name in measured] or list(_others(measured))


def _others(measured: Sequence[str]) -> Iterator[str]:
    """Yield the metrics of quality that this version can compute."""
    for name in measured:
        record = known_metric(name)
        if record and not record.is_language_bias:
            yield name
