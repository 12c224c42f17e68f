"""The code of every worker, in order: corpora, encoder, training, validation, best checkpoint, evaluation, result."""

from __future__ import annotations

import gc
import logging
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import ray.train
import ray.train.torch
import torch
from ray.util.queue import Queue

from study import distributed
from study.analysis.same_data import title
from study.config import TrialConfig
from study.config_sections import VALIDATION, RunFiles
from study.config_values import value_at
from study.corpora import training_corpora
from study.model.backbone import load_encoder, used_precision
from study.model.encoder import Encoder
from study.model.pooling_and_prompts import content_of
from study.results import files, layout
from study.results.trial_result import Clock, CorpusRecord, FailedTrial, Measurement, TrainingProgress, TrialResult
from study.retrieval.evaluation import Evaluation, evaluate
from study.retrieval.measurement import (
    Progress,
    code_and_model,
    encoding,
    load,
    measure,
    measure_backbone,
    measurement,
    remove_kept_counts,
)
from study.retrieval.question_loss import QuestionLoss
from study.runtime import checkpoints, ray_internals
from study.runtime.activity import TRAINING, Activity, Teller
from study.runtime.data_checks import check_apart, check_metrics, validation_metrics
from study.runtime.messages import Assignment, Failure, TrainingReport
from study.same_everywhere import check_same_everywhere, check_same_precision
from study.seen_questions import seen_questions
from study.space.selection import better
from study.threads import use_threads
from study.training import checkpoint, memory
from study.training.loop import Training
from study.training.step import DivergedError
from tasks.errors import UserError
from tasks.schema import Benchmark

_LOG = logging.getLogger(__name__)


def train_worker(assignment: Assignment, folder: str) -> None:
    """Run one trial on this rank.

    Args:
        assignment: the trial.
        folder: the trial's folder, reachable from every node.
    """
    config = assignment.trial
    use_threads(config.resources.threads)
    distributed.wait_for_hours()
    gc.freeze()  # a million objects of imported modules, which would be visited whenever token ids fill a generation
    device = ray.train.torch.get_device()
    memory.keep_to_share(device, config.resources.gpus_per_worker)
    # Over NFS some ranks may not see the file yet: those that go on would wait hours for those that return.
    if any(distributed.gather_objects(layout.read_result(folder) is not None)):
        return  # an earlier attempt has failed for good
    try:
        result, evaluations = _run(assignment, folder, device, _teller(partial(ray_internals.tell, folder)))
    except DivergedError as error:  # on all ranks
        if distributed.rank() == 0:
            _fail(assignment, folder, Failure(str(error)))
    except Exception as error:
        failure = _permanent(error, config)
        if failure is None:
            raise
        _fail(assignment, folder, failure)
        # The error may be on this rank alone while the others wait for it: raising ends them too, and the next attempt
        # sees the written result.
        if distributed.world_size() > 1:
            raise
        _LOG.exception("trial %d failed for good", assignment.number)
    else:
        _write(folder, result, evaluations)
        _keep_best(folder, result)
        remove_kept_counts(config)


_SAME_AGAIN = (ValueError, TypeError, LookupError, AttributeError, AssertionError, NotImplementedError)
"""Errors of the data, the model or the code. Others may come from processes, networks or storage, and are retried."""


def _permanent(error: Exception, config: TrialConfig) -> Failure | None:
    """Return the failure of an error that a retry would meet again; None for any other error."""
    if memory.ran_out(error):
        return Failure(memory.advice(config))
    if isinstance(error, UserError):
        return Failure(str(error), resumable=error.resumable)
    if isinstance(error, _SAME_AGAIN):
        return Failure(f"{type(error).__name__}: {' '.join(str(error).split())}")
    return None


def _run(
    assignment: Assignment, folder: str, device: torch.device, tell: Progress
) -> tuple[TrialResult, list[Evaluation]]:
    config = assignment.trial
    tell("loading model and data", 0, 0)
    content = content_of(config)
    check_same_everywhere(code_and_model(config, content))
    precision = used_precision(config.precision, device)
    check_same_precision(precision)
    encoder = load_encoder(config, device)
    development = load(config.validation.benchmark)
    check_metrics(development.name, [config.validation.metric], validation_metrics(development))
    reported = [load(benchmark) for benchmark in config.benchmarks]  # now, so that missing data costs no training
    for source, benchmark in zip(config.benchmarks, reported, strict=True):
        check_apart(title(config.validation.benchmark), development, title(source), benchmark)
    corpora = training_corpora(config) if config.steps else []
    check_same_everywhere({f"corpus '{c.name}' ({number})": c.revision for number, c in enumerate(corpora, 1)})
    clock: dict[str, float] = {}  # Unix time; the time between two trials' clocks is overhead
    if config.steps:
        training = Training(config, encoder, corpora)
        checkpoints.note_data(training, corpora, development, content, precision)
        checkpoints.restore(training, folder)
        checkpoints.report_again(training, assignment.recorded_step)
        clock["training"] = time.time()
        _train(training, Validation(encoder, development, config, tell), folder, tell)
        progress, languages = training.progress, training.languages
        checkpoints.restore_best(training, folder)
    else:
        progress = TrainingProgress(best_step=0, best_metrics=Validation(encoder, development, config, tell)())
        languages = ()
    evaluations = measure(encoder, config, reported, progress=tell)
    clock["measured"] = time.time()
    measured = measurement(config, content, device, evaluations)
    # Rank 0 alone, as it writes the result.
    seen = {b.name: seen_questions(b, corpora) for b in reported} if distributed.rank() == 0 else {}
    result = TrialResult(
        **dict(measured) | {"metrics": {**progress.best_metrics, **measured.metrics}},
        number=assignment.number,
        training=progress,
        clock=Clock(**clock),
        training_languages=languages,
        corpora=tuple(CorpusRecord(name=c.name, revision=c.revision, rows=len(c)) for c in corpora),
        validation_revision=development.revision,
        seen_questions={name: found.questions for name, found in seen.items() if found.questions is not None},
        not_searched={name: found.not_searched for name, found in seen.items() if found.not_searched},
    )
    return result, evaluations


