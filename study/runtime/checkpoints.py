"""Continues a trial from the newest readable checkpoint.

Checkpoints are found by their folders and not through Ray Train's list of them, which is one file, written in place,
that a kill or a full disk can truncate.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import ray.train

from study import distributed
from study.analysis.same_data import title
from study.config import Precision
from study.results import files, layout, provenance
from study.results.trial_result import Versions
from study.runtime import messages
from study.training import checkpoint
from study.training.loop import Training
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Corpus

logger = logging.getLogger(__name__)

_PRECISION, _PROMPTS = "precision", "prompts"


def note_data(
    training: Training, corpora: Sequence[Corpus], validation: Benchmark, backbone: str | None, precision: Precision
) -> None:
    """Record what a trial reads, its prompts, precision and versions of packages; its checkpoints contain them.

    Args:
        training: the trial's training.
        corpora: what it is trained on.
        validation: what it is validated on.
        backbone: what identifies the files of its backbone (`pooling_and_prompts.content_of`).
        precision: `bf16` or `fp32`.
    """
    config = training.config
    trained = [(title(source), corpus.revision) for source, corpus in zip(config.corpora, corpora, strict=True)]
    loaded = [(title(config.backbone), backbone)] if backbone else []
    prompts = repr([form.prefix for form in training.encoder.forms.values()])
    data = (
        *(*trained, (title(config.validation.benchmark), validation.revision), *loaded),
        *((_PRECISION, precision), (_PROMPTS, prompts)),
    )
    training.progress = replace(training.progress, data=data, versions=((0, provenance.versions()),))


def restore(training: Training, folder: str) -> None:
    """Continue from the newest checkpoint that is readable and whose best checkpoint is too; else from the start.

    Rank 0 decides which that is: other nodes may not see the newest files yet, and ranks that went on from different
    checkpoints would average gradients of different weights. An error other than of reading ends the attempt: the
    encoder may have a checkpoint's weights then, and training them from the start would be another trial. Collective.

    Raises:
        TaskError: the trial was trained on other data, from another backbone, with other prompts or in another
            precision up to that checkpoint.
        RuntimeError: rank 0 can read it and another rank cannot, which another attempt may.
    """
    noted = training.progress
    for name in distributed.from_first_rank(layout.checkpoints(folder)):
        problems = distributed.gather_objects(_try(training, folder, name))
        if not any(problems):
            restored = training.progress
            _check_same(restored.data, noted.data, restored.step)
            versions = _with_changed(restored.versions, noted.versions, restored.step)
            training.progress = replace(restored, data=noted.data, versions=versions)
            return
        if None in problems:
            refused = [rank for rank, problem in enumerate(problems) if problem]
            raise RuntimeError(f"some ranks can read {files.join(folder, name)} and others, {refused}, cannot")
        logger.warning("%s; trying the checkpoint before it", problems[0])
        _discard(folder, name)


def _try(training: Training, folder: str, name: str) -> str | None:
    """Continue from a checkpoint; return why it cannot be read."""
    try:
        with _local(folder, name) as path:
            best_step = checkpoint.read(path)[0].best_step
            if best_step is not None:
                _readable_best(folder, best_step)
            training.progress = checkpoint.restore(path, training.encoder, training.optimizer)
    except (checkpoint.CheckpointError, FileNotFoundError) as error:
        return str(error)
    return None


def _with_changed(before: Versions, noted: Versions, step: int) -> Versions:
    """Return the versions of a trial with those that it goes on with from a step, if they are others."""
    now = [(step, versions) for _, versions in noted if not before or before[-1][1] != versions]
    return (*before, *now)


def _check_same(before: Sequence[Sequence[str]], now: Sequence[Sequence[str]], step: int) -> None:
    for (name, then), (_, revision) in zip(before, now, strict=False):  # older ones have no record
        if then != revision and name in {_PRECISION, _PROMPTS}:
            raise TaskError(
                f"this trial had {name} {then} up to step {step} and would go on with {revision}: resume the study "
                "with the kind of machine and the version of this project that it began with, or run a new one"
            )
        if then != revision:
            raise TaskError(
                f"{name} is not what this trial has read up to step {step} (revision {then[:12]}, now "
                f"{revision[:12]}): restore its files and resume the study, or run a new one"
            )


def restore_best(training: Training, folder: str) -> None:
    """Load the best checkpoint's weights, unless the encoder has them already.

    Raises:
        CheckpointError: the best checkpoint is unreadable; at the next attempt `restore` then continues from an earlier
            one, and training writes it again.
    """
    best_step = training.progress.best_step
    assert best_step is not None, "a trial that has trained was validated"
    if best_step != training.progress.step:
        with _local(folder, _readable_best(folder, best_step)) as path:
            checkpoint.restore_weights(path, training.encoder)


def report_again(training: Training, recorded_step: int) -> None:
    """Report the validations after `recorded_step` again: the driver may have been killed before it recorded them."""
    history, ended = training.progress.history, training.ended
    for report in messages.unrecorded(history, recorded_step, training_ended=ended):
        ray.train.report(report.to_dict())


def _discard(folder: str, name: str) -> None:
    """Remove a partly uploaded checkpoint that Train does not list; Train removes those that it lists.

    Its list is read from its file: Train asks its controller, which runs in the trial's driver and not in an actor.
    """
    if distributed.rank() != 0:
        return
    try:
        listed = layout.listed_by_train(folder)
    except ValueError:
        return  # being written: nothing that may be on it is removed
    if name not in listed:
        files.remove(files.join(folder, name))


def _readable_best(folder: str, step: int) -> str:
    """Return the name of a step's checkpoint after reading it.

    Raises:
        CheckpointError: it is missing or unreadable.
    """
    names = layout.checkpoints(folder, step)
    if not names:
        raise checkpoint.CheckpointError(f"the checkpoint of step {step} is missing from {folder}")
    with _local(folder, names[0]) as path:
        checkpoint.read(path)
    return names[0]


@contextmanager
def _local(folder: str, name: str) -> Iterator[Path]:
    with ray.train.Checkpoint(files.join(folder, name)).as_directory() as path:
        yield Path(path)
