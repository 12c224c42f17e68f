"""One trial: an assignment from Tune in, a TorchTrainer run in the trial's folder, reports to Tune out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import ray.train
from ray import tune
from ray.util.queue import Queue

from study.config import TrialConfig
from study.config_sections import ResourcesConfig, RunFiles
from study.results import files, layout
from study.results.layout import StudyError
from study.results.trial_result import FailedTrial, Measurement, TrialResult, TrialSettings
from study.runtime import messages, ray_internals
from study.runtime.activity import Activity
from study.runtime.messages import Assignment, Failure, FinalReport
from study.runtime.ray_internals import torch_config
from study.space.fields import flatten
from tasks.errors import UserError

WORKER_FAILURES = 3
"""How often a trial's workers may die before the trial fails."""


def run_trial(config: dict[str, Any], *, study_folder: str) -> None:
    """Train and evaluate one trial, reporting to Tune.

    The run is named by the trial's number, so it continues from its last checkpoint when Tune retries it or the study
    is resumed. A trial that already has its result only reports what is not recorded; one whose data was missing tries
    again.

    Args:
        config: an `Assignment` as the searcher's dict.
        study_folder: the study's folder, reachable from every node.
    """
    assignment = Assignment.from_dict(config)
    folder = layout.trial_folder(study_folder, assignment.number)
    result = layout.read_result(folder)
    try:
        _claim(folder, assignment, result)
    except StudyError as error:
        tune.report(Failure(str(error), resumable=True).to_dict())
        return
    if isinstance(result, FailedTrial) and result.resumable:
        files.remove(files.join(folder, layout.RESULT))
        result = None
    if result:  # after the study was killed: workers outlive it for a while
        history, completed = layout.history(folder, result), isinstance(result, TrialResult)
        for report in messages.unrecorded(history, assignment.recorded_step, training_ended=completed):
            tune.report(report.to_dict())
    else:
        _forget_broken_snapshot(folder)
        ray_internals.release(folder)
        _trainer(assignment, study_folder).fit()
        result = layout.read_result(folder)
        assert result, f"the workers of trial {assignment.number} wrote no {layout.RESULT}"
    tune.report(_last_report(result).to_dict())


def _claim(folder: str, assignment: Assignment, result: TrialResult | FailedTrial | None) -> None:
    """Write a trial's settings into its folder, unless they are there.

    Raises:
        StudyError: the folder is of a trial with other settings, as the record is not that of the folder's study; or
            its settings cannot be read.
    """
    settings = layout.read_settings(folder)
    stored = settings or result
    if stored and stored.config != assignment.trial:
        then, now = (flatten(config.model_dump(mode="json")) for config in (stored.config, assignment.trial))
        keys = [key for key in sorted(then.keys() | now.keys()) if then.get(key) != now.get(key)]
        key = next((key for key in keys if not isinstance(then.get(key, now.get(key)), Mapping)), keys[0])
        raise StudyError(
            f"{folder} is of a trial with {key} {then.get(key)!r}, and the record has {now.get(key)!r}: the record is "
            "not that of this folder, so restore it, or run a new study"
        )
    if settings is None:
        layout.write_settings(folder, TrialSettings(config=assignment.trial, params=assignment.params))


class _ReportToTune(ray.train.UserCallback):  # type: ignore[misc]  # Ray's classes are Any to mypy, see pyproject.toml
    """Passes the workers' reports on to Tune; called by the controller, in the thread of the trial's driver."""

    def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Any) -> None:
        """Report what the first worker reported."""
        tune.report(dict(metrics[0]))


def _last_report(result: TrialResult | FailedTrial) -> FinalReport | Failure:
    if isinstance(result, FailedTrial):
        return Failure(result.failed, result.resumable)
    return FinalReport(result.training.step, result.metrics)