def measure_worker(config: TrialConfig, runs: RunFiles | None, queue: Queue) -> Measurement:
    """Evaluate a backbone without training on this rank; every rank returns the same.

    Args:
        config: the trial.
        runs: where TREC run files go; None writes none.
        queue: receives what the workers are doing.
    """
    use_threads(config.resources.threads)
    distributed.wait_for_hours()
    device = ray.train.torch.get_device()
    memory.keep_to_share(device, config.resources.gpus_per_worker)
    return measure_backbone(config, device, runs=runs, progress=_teller(queue.put))


def _teller(send: Callable[[Activity], None]) -> Progress:
    """Return what tells the driver what this group of workers is doing: rank 0 speaks for all."""
    return Teller(send if distributed.rank() == 0 else lambda _: None)


class Validation:
    """Measures the encoder on the validation benchmark, as often as asked; collective."""

    def __init__(self, encoder: Encoder, benchmark: Benchmark, config: TrialConfig, tell: Progress) -> None:
        self._encoder, self._benchmark, self._config = encoder, benchmark, config
        self._progress = partial(tell, VALIDATION)
        self._encoding, self._loss = encoding(encoder, config), QuestionLoss(benchmark)

    def __call__(self) -> dict[str, float]:
        """Return the benchmark's metrics and loss, under `validation/...` instead of the benchmark's name."""
        prefix = f"{self._benchmark.name}/"
        evaluation = evaluate(self._encoder, self._benchmark, self._encoding, progress=self._progress)
        metrics = {f"{VALIDATION}/{key.removeprefix(prefix)}": value for key, value in evaluation.metrics.items()}
        temperature, token_budget = value_at(self._config.temperature, 1.0), self._config.micro_batch_tokens
        loss = self._loss(self._encoder, temperature=temperature, token_budget=token_budget)
        return metrics if math.isnan(loss) else metrics | {f"{VALIDATION}/loss": loss}


def _train(training: Training, validation: Validation, folder: str, tell: Progress) -> None:
    config = training.config
    key = f"{VALIDATION}/{config.validation.metric}"
    for report in training.run(lambda step: tell(TRAINING, step, config.steps)):
        if not report.due_validation:
            ray.train.report(TrainingReport(training.progress.step, report.metrics).to_dict())
            continue
        # One rank's: another kind of GPU may round a loss otherwise, and all must choose the same step and stop alike.
        metrics = distributed.from_first_rank(validation())
        training.validated(metrics[key] if better(key) == "maximize" else -metrics[key], metrics)
        _report_with_checkpoint(training, report.metrics | metrics, folder)


def _report_with_checkpoint(training: Training, metrics: dict[str, float], folder: str) -> None:
    step = training.progress.step
    # Train keeps the latest checkpoint and those that rank highest. Ranking by score could drop the best one on a tie.
    improved = training.progress.best_step == step
    report = TrainingReport(step, metrics, training_ended=training.ended, improved=improved)
    with tempfile.TemporaryDirectory() as scratch:
        saved = None
        if distributed.rank() == 0:
            checkpoint.save(Path(scratch), training.encoder, training.optimizer, training.progress)
            saved = ray.train.Checkpoint.from_directory(scratch)
        ray.train.report(report.to_dict(), checkpoint=saved, checkpoint_dir_name=layout.checkpoint_name(folder, step))


def _fail(assignment: Assignment, folder: str, failure: Failure) -> None:
    """Write why the trial cannot be finished."""
    failed = FailedTrial(
        number=assignment.number, config=assignment.trial, failed=failure.reason, resumable=failure.resumable
    )
    layout.write_result(folder, failed)


def _write(folder: str, result: TrialResult, evaluations: Sequence[Evaluation]) -> None:
    """Write the trial's files, the result last, so that its presence means that all others are there."""
    if distributed.rank() != 0:
        return
    for evaluation in evaluations:
        files.write_table(layout.positions_file(folder, evaluation.benchmark), evaluation.positions)
        if evaluation.top_lists is not None:
            files.write_table(layout.top_lists_file(folder, evaluation.benchmark), evaluation.top_lists)
    examples = {evaluation.benchmark: evaluation.examples for evaluation in evaluations}
    files.write_json(files.join(folder, layout.EXAMPLES), examples)
    layout.write_result(folder, result)


def _keep_best(folder: str, result: TrialResult) -> None:
    """Remove what only further training would need: all but the best checkpoint, and its optimizer moments.

    With Adam these are five sixths of a trial's files at two checkpoints, and a study has many trials.
    """
    if distributed.rank() != 0:
        return
    best = layout.checkpoints(folder, result.training.best_step)[:1]
    for name in layout.checkpoints(folder):
        path = files.join(folder, name)
        files.remove(files.join(path, checkpoint.OPTIMIZER) if name in best else path)
