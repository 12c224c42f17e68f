"""What a trial refers to by name: benchmarks, corpora and metrics."""

from __future__ import annotations

from study.config import BenchmarkConfig, CorpusConfig, TrialConfig
from study.space.selection import check_metric
from study.space.strict_yaml import SpaceError
from tasks.plugins import TaskError, check_benchmark, check_corpus


def check_references(trial: TrialConfig, seen: set[str]) -> None:
    """Refuse names and options that do not exist, and selection by what is reported. Reads no data.

    Args:
        trial: any trial.
        seen: what was found good before; added to, so that a grid asks once for each name.

    Raises:
        SpaceError: naming the key, the value, and what is allowed.
    """
    validation = trial.validation
    if validation.benchmark in trial.benchmarks:
        raise SpaceError(
            f"trial.validation.benchmark: '{validation.benchmark.name}' is also reported, and selection never sees "
            "what is reported: validate on a development split or on another benchmark"
        )
    for benchmark in trial.benchmarks:
        _check("trial.benchmarks", benchmark, seen)
    _check("trial.validation.benchmark", validation.benchmark, seen)
    for corpus in trial.corpora:
        _check("trial.corpora", corpus, seen)
    try:
        check_metric(validation.metric)
    except TaskError as error:
        raise SpaceError(f"trial.validation.metric: {error}") from None


def _check(where: str, task: BenchmarkConfig | CorpusConfig, seen: set[str]) -> None:
    if (identity := f"{where}: {task!r}") in seen:
        return
    seen.add(identity)
    check = check_corpus if isinstance(task, CorpusConfig) else check_benchmark
    try:
        check(task.name, task.options)
    except TaskError as error:
        raise SpaceError(f"{where}: {error}") from None
