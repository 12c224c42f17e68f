"""Going on where a trial stood: from the newest checkpoint that can be read, repeating what may not have been heard.

Checkpoints are found by their folders, not in Ray Train's list of them: that is one file, written in place, which a
kill or a full disk can cut short.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray.train

from study import distributed
from study.results import files, layout
from study.training import checkpoint
from study.training.loop import Training

logger = logging.getLogger(__name__)


def restore(training: Training, folder: str) -> None:
    """Go on from the newest checkpoint that can be read, as can the best one it knows of; else from the start."""
    for name in layout.checkpoints(folder):
        try:
            with _local(folder, name) as path:
                best_step = checkpoint.read(path)[0].best_step
                if best_step is not None:
                    _best(folder, best_step)
                training.progress = checkpoint.restore(path, training.encoder, training.optimizer)
        except (checkpoint.CheckpointError, FileNotFoundError) as error:
            logger.warning("%s; going back to the checkpoint before it", error)
            _discard(folder, name)
        else:
            return


def restore_best(training: Training, folder: str) -> None:
    """Load the best checkpoint's weights, unless they are the ones at hand.

    Raises:
        CheckpointError: it cannot be read; `restore` then goes back to one before it, and training on makes it again.
    """
    best_step = training.progress.best_step
    assert best_step is not None, "a trial that has trained was validated"
    if best_step != training.progress.step:
        with _local(folder, _best(folder, best_step)) as path:
            checkpoint.restore_weights(path, training.encoder)


def tell_again(training: Training, seen: int) -> None:
    """Report the scores after step `seen` once more: the study may have been killed before it put them on record."""
    for report in layout.unheard(training.progress.history, seen, ended=training.ended):
        ray.train.report(report)


def _discard(folder: str, name: str) -> None:
    """Remove what an upload cut short has left, which nothing else would; what Train has on its list, Train removes."""
    listed = {Path(held.checkpoint.path).name for held in ray.train.get_all_reported_checkpoints()}
    if distributed.rank() == 0 and name not in listed:
        files.remove(files.join(folder, name))


def _best(folder: str, step: int) -> str:
    """Return the name of a step's checkpoint, which can be read."""
    names = layout.checkpoints(folder, step)
    if not names:
        raise checkpoint.CheckpointError(f"the checkpoint of step {step} is gone from {folder}")
    with _local(folder, names[0]) as path:
        checkpoint.read(path)
    return names[0]


@contextmanager
def _local(folder: str, name: str) -> Iterator[Path]:
    with ray.train.Checkpoint(files.join(folder, name)).as_directory() as path:
        yield Path(path)
