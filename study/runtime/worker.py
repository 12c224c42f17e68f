"""What every rank runs, top to bottom: corpora, encoder, training, validation, best checkpoint, evaluation, result."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray.train
import ray.train.torch
import torch

from study import distributed
from study.config import VALIDATION, TrialConfig, value_at
from study.model.backbone import load_encoder
from study.model.encoder import Encoder
from study.results import files, layout
from study.retrieval.evaluation import Evaluation, evaluate
from study.retrieval.measurement import describe, encoding, load, measure, measure_backbone, uses_bf16
from study.retrieval.question_loss import question_loss
from study.runtime import checkpoints
from study.space.selection import better
from study.training import checkpoint, step
from study.training.corpora import load_for_training
from study.training.loop import Training
from study.training.step import DivergedError
from tasks.errors import UserError
from tasks.schema import Benchmark


def train_worker(message: dict[str, Any]) -> None:
    """Run one trial on this rank.

    Args:
        message: `number`, `trial` (a TrialConfig as plain data), `folder` (where the trial's files go) and `seen` (the
            last step whose score is on record).
    """
    config = TrialConfig.model_validate(message["trial"])
    use_cpus(config.resources.cpus_per_worker)
    if files.exists(files.join(message["folder"], layout.RESULT)):
        return  # an attempt before this one failed for good
    device = ray.train.torch.get_device()
    try:
        result, evaluations = _run(config, message, device)
    except DivergedError as error:  # on every rank alike
        if distributed.rank() == 0:
            _fail(message, str(error))
    except (UserError, MemoryError, RuntimeError) as error:
        if not isinstance(error, UserError) and not step.ran_out(error):
            raise
        # Nothing that running it again would mend, but perhaps on this rank alone, with the others waiting for it: the
        # error ends them too, and the next attempt finds what is on record.
        _fail(message, str(error) if isinstance(error, UserError) else step.advice(config))
        raise
    else:
        _write(message, result, evaluations)
        _keep_best(message["folder"], result)


def _run(config: TrialConfig, message: dict[str, Any], device: torch.device) -> tuple[dict[str, Any], list[Evaluation]]:
    encoder = load_encoder(config, device, bf16=uses_bf16(config.precision, device))
    development = load(config.validation.benchmark)
    corpora = [load_for_training(corpus) for corpus in config.corpora] if config.steps else []
    clock: dict[str, float] = {}  # Unix time; what lies between two trials' clocks is overhead
    if config.steps:
        training = Training(config, encoder, corpora)
        checkpoints.restore(training, message["folder"])
        checkpoints.tell_again(training, message["seen"])
        clock["training"] = time.time()
        _train(training, development, message["folder"])
        progress = training.progress
        checkpoints.restore_best(training, message["folder"])
    else:
        progress = checkpoint.Progress(best_step=0, best_metrics=_validate(encoder, development, config))
    evaluations = measure(encoder, config)
    clock["measured"] = time.time()
    result = describe(config, device, evaluations)
    result["metrics"] = progress.best_metrics | result["metrics"]
    about = {
        "training": asdict(progress),
        "clock": clock,
        "training_languages": sorted({language for corpus in corpora for language in corpus.languages}),
        "corpora": [{"name": c.name, "revision": c.revision, "rows": len(c)} for c in corpora],
    }
    return about | result, evaluations


def measure_worker(message: dict[str, Any]) -> dict[str, Any]:
    """Measure a backbone as it is on this rank; every rank returns the same.

    Args:
        message: `trial` (a TrialConfig as plain data), `runs` (a folder for run files, or None) and `progress`
            (a queue that is told of a benchmark's name, the texts encoded so far, and all its texts).
    """
    runs = Path(message["runs"]) if message["runs"] else None

    def tell(name: str, done: int, total: int) -> None:
        message["progress"].put((name, done, total))

    config = TrialConfig.model_validate(message["trial"])
    use_cpus(config.resources.cpus_per_worker)
    return measure_backbone(config, ray.train.torch.get_device(), runs=runs, progress=tell)


def use_cpus(count: int) -> None:
    """Compute and tokenize on so many threads, wherever and however this worker's Ray was started.

    Ray by itself gives torch as many threads as a worker has CPUs; not on nodes that `ray up` started, which inherit
    OMP_NUM_THREADS=1. The tokenizer would take every core of the machine.
    """
    torch.set_num_threads(count)
    os.environ["RAYON_NUM_THREADS"] = str(count)


def _validate(encoder: Encoder, development: Benchmark, config: TrialConfig) -> dict[str, float]:
    """Return the development benchmark's metrics and loss under `validation/...` in place of its own name."""
    metrics = evaluate(encoder, development, encoding(encoder, config)).metrics
    held = {f"{VALIDATION}/{key.removeprefix(development.name + '/')}": value for key, value in metrics.items()}
    temperature = value_at(config.temperature, 1.0)
    loss = question_loss(encoder, development, temperature=temperature, token_budget=config.micro_batch_tokens)
    return held if math.isnan(loss) else held | {f"{VALIDATION}/loss": loss}


def _train(training: Training, development: Benchmark, folder: str) -> None:
    config = training.config
    key = f"{VALIDATION}/{config.validation.metric}"
    for report in training.run():
        if not report.due_validation:
            ray.train.report(report.metrics)
            continue
        metrics = _validate(training.encoder, development, config)
        training.validated(metrics[key] if better(key) == "maximize" else -metrics[key], metrics)
        _report_with_checkpoint(training, report.metrics | metrics | {"trained": training.ended}, folder)


def _report_with_checkpoint(training: Training, metrics: dict[str, float], folder: str) -> None:
    step = training.progress.step
    # By this Train keeps the latest, and the last two that were the best so far; by score, ties would cost the best.
    metrics[layout.IMPROVED] = step if training.progress.best_step == step else 0
    with tempfile.TemporaryDirectory() as scratch:
        saved = None
        if distributed.rank() == 0:
            checkpoint.save(Path(scratch), training.encoder, training.optimizer, training.progress)
            saved = ray.train.Checkpoint.from_directory(scratch)
        ray.train.report(metrics, checkpoint=saved, checkpoint_dir_name=layout.checkpoint_name(folder, step))


def _fail(message: dict[str, Any], reason: str) -> None:
    """Put on record why a trial cannot go on."""
    failed = {"number": message["number"], "config": message["trial"], "failed": reason}
    files.write_json(files.join(message["folder"], layout.RESULT), failed)


def _write(message: dict[str, Any], result: dict[str, Any], evaluations: Sequence[Evaluation]) -> None:
    """Write the trial's files, the result last: where it is, everything is."""
    if distributed.rank() != 0:
        return
    folder: str = message["folder"]
    for evaluation in evaluations:
        files.write_table(layout.positions_file(folder, evaluation.benchmark), evaluation.positions)
    examples = {evaluation.benchmark: evaluation.examples for evaluation in evaluations}
    files.write_json(files.join(folder, layout.EXAMPLES), examples)
    files.write_json(files.join(folder, layout.RESULT), {"number": message["number"]} | result)


def _keep_best(folder: str, result: dict[str, Any]) -> None:
    """Remove what only a trial that goes on would need: all but the best checkpoint, and the optimizer's moments.

    With Adam these are five sixths of a trial's files, at two checkpoints; a study has many trials.
    """
    if distributed.rank() != 0:
        return
    best = layout.checkpoints(folder, result["training"]["best_step"])[:1]
    for name in layout.checkpoints(folder):
        place = files.join(folder, name)
        files.remove(files.join(place, checkpoint.OPTIMIZER) if name in best else place)