def _forget_broken_snapshot(folder: str) -> None:
    """Remove Ray Train's list of checkpoints if it is unreadable or names a missing one: Train would refuse to start.

    `study.runtime.checkpoints` does not need the list to find checkpoints.
    """
    try:
        usable = all(files.exists(files.join(folder, name)) for name in layout.listed_by_train(folder))
    except ValueError:
        usable = False
    if not usable:
        files.remove(files.join(folder, layout.TRAIN_SNAPSHOT))


def measure_on_workers(
    config: TrialConfig, runs: RunFiles | None, progress: Callable[[str, int, int], None], scratch: str
) -> Measurement:
    """Evaluate a backbone on the workers of a trial without training steps; `study.evaluate --workers` uses this.

    Args:
        config: the trial.
        runs: where TREC run files go, a folder that every node reaches; None writes none.
        progress: called in a thread of this process with a benchmark's name, the texts encoded so far, and all its
            texts.
        scratch: a folder for Ray Train's own files that every node reaches; the caller removes it.

    Raises:
        UserError: that of a worker, as one process alone would raise it.
    """
    queue = Queue(actor_options={"num_cpus": 0})
    trainer = ray_internals.TrialTrainer(
        partial(_measure, config, runs, queue),
        torch_config=torch_config(config.resources),
        scaling_config=scaling(config.resources),
        run_config=ray.train.RunConfig(name="evaluate", storage_path=scratch),
    )
    with ThreadPoolExecutor(max_workers=1) as background:
        background.submit(_forward, queue, progress)
        try:
            result: Measurement = trainer.fit().return_value
        except ray.train.WorkerGroupError as failed:
            for error in failed.worker_failures.values():
                if isinstance(error, UserError):
                    raise error from None
            raise
        finally:
            queue.put(None)
        return result


def _forward(queue: Queue, progress: Callable[[str, int, int], None]) -> None:
    """Call `progress` with every activity in the queue until None arrives."""
    activity: Activity | None
    while (activity := queue.get()) is not None:
        progress(*activity)


def _measure(config: TrialConfig, runs: RunFiles | None, queue: Queue) -> Measurement:
    from study.runtime.worker import measure_worker  # noqa: PLC0415

    ray_internals.receive_hub_token()
    return measure_worker(config, runs, queue)


def _train(assignment: Assignment, folder: str) -> None:
    # Imported in the workers only: torch and transformers would cost the trial's driver and controller seconds.
    from study.runtime.worker import train_worker  # noqa: PLC0415

    if not files.exists(files.join(folder, layout.SETTINGS)):  # what is written there would be lost with this node
        raise RuntimeError(f"{folder} is not the folder that the study's driver sees: use storage that all nodes share")
    ray_internals.receive_hub_token()
    train_worker(assignment, folder)


def scaling(resources: ResourcesConfig, workers: int | None = None, **options: Any) -> ray.train.ScalingConfig:
    """Return Ray Train's configuration of a trial's workers, or of another number of such workers."""
    return ray.train.ScalingConfig(
        num_workers=workers or resources.workers,
        use_gpu=resources.gpus_per_worker > 0,
        resources_per_worker=resources.per_worker,
        **options,
    )


def _trainer(assignment: Assignment, study_folder: str) -> ray_internals.TrialTrainer:
    resources, folder = assignment.trial.resources, layout.trial_folder(study_folder, assignment.number)
    return ray_internals.TrialTrainer(
        partial(_train, assignment, folder),
        torch_config=torch_config(resources),
        scaling_config=scaling(resources),
        run_config=ray.train.RunConfig(
            name=f"{assignment.number:04d}",
            storage_path=files.join(study_folder, layout.TRIALS),
            checkpoint_config=ray.train.CheckpointConfig(
                num_to_keep=layout.KEPT_CHECKPOINTS,
                checkpoint_score_attribute=messages.IMPROVED_AT_STEP,
            ),
            failure_config=ray.train.FailureConfig(
                max_failures=WORKER_FAILURES, controller_failure_limit=WORKER_FAILURES
            ),
            logging_config=ray.train.LoggingConfig(log_level="WARNING"),
            callbacks=[_ReportToTune(), ray_internals.NamedPlacement(folder)],
        ),
    )
