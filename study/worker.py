"""What every rank runs, top to bottom: corpora, encoder, training, validation, best checkpoint, evaluation, result."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray.train
import ray.train.torch
import torch

from study import distributed, results, storage
from study.config import BenchmarkConfig, Precision, TrialConfig
from study.retrieval.evaluation import Evaluation, evaluate
from study.training import checkpoint
from study.training.backbone import load_encoder, resolve
from study.training.encoder import Encoder
from study.training.optimization import DivergedError
from study.training.training import Training
from tasks.metrics import higher_is_better
from tasks.plugins import load_benchmark, load_corpus
from tasks.schema import Benchmark

VALIDATION = "validation"
logger = logging.getLogger(__name__)


def train_worker(message: dict[str, Any]) -> None:
    """Run one trial on this rank.

    Args:
        message: `number`, `trial` (a TrialConfig as plain data) and `folder` (where the trial's files go).
    """
    config = TrialConfig.model_validate(message["trial"])
    device = ray.train.torch.get_device()
    encoder = load_encoder(config, device, bf16=uses_bf16(config.precision, device))
    development = _load(config.validation.benchmark)
    if config.steps:
        training = Training(config, encoder, [load_corpus(corpus.name, corpus.options) for corpus in config.corpora])
        _restore(training)
        try:
            _train(training, development)
        except DivergedError as error:
            ray.train.report({"step": training.progress.step, "diverged": str(error)})
            return
        progress = training.progress
        _restore_best(training)
    else:
        progress = checkpoint.Progress(best_step=0, best_metrics=_validate(encoder, development))
    evaluations = [evaluate(encoder, _load(benchmark)) for benchmark in config.benchmarks]
    final = {"step": progress.step, "final": True, **progress.best_metrics}
    for evaluation in evaluations:
        final |= evaluation.metrics
    if distributed.rank() == 0:
        _write_result(message, config, progress, evaluations)
    ray.train.report(final)


def uses_bf16(precision: Precision, device: torch.device) -> bool:
    """Return whether the transformer runs in bfloat16 on this device."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return precision == "bf16"


def _load(benchmark: BenchmarkConfig) -> Benchmark:
    return load_benchmark(benchmark.name, benchmark.options)


def _validate(encoder: Encoder, development: Benchmark) -> dict[str, float]:
    """Return the development benchmark's metrics under `validation/...` in place of its own name."""
    metrics = evaluate(encoder, development).metrics
    return {f"{VALIDATION}/{key.removeprefix(development.name + '/')}": value for key, value in metrics.items()}


def _train(training: Training, development: Benchmark) -> None:
    metric = training.config.validation.metric
    for report in training.run():
        if not report.due_validation:
            ray.train.report(report.metrics)
            continue
        metrics = _validate(training.encoder, development)
        value = metrics[f"{VALIDATION}/{metric}"]
        training.validated(value if higher_is_better(metric.rpartition("/")[2]) else -value, metrics)
        _report_with_checkpoint(training, report.metrics | metrics)


def _report_with_checkpoint(training: Training, metrics: dict[str, float]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        saved = None
        if distributed.rank() == 0:
            checkpoint.save(Path(scratch), training.encoder, training.optimizer, training.progress)
            saved = ray.train.Checkpoint.from_directory(scratch)
        ray.train.report(metrics, checkpoint=saved, checkpoint_dir_name=f"step-{training.progress.step:08d}")


def _restore(training: Training) -> None:
    """Go on from the last checkpoint; from the one before, if the last cannot be read."""
    if ray.train.get_checkpoint() is None:
        return
    for reported in sorted(ray.train.get_all_reported_checkpoints(), key=lambda r: -r.metrics["step"]):
        try:
            with reported.checkpoint.as_directory() as folder:
                training.progress = checkpoint.restore(Path(folder), training.encoder, training.optimizer)
        except checkpoint.CheckpointError as error:
            logger.warning("%s; going back to the checkpoint before it", error)
        else:
            return


def _restore_best(training: Training) -> None:
    """Load the best checkpoint's weights, unless they are the ones at hand."""
    if training.progress.best_step == training.progress.step:
        return
    best = next(r for r in ray.train.get_all_reported_checkpoints() if r.metrics["step"] == training.progress.best_step)
    with best.checkpoint.as_directory() as folder:
        checkpoint.restore_weights(Path(folder), training.encoder)


def _write_result(
    message: dict[str, Any], config: TrialConfig, progress: checkpoint.Progress, evaluations: list[Evaluation]
) -> None:
    folder: str = message["folder"]
    for evaluation in evaluations:
        storage.write_table(results.positions_file(folder, evaluation.benchmark), evaluation.positions)
    result = {
        "number": message["number"],
        "config": config.model_dump(mode="json"),
        "backbone": resolve(config).describe(),
        "training": asdict(progress),
        "metrics": progress.best_metrics | {k: v for evaluation in evaluations for k, v in evaluation.metrics.items()},
        "benchmarks": {evaluation.benchmark: evaluation.describe() for evaluation in evaluations},
        "versions": results.versions(),
        "hardware": results.hardware(),
    }
    storage.write_json(storage.join(folder, results.RESULT), result)
