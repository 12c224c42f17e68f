"""Objectives and early stopping, and checks of what a trial names: benchmarks, corpora and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import pydantic
from pydantic import Field

from study.config import MOST_STEPS, SEPARATOR, TrialConfig
from study.config_sections import VALIDATION, BenchmarkConfig, CorpusConfig
from study.config_values import Settings
from study.space.strict_yaml import SpaceError, checked
from tasks import metrics
from tasks.plugins import TaskError, check_benchmark, check_corpus, nearest
from tasks.schema import Setting

LOSS = "loss"
DEFAULT_OBJECTIVE = f"{VALIDATION}/multilingual/map"


class Objective(Settings):
    """A metric of the validation benchmark, and whether higher values are better."""

    metric: str
    """`validation/<setting>/<metric>`, or `validation/loss`."""
    direction: Literal["maximize", "minimize"]


class NoStopping(Settings):
    """Every trial trains to its end."""

    name: Literal["none"] = "none"


class Asha(Settings):
    """Asynchronous successive halving (arXiv 1810.05934)."""

    name: Literal["asha"]
    min_steps: int = Field(ge=1, le=MOST_STEPS)
    """Steps before trials are first compared, no fewer than `validation.every`; then after `reduction_factor` times as
    many, and so on."""
    reduction_factor: int = Field(default=3, ge=2, le=100)
    """1 / reduction_factor of the trials continue."""
    startup: int = Field(default=0, ge=0)
    """Trials that are never stopped: the first trained ones, so that those of `search.first` can be compared."""


class Median(Settings):
    """A trial stops where its best score is worse than the median of the others' at the same step."""

    name: Literal["median"]
    min_steps: int = Field(default=0, ge=0, le=MOST_STEPS)
    """Steps in which no trial is stopped."""
    startup: int = Field(default=5, ge=1)
    """Trials that finish before any is stopped."""


class Hyperband(Settings):
    """Successive halving that starts at several steps (arXiv 1603.06560)."""

    name: Literal["hyperband"]
    min_steps: int = Field(ge=1, le=MOST_STEPS)
    """Steps before trials are first compared, no fewer than `validation.every`."""
    max_steps: int = Field(ge=1, le=MOST_STEPS)
    """Steps of a whole trial."""
    reduction_factor: int = Field(default=3, ge=2, le=100)
    """1 / reduction_factor of the trials continue."""

    @pydantic.model_validator(mode="after")
    def _order(self) -> Self:
        if self.min_steps > self.max_steps:
            raise ValueError(f"min_steps {self.min_steps} is above max_steps {self.max_steps}")
        return self


Stopping = NoStopping | Asha | Median | Hyperband
_SCHEDULERS: dict[str, type[Stopping]] = {
    "none": NoStopping,
    "asha": Asha,
    "median": Median,
    "hyperband": Hyperband,
}


def check_metric(name: str) -> None:
    """Refuse what is not `<setting>/<metric>` or `loss`.

    Raises:
        TaskError: naming the nearest setting or metric.
    """
    if name == LOSS:
        return
    setting, _, metric = name.partition(SEPARATOR)
    if setting not in list(Setting):
        raise TaskError(f"'{name}' does not start with a setting: {nearest(setting, [*Setting, LOSS])}")
    record = metrics.metric(metric)
    if setting not in record.settings:
        raise TaskError(f"'{metric}' does not exist in the setting '{setting}': write '{record.settings[0]}/{metric}'")
    if record.needs_top_lists:
        raise TaskError(f"'{metric}' needs a search, which validation does not make: choose another metric")


def better(metric: str) -> Literal["maximize", "minimize"]:
    """Return the direction in which a metric, with or without its setting, improves."""
    name = metric.rpartition(SEPARATOR)[2]
    return "maximize" if name != LOSS and metrics.higher_is_better(name) else "minimize"


def objectives(raw: Any, where: str) -> tuple[Objective, ...]:
    """Return the objectives a file names: one or a list, each a key or a key and its direction.

    Raises:
        SpaceError: an unknown key or metric, a metric of a reported benchmark, or the same metric twice.
    """
    items = raw if isinstance(raw, list) and raw else [raw]
    read = tuple(_objective(item, where) for item in items)
    for number, objective in enumerate(read):
        if objective in read[:number]:
            raise SpaceError(f"{where}: '{objective.metric}' is written twice")
    return read


def with_direction(raw: Any) -> Any:
    """Return an objective as a file has it, with the direction in which its metric improves unless it states one."""
    given = {"metric": raw} if isinstance(raw, str) else raw
    if isinstance(given, Mapping) and isinstance(given.get("metric"), str):
        return {"direction": better(given["metric"]), **given}
    return given


def _objective(raw: Any, where: str) -> Objective:
    objective = checked(Objective, with_direction(raw), where)
    source, _, name = objective.metric.partition(SEPARATOR)
    if source != VALIDATION:
        raise SpaceError(
            f"{where}.metric: '{objective.metric}' is not a figure of the validation benchmark, and selection never "
            f"sees what is reported: write '{VALIDATION}/<setting>/<metric>', such as '{VALIDATION}/multilingual/map'"
        )
    try:
        check_metric(name)
    except TaskError as error:
        raise SpaceError(f"{where}.metric: {error}") from None
    if objective.direction != better(name):
        raise SpaceError(
            f"{where}.direction: '{objective.direction}' would look for the worst '{objective.metric}', of which "
            f"{'more' if better(name) == 'maximize' else 'less'} is better: write '{better(name)}', or leave it out"
        )
    return objective


def stopping(raw: Any, goals: Sequence[Objective], where: str) -> Stopping:
    """Return the scheduler a file names.

    Raises:
        SpaceError: an unknown scheduler or key, or a scheduler that cannot compare these trials.
    """
    given = {"name": raw} if isinstance(raw, str) else raw
    name = given.get("name") if isinstance(given, dict) else None
    if name == "pbt":
        raise SpaceError(
            f"{where}: 'pbt' changes hyperparameters within a trial, which would then no longer measure one alpha: "
            "use 'asha', 'median' or 'hyperband', or give alpha a schedule ({start: 1, end: 0})"
        )
    if not isinstance(name, str) or name not in _SCHEDULERS:
        raise SpaceError(f"{where}: unknown scheduler '{name}': {nearest(str(name), _SCHEDULERS)}")
    if name != "none" and len(goals) > 1:
        raise SpaceError(
            f"{where}: '{name}' compares trials by one objective and there are {len(goals)}: "
            "keep one under 'objective', or write 'scheduler: none'"
        )
    return checked(_SCHEDULERS[name], given, where)


def check_references(trial: TrialConfig, seen: set[str]) -> None:
    """Refuse names and options that do not exist, and selection by what is reported. Reads no data.

    Args:
        trial: any trial.
        seen: what was found good before; added to, so that a grid asks once for each name.

    Raises:
        SpaceError: naming the key, the value, and what is allowed.
    """
    validation = trial.validation
    if validation.benchmark.label:
        raise SpaceError(
            f"trial.validation.benchmark: label '{validation.benchmark.label}' is refused: metrics of the validation "
            f"benchmark are called '{VALIDATION}/...'; remove the label"
        )
    if validation.benchmark in [benchmark.model_copy(update={"label": None}) for benchmark in trial.benchmarks]:
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
