"""A trial's `result.json` as typed records: written by its workers, read by everything that comes after.

Writing is strict and reading is lenient. Records are built from known fields alone. Reading ignores keys that this
version does not know, and takes a configuration that it would refuse to run as it is, so that studies of earlier and
later versions open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import pydantic
from pydantic import TypeAdapter

from study.config import TrialConfig
from study.config_values import Frozen
from study.space.strict_yaml import models_in

FORMAT_VERSION = 1
"""Version of `result.json` and `study.json`; files without one were written before there was any."""
Scores = Mapping[str, float]
"""Metric -> value."""
Versions = tuple[tuple[int, dict[str, str]], ...]
"""Steps trained before -> package -> version."""


def _unchecked(stored: object, check: pydantic.ValidatorFunctionWrapHandler) -> Any:
    try:
        return check(stored)
    except pydantic.ValidationError:
        if not isinstance(stored, Mapping):
            raise
        return _built(TrialConfig, stored)  # it was checked by the version that ran it


def _built(annotation: Any, stored: Any) -> Any:
    """Return plain data as the models that an annotation names, without checking values."""
    if isinstance(stored, list):
        return tuple(_built(annotation, each) for each in stored)
    model = next(models_in(annotation), None)
    if model is None or not isinstance(stored, Mapping):
        return stored
    fields = {name: field.annotation for name, field in model.model_fields.items() if name in stored}
    return model.model_construct(**{name: _built(annotation, stored[name]) for name, annotation in fields.items()})


StoredConfig = Annotated[TrialConfig, pydantic.WrapValidator(_unchecked)]


@dataclass(frozen=True)
class TrainingProgress:
    """How far a trial has trained; also what its checkpoints keep."""

    step: int = 0
    """Optimizer steps taken."""
    best_step: int | None = None
    best_score: float | None = None
    """Best value of the validation metric, negated where lower is better."""
    best_metrics: dict[str, float] = field(default_factory=dict)
    """All validation metrics at `best_step`."""
    history: tuple[dict[str, int | float], ...] = ()
    """Every report so far, by step: loss, learning rate, and the validation metrics where there was a validation."""
    log_temperature: float | None = None
    """Learned so far; None where the temperature is a setting."""
    seconds: float = 0.0
    """Seconds spent training so far, over all attempts."""
    data: tuple[tuple[str, str], ...] = ()
    """Names and revisions of the corpora it is trained on and of the validation benchmark."""
    versions: Versions = ()
    """What it began with, and what it went on with where that changed; empty in checkpoints of earlier versions."""


class BackboneRecord(Frozen):
    """How the encoder was run, with everything that the configuration leaves to the model resolved."""

    pooling: str
    query_prefix: str
    passage_prefix: str
    max_query_tokens: int | None = None
    """The trial's limit or the model's own, whichever is smaller; None in results without it. Likewise for passages."""
    max_passage_tokens: int | None = None
    revision: str | None = None
    """Commit of a model of the hub; None for any other."""
    content: str | None = None
    """What identifies its files (`pooling_and_prompts.content_of`); None if built in, and in results without it."""
    assumed: tuple[str, ...] = ()
    """Assumptions where the model's files state nothing, one line each."""
    precision: str
    """`bf16` or `fp32`."""


class BenchmarkResult(Frozen):
    """Scores on one benchmark, macro-averaged over languages or pairs, and by language and pair."""

    benchmark: str
    revision: str
    """Revision of the data."""
    details: Mapping[str, str]
    """Protocol switches, such as LAReQA's `context`."""
    metrics: Scores
    """`benchmark/setting/metric` -> value; see `tasks.scoring.Scores`, also for the next two."""
    by_language: Mapping[str, Mapping[str, Scores]]
    """Setting -> query language -> scores."""
    by_pair: Mapping[str, Scores]
    """`query language-passage language` -> scores in the cross-lingual setting."""
    queries: Mapping[str, int]
    """Query language -> number of queries measured."""
    passages: Mapping[str, int]
    """Language -> number of passages searched."""


class CorpusRecord(Frozen):
    """A corpus as it was trained on."""

    name: str
    revision: str
    rows: int


class Clock(Frozen):
    """Unix times at which phases of a trial began or ended; the time between two trials' clocks is overhead."""

    training: float | None = None
    """When training began; None for a trial without training steps."""
    measured: float | None = None
    """When the final evaluation was done."""


class Measurement(Frozen):
    """An encoder measured on benchmarks: what `study.evaluate` writes, and part of every trial's result."""

    format_version: int = FORMAT_VERSION
    config: StoredConfig
    backbone: BackboneRecord
    metrics: Scores
    """Macro averages by full key: those of all benchmarks and, for a trial, `validation/...` at its best step."""
    benchmarks: Mapping[str, BenchmarkResult]
    versions: Mapping[str, str] = {}
    """Package -> version, when it was measured; `TrainingProgress.versions` has those of its training."""
    hardware: Mapping[str, str | int] = {}


class TrialResult(Measurement):
    """A trial that was trained and measured."""

    number: int
    training: TrainingProgress
    clock: Clock = Clock()
    training_languages: tuple[str, ...] = ()
    corpora: tuple[CorpusRecord, ...] = ()
    validation_revision: str = ""
    """Identifies the data of the validation benchmark; empty in results of earlier versions."""
    seen_questions: Mapping[str, int] = {}
    """Benchmark -> number of its questions of which a version was trained on; benchmarks not counted are missing."""
    not_searched: Mapping[str, tuple[str, ...]] = {}
    """Benchmark -> corpora with too many questions to look for its own in; without any it is missing."""


class FailedTrial(Frozen):
    """A trial that cannot be finished as things are: it diverged, its settings do not work, or its data is missing."""

    format_version: int = FORMAT_VERSION
    number: int
    config: StoredConfig
    failed: str
    """The reason, in one sentence."""
    resumable: bool = False
    """Whether the reason can be removed, so that a resumed study runs the trial again."""


class TrialSettings(Frozen):
    """What a trial was started with, written before anything else of it."""

    format_version: int = FORMAT_VERSION
    config: StoredConfig
    params: Mapping[str, bool | int | float | str | None]
    """The values drawn for it, as Optuna stores them: by branch, categorical ones as labels."""


_RESULT: TypeAdapter[TrialResult | FailedTrial] = TypeAdapter(TrialResult | FailedTrial)
_CONFIG: TypeAdapter[TrialConfig] = TypeAdapter(StoredConfig)


def parse_result(text: str | bytes) -> TrialResult | FailedTrial:
    """Return the result that a `result.json` holds, ignoring unknown keys.

    Raises:
        pydantic.ValidationError: the text is not JSON, or lacks what every result has.
    """
    return _RESULT.validate_json(text, extra="ignore")


def parse_config(stored: Mapping[str, object]) -> TrialConfig:
    """Return the configuration that a study stored of a trial, whatever version wrote it."""
    return _CONFIG.validate_python(stored, extra="ignore")
