"""Messages between a study's driver, its trials and their workers: the only place that knows their keys.

    searcher -- Assignment --> trial -- Assignment --> workers
    searcher <-- TrainingReport, FinalReport or Failure -- trial <-- TrainingReport -- workers
    progress <-- Activity (activity.py), by the cluster's internal values -- workers

Ray Tune, and the reports of Ray Train, carry plain dicts: `to_dict` writes them and `from_dict` or `read_report` reads
them, once on each side. Ray Train pickles a trial's assignment for its workers, which therefore do not parse it again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from study.config import TrialConfig
from study.config_sections import VALIDATION
from study.runtime.ray_internals import TUNE_KEYS

IMPROVED_AT_STEP = "improved_at_step"
"""Ray Train ranks checkpoints by this key of a report: its step if its score is the best so far, else 0."""
_NUMBER, _TRIAL, _PARAMS, _RECORDED_STEP = "number", "trial", "params", "recorded_step"
_RESUMABLE = "resumable"
"""Key of `Failure.resumable`, also in the result file of a failed trial."""
_STEP, _TRAINING_ENDED, _FINAL, _FAILED = "step", "training_ended", "final", "failed"
_OWN_KEYS = {_STEP, _TRAINING_ENDED, _FINAL, _FAILED, IMPROVED_AT_STEP}


@dataclass(frozen=True)
class Assignment:
    """One trial to run."""

    number: int
    trial: TrialConfig
    params: Mapping[str, Any] = field(default_factory=dict)
    """The values drawn for it, as Optuna stores them."""
    recorded_step: int = 0
    """The last step whose score is in the Optuna record; the driver did not receive what was reported after it."""

    def to_dict(self) -> dict[str, Any]:
        """Return Tune's configuration of this trial."""
        return {
            _NUMBER: self.number,
            _TRIAL: self.trial.model_dump(mode="json"),
            _PARAMS: dict(self.params),
            _RECORDED_STEP: self.recorded_step,
        }

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Assignment:
        """Return the assignment in Tune's configuration of a trial."""
        trial = TrialConfig.model_validate(config[_TRIAL])
        return cls(config[_NUMBER], trial, config[_PARAMS], config[_RECORDED_STEP])


def trial_number(config: Mapping[str, Any]) -> int:
    """Return the trial's number in Tune's configuration of a trial, without parsing the rest."""
    return int(config[_NUMBER])


@dataclass(frozen=True)
class TrainingReport:
    """Progress of a trial in training."""

    step: int
    """Steps trained so far."""
    metrics: Mapping[str, float]
    """Loss, learning rate and so on; after a validation also `validation/...`."""
    training_ended: bool = False
    """Whether no step follows: all are taken, or `validation.patience` has run out."""
    improved: bool | None = None
    """Whether the checkpoint that comes with this report is the best so far; None without a checkpoint."""

    def to_dict(self) -> dict[str, Any]:
        """Return what Ray Train and Ray Tune report."""
        rank = {} if self.improved is None else {IMPROVED_AT_STEP: self.step if self.improved else 0}
        return {**self.metrics, _STEP: self.step, _TRAINING_ENDED: self.training_ended} | rank


@dataclass(frozen=True)
class FinalReport:
    """The metrics of a finished trial on all its benchmarks."""

    step: int
    metrics: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return what Ray Tune reports."""
        return {**self.metrics, _STEP: self.step, _FINAL: True}


@dataclass(frozen=True)
class Failure:
    """Why a trial cannot be finished by starting it again."""

    reason: str
    resumable: bool = False
    """Whether the user can repair it, such as missing data or a node, and `--resume` then finishes the trial."""

    def to_dict(self) -> dict[str, Any]:
        """Return what Ray Tune reports."""
        return {_FAILED: self.reason, _RESUMABLE: self.resumable}


def read_report(result: Mapping[str, Any]) -> TrainingReport | FinalReport | Failure:
    """Return the message in one of Tune's results, without what Tune adds to it."""
    if _FAILED in result:
        return Failure(str(result[_FAILED]), bool(result[_RESUMABLE]))
    metrics = {
        key: value
        for key, value in result.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
        if key not in _OWN_KEYS and key not in TUNE_KEYS and not key.startswith("config/")
    }
    step = int(result[_STEP])
    if result.get(_FINAL):
        return FinalReport(step, metrics)
    improved = bool(result[IMPROVED_AT_STEP]) if IMPROVED_AT_STEP in result else None
    return TrainingReport(step, metrics, bool(result.get(_TRAINING_ENDED)), improved)


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the finite values: JSON and other loggers have no NaN or infinity."""
    return {key: value for key, value in metrics.items() if math.isfinite(value)}


def unrecorded(
    history: Sequence[Mapping[str, float]], recorded_step: int, *, training_ended: bool
) -> list[TrainingReport]:
    """Return the validations after `recorded_step`, oldest first, to be reported again.

    A driver that was killed may not have recorded them.

    Args:
        history: all reports of a trial's training, as its checkpoints store them.
        recorded_step: the last step whose score is in the Optuna record.
        training_ended: whether the last of `history` ended the training.
    """
    return [
        TrainingReport(
            int(row[_STEP]), {key: row[key] for key in row if key != _STEP}, training_ended and row is history[-1]
        )
        for row in history
        if row[_STEP] > recorded_step and any(key.startswith(VALIDATION) for key in row)
    ]
