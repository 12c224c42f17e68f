"""What a trial's workers hold of the cluster, under the trial's name, so that its next attempt can free what is left.

Ray Train frees the placement group of a run whose controller died, once the workers have started. One that dies before,
with the trial's driver for instance, leaves it for as long as the study runs, and the trial's next attempt would wait
for its own processors without end (ray 2.60; found by `make test-faults`).
"""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

from ray._raylet import PlacementGroupID
from ray.train.v2._internal.execution.callback import WorkerGroupCallback
from ray.train.v2._internal.execution.worker_group import worker_group
from ray.util import placement_group_table
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group


class NamedPlacement(WorkerGroupCallback):  # type: ignore[misc]  # Ray's classes are Any to mypy, see pyproject.toml
    """Gives the placement groups that a run's controller makes a name that begins with the trial's.

    Args:
        trial: a name that no other trial of the cluster has.
    """

    def __init__(self, trial: str) -> None:
        self._trial = trial

    def before_worker_group_start(self, worker_group_context: Any) -> None:
        """Name the next one; called in the controller, which has no option for it."""
        worker_group.placement_group = partial(placement_group, name=_prefix(self._trial) + uuid4().hex)


def release(trial: str) -> None:
    """Free what earlier attempts of a trial still hold; to be called while none of its attempts runs.

    By id: a name is known to the job alone that gave it, and the attempt may have been that of a study killed just now.
    """
    for number, held in placement_group_table().items():
        if held["name"].startswith(_prefix(trial)) and held["state"] != "REMOVED":
            remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(number))))


def _prefix(trial: str) -> str:
    return f"workers of {trial}, "
