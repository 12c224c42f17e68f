"""One trial: Tune's dict in, a TorchTrainer run under the trial's own name, Tune's final report out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ray.train
from ray import tune
from ray.train.torch import TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback
from ray.util.queue import Queue

from study.config import ResourcesConfig, TrialConfig
from study.results import files, layout
from study.runtime import ray_internals
from study.runtime.ray_internals import torch_config

TRAIN_SNAPSHOT = "checkpoint_manager_snapshot.json"
"""Ray Train's list of a run's checkpoints, in the run's folder."""
KEPT_CHECKPOINTS = 2
WORKER_FAILURES = 3
"""Times a trial's workers may die before the trial does."""


def run_trial(message: dict[str, Any], *, study_folder: str) -> None:
    """Train and evaluate one trial; report to Tune as it goes.

    The run is named by the trial's number, so it goes on from its last checkpoint whenever it is started again, by
    Tune after a failure or by a resumed study; a trial that has its result only reports what is not on record.

    Args:
        message: `number`, `trial` (a TrialConfig as plain data) and `seen`, as the searcher hands them out.
        study_folder: where the study keeps its files; reachable from every node.
    """
    config = TrialConfig.model_validate(message["trial"])
    number = int(message["number"])
    folder = layout.trial_folder(study_folder, number)
    result_file = files.join(folder, layout.RESULT)
    ended_before = files.exists(result_file)  # after its study was killed: workers outlive it for a while
    if not ended_before:
        _forget_broken_snapshot(folder)
        ray_internals.release(folder)
        _trainer(config, {**message, "folder": folder}, study_folder).fit()
    result = files.read_json(result_file)
    if ended_before:
        for report in layout.unheard(layout.history(folder, result), message["seen"], ended="failed" not in result):
            tune.report(report)
    if "failed" in result:
        tune.report({"failed": result["failed"]})
    else:
        tune.report({"step": result["training"]["step"], "final": True, **result["metrics"]})


def _forget_broken_snapshot(folder: str) -> None:
    """Remove Ray Train's list of checkpoints where Train would refuse to start: unreadable, or naming one that is gone.

    `study.runtime.checkpoints` finds checkpoints without it.
    """
    snapshot = files.join(folder, TRAIN_SNAPSHOT)
    if not files.exists(snapshot):
        return
    try:
        named = [held["checkpoint_dir_name"] for held in files.read_json(snapshot)["checkpoint_results"]]
        whole = all(files.exists(files.join(folder, name)) for name in named)
    except (ValueError, KeyError):  # cut short: Train writes it in place
        whole = False
    if not whole:
        files.remove(snapshot)


def measure_on_workers(
    config: TrialConfig, runs: Path | None, progress: Callable[[str, int, int], None], scratch: str
) -> dict[str, Any]:
    """Return what the workers of a trial without training steps measure; `study.evaluate` with several processes.

    Args:
        config: the trial.
        runs: where TREC run files go; without, none are written.
        progress: called here, in a thread, with a benchmark's name, the texts encoded so far, and all its texts.
        scratch: a folder that every node reaches, for Ray Train's own files; whoever calls removes it.
    """
    told = Queue(actor_options={"num_cpus": 0})
    with ThreadPoolExecutor(max_workers=1) as background:
        message = {
            "trial": config.model_dump(mode="json"),
            "runs": str(runs.resolve()) if runs else None,
            "progress": told,
        }
        trainer = TorchTrainer(
            _measure,
            train_loop_config=message,
            torch_config=torch_config(config.resources),
            scaling_config=_scaling(config.resources),
            run_config=ray.train.RunConfig(name="evaluate", storage_path=scratch),
        )
        background.submit(_pass_on, told, progress)
        try:
            measured: dict[str, Any] = trainer.fit().return_value
        finally:
            told.put(None)
        return measured


def _pass_on(told: Queue, progress: Callable[[str, int, int], None]) -> None:
    """Call `progress` with all that workers tell, until None comes."""
    while (said := told.get()) is not None:
        progress(*said)


def _measure(message: dict[str, Any]) -> dict[str, Any]:
    from study.runtime.worker import measure_worker  # noqa: PLC0415

    return measure_worker(message)


def _train(message: dict[str, Any]) -> None:
    # Imported in the workers alone: torch and transformers would cost the trial's driver and controller seconds.
    from study.runtime.worker import train_worker  # noqa: PLC0415

    train_worker(message)


def _scaling(resources: ResourcesConfig) -> ray.train.ScalingConfig:
    gpus = {"GPU": resources.gpus_per_worker} if resources.gpus_per_worker else {}
    return ray.train.ScalingConfig(
        num_workers=resources.workers,
        use_gpu=resources.gpus_per_worker > 0,
        resources_per_worker={"CPU": resources.cpus_per_worker} | gpus,
    )


def _trainer(config: TrialConfig, message: dict[str, Any], study_folder: str) -> TorchTrainer:
    return TorchTrainer(
        _train,
        train_loop_config=message,
        torch_config=torch_config(config.resources),
        scaling_config=_scaling(config.resources),
        run_config=ray.train.RunConfig(
            name=f"{message['number']:04d}",
            storage_path=files.join(study_folder, layout.TRIALS),
            checkpoint_config=ray.train.CheckpointConfig(
                num_to_keep=KEPT_CHECKPOINTS,
                checkpoint_score_attribute=layout.IMPROVED,
            ),
            failure_config=ray.train.FailureConfig(
                max_failures=WORKER_FAILURES, controller_failure_limit=WORKER_FAILURES
            ),
            logging_config=ray.train.LoggingConfig(log_level="WARNING"),
            callbacks=[TuneReportCallback(), ray_internals.NamedPlacement(message["folder"])],
        ),
    )
