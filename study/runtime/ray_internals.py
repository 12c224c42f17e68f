"""What a trial's workers hold of the cluster, under the trial's name, so that its next attempt can free what is left.

Ray Train frees the placement group of a run whose controller died, once the workers have started. One that dies before,
with the trial's driver for instance, leaves it for as long as the study runs, and the trial's next attempt would wait
for its own processors without end (ray 2.60; found by `make test-faults`).

How the workers of a trial find each other.

Over a cluster by Ray's own way, torch's TCP store. That store listens on every interface whatever address it is given
(pytorch#173909), so workers of a Ray that keeps to this machine meet in a file instead, and nothing is open to others.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import ray
import torch.distributed as dist
from ray._raylet import PlacementGroupID
from ray.train.torch import TorchConfig
from ray.train.torch.config import _TorchBackend
from ray.train.v2._internal.execution.callback import WorkerGroupCallback
from ray.train.v2._internal.execution.worker_group import worker_group
from ray.util import placement_group_table
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group

from study.config import ResourcesConfig
from study.runtime.cluster import LOOPBACK


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


logger = logging.getLogger(__name__)


def torch_config(resources: ResourcesConfig) -> TorchConfig:
    """Return how the workers of a trial with these resources form their process group."""
    kind = _LoopbackConfig if ray.util.get_node_ip_address() == LOOPBACK else _Config
    return kind(backend="nccl" if resources.gpus_per_worker else "gloo")


class _Backend(_TorchBackend):  # type: ignore[misc]  # Ray's classes are Any to mypy, see pyproject.toml
    """Ray's backend for torch, except that it outlives workers which Ray killed for memory."""

    def on_shutdown(self, worker_group: Any, backend_config: TorchConfig) -> None:
        """Leave the process group; workers that are dead have left it.

        Ray Train expects a RayActorError of dead workers, and no OutOfMemoryError: that would end its shutdown before
        it frees the workers' processors, and the trial's next attempt would wait for them without end.
        """
        try:
            super().on_shutdown(worker_group, backend_config)
        except ray.exceptions.RayError as error:
            logger.warning("workers died before they left their process group: %s", str(error).partition("\n")[0])


class _LoopbackBackend(_Backend):
    """The backend, except for where the workers meet."""

    _folder: str | None = None

    def on_start(self, worker_group: Any, backend_config: TorchConfig) -> None:
        """Form the process group; called anew for every group of workers."""
        self._folder = tempfile.mkdtemp(prefix="study-rendezvous-")
        joining = [
            worker_group.execute_single_async(
                rank, _join, backend_config, f"file://{self._folder}/store", rank, len(worker_group)
            )
            for rank in range(len(worker_group))
        ]
        ray.get(joining)

    def on_shutdown(self, worker_group: Any, backend_config: TorchConfig) -> None:
        """Leave the process group."""
        super().on_shutdown(worker_group, backend_config)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)  # killed workers may have left their part or not


class _Config(TorchConfig):  # type: ignore[misc]
    """A process group that forms by Ray's own way."""

    @property
    def backend_cls(self) -> type[_Backend]:
        return _Backend


class _LoopbackConfig(_Config):
    """A process group that forms without opening a port to others."""

    @property
    def backend_cls(self) -> type[_LoopbackBackend]:
        return _LoopbackBackend


def _join(config: TorchConfig, where: str, rank: int, world_size: int) -> None:
    dist.init_process_group(
        config.backend,
        init_method=where,
        rank=rank,
        world_size=world_size,
        timeout=timedelta(seconds=config.timeout_s),
    )
