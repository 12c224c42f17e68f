"""All uses of names that Ray does not document; no other module may import one.

They are tested with `TESTED_RAY`. Each comes with the reason for which the public interface is not enough.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import psutil
import ray
import torch.distributed as dist
from huggingface_hub import get_token
from ray._private import ray_constants, worker
from ray._raylet import AuthenticationTokenLoader, Config, PlacementGroupID  # type: ignore[attr-defined]  # compiled
from ray.air.execution._internal import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.torch.config import _TorchBackend
from ray.train.v2._internal.callbacks import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.callback import RayTrainCallback, WorkerGroupCallback
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.worker_group import worker_group
from ray.tune.execution import tune_controller
from ray.tune.execution.tune_controller import TuneController
from ray.tune.result import AUTO_RESULT_KEYS, DEBUG_METRICS
from ray.util import placement_group_table
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group

from study.config_sections import ResourcesConfig
from study.runtime.activity import Activity
from study.runtime.resources import LOOPBACK

__all__ = [
    "TESTED_RAY",
    "TUNE_KEYS",
    "NamedPlacement",
    "Servers",
    "TrialTrainer",
    "TuneController",
    "forget",
    "listen_on_loopback_only",
    "prepare_to_connect",
    "receive_hub_token",
    "release",
    "shared_hub_token",
    "survive_memory_monitor",
    "tell",
    "told",
    "torch_config",
]

TESTED_RAY = "2.60"
"""The minor version of Ray whose internals these are."""
TUNE_KEYS = frozenset({*AUTO_RESULT_KEYS, *DEBUG_METRICS})
"""Keys that Tune adds to every result."""

_ANSWER_S = 2.0

logger = logging.getLogger(__name__)


def prepare_to_connect() -> None:
    """Authenticate with this machine's token if it has one and RAY_AUTH_MODE is not set, and give up after 3 seconds.

    Ray uses the token only for a cluster that it finds by itself, and reads both settings when it is imported. The
    cluster's port has answered before, so that Ray's 20 seconds would be spent on a server that is none of Ray's.
    """
    ray_constants.NUM_REDIS_GET_RETRIES = 3
    if "RAY_AUTH_MODE" not in os.environ and AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True):
        os.environ["RAY_AUTH_MODE"] = "token"
        Config.initialize("")


def listen_on_loopback_only() -> None:
    """Make a Ray that is started by this process refuse connections from other machines.

    Ray has the environment variable RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER for this, but reads it when it is imported.
    """
    ray_constants.ENABLE_RAY_CLUSTER = False


def is_gcs(process: psutil.Process) -> bool:
    """Return whether a process is Ray's GCS."""
    try:
        return process.name() == "gcs_server"
    except psutil.NoSuchProcess:
        return False


class Servers:
    """The two servers of Ray without which nothing works: this node's raylet and the cluster's GCS.

    Ray has no API that tells whether they live and does not itself wait for them.
    """

    def __init__(self) -> None:
        """Connect to the raylet; a connection for each question would fill its log."""
        node: Any = worker._global_node  # noqa: SLF001 - the raylet's address stands nowhere else
        self._node = node
        self._raylet = socket.socket(socket.AF_UNIX)
        self._raylet.connect(node.raylet_socket_name)
        self._raylet.setblocking(False)

    def dead(self) -> str | None:
        """Return which of them does not answer, if any."""
        if self._raylet_hung_up():
            return "raylet"
        host, _, port = self._node.gcs_address.rpartition(":")
        with socket.socket() as probe:
            probe.settimeout(_ANSWER_S)
            return "GCS" if probe.connect_ex((host, int(port))) else None

    def kill(self) -> None:
        """Kill what is left of a Ray that this process has started."""
        # A raylet's agents look for it only after they have waited a minute for a GCS that is gone.
        left: list[psutil.Process] = []
        for raylet in self._node.all_processes.get(ray_constants.PROCESS_TYPE_RAYLET, []):
            with suppress(psutil.NoSuchProcess):
                left += psutil.Process(raylet.process.pid).children(recursive=True)
        self._node.kill_all_processes(check_alive=False, allow_graceful=False)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def close(self) -> None:
        """Close the connection."""
        self._raylet.close()

    def _raylet_hung_up(self) -> bool:
        try:
            return not self._raylet.recv(1)
        except BlockingIOError:
            return False  # it has nothing to say
        except ConnectionError:
            return True


@contextmanager
def shared_hub_token(token: str | None) -> Iterator[None]:
    """Give the workers of this job the token for private and gated models of the hub.

    It lies in the cluster's store of internal values, which nothing displays. A runtime environment would put it into
    logs and onto the dashboard.
    """
    if not token:
        yield
        return
    _internal_kv_put(_hub_token_key(), token)
    try:
        yield
    finally:
        _internal_kv_del(_hub_token_key())


def receive_hub_token() -> None:
    """Let this worker use the token of its job's driver, unless its node has one of its own."""
    shared = _internal_kv_get(_hub_token_key())
    if shared and get_token() is None:
        os.environ["HF_TOKEN"] = shared.decode()


def tell(trial: str, activity: Activity) -> None:
    """Let the driver know what this trial's workers are doing."""
    _internal_kv_put(_activity_key(trial), activity.to_json(), overwrite=True)


def told(trial: str) -> Activity | None:
    """Return what a trial's workers told last; None if they have told nothing since `forget`."""
    text = _internal_kv_get(_activity_key(trial))
    return Activity.from_json(text) if text else None


def forget(trial: str) -> None:
    """Remove what a trial's workers told."""
    _internal_kv_del(_activity_key(trial))


def _activity_key(trial: str) -> str:
    return f"activity of {trial}"


def _hub_token_key() -> str:
    return f"hub token of job {ray.get_runtime_context().get_job_id()}"


class TrialTrainer(TorchTrainer):  # type: ignore[misc]  # Ray's classes are Any to mypy, see pyproject.toml
    """A TorchTrainer that starts no process beside its workers but the actor that synchronizes them.

    Inside an actor, such as a trial's driver, the controller runs in the calling thread, and ends with the driver as it
    does in a process of its own. Ray would start that, which takes 4 processor seconds between two trials, and a queue
    for its reports. DatasetManager serves Ray datasets, and trials read their own data. PlacementGroupCleaner releases
    the placement group of a controller that died; `NamedPlacement` and `release` do, also where it does not.
    """

    def _create_default_callbacks(self) -> list[RayTrainCallback]:
        unneeded = (DatasetsCallback, PlacementGroupCleanerCallback)
        return [callback for callback in super()._create_default_callbacks() if not isinstance(callback, unneeded)]

    def _initialize_and_run_controller(self, **options: Any) -> ray.train.Result:
        if ray.get_runtime_context().get_actor_id() is None:  # workers are given the actor that runs their controller
            return super()._initialize_and_run_controller(**options)
        controller = TrainController(**options)
        asyncio.run(controller.run())
        return controller.get_result()


class _ActorManager(RayActorManager):
    """Tune's table of trial drivers, which counts one that Ray's memory monitor killed as lost."""

    def _actor_task_failed(self, tracked_actor_task: Any, exception: Exception) -> None:
        """Handle a failure; Ray's own method raises, and ends the study, for all but task and actor errors."""
        if isinstance(exception, OutOfMemoryError):
            exception = RayActorError(error_msg=f"low on memory: {str(exception).strip().partition(chr(10))[0]}")
        super()._actor_task_failed(tracked_actor_task, exception)


def survive_memory_monitor() -> None:
    """Make a study in this process go on when Ray's memory monitor kills the driver of a trial."""
    tune_controller.RayActorManager = _ActorManager  # type: ignore[attr-defined]  # imported there, not exported


class NamedPlacement(WorkerGroupCallback):  # type: ignore[misc]  # Ray's classes are Any to mypy, see pyproject.toml
    """Names the placement groups of a trial's workers, so that a retry can release those of a killed attempt.

    A controller that dies, with the trial's driver, leaves its group for as long as the study runs, and
    the trial's next attempt would wait for its own processors forever (ray 2.60; see `make test-faults`). Ray's own
    cleaner would release it only if the workers had started.

    Args:
        trial: a name that no other trial on the cluster has.
    """

    def __init__(self, trial: str) -> None:
        self._trial = trial

    def before_worker_group_start(self, worker_group_context: Any) -> None:
        """Name the next placement group; runs in the controller, which has no option for it."""
        worker_group.placement_group = partial(placement_group, name=_prefix(self._trial) + uuid4().hex)


def release(*trials: str) -> None:
    """Remove the placement groups of trials that are not running.

    Groups are removed by id, since a name is known only within the job that gave it, and the earlier attempt may belong
    to a study that was killed.
    """
    for group_id, group in placement_group_table().items():
        if group["name"].startswith(tuple(map(_prefix, trials))) and group["state"] != "REMOVED":
            remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(group_id))))


def _prefix(trial: str) -> str:
    return f"workers of {trial}, "


def torch_config(resources: ResourcesConfig) -> TorchConfig:
    """Return how the workers of a trial with these resources form their process group.

    On a cluster they use Ray's default, torch's TCP store. That store listens on every interface whatever address it is
    given (pytorch#173909), so the workers of a Ray on this machine alone meet in a file instead.
    """
    config_type = _LoopbackConfig if ray.util.get_node_ip_address() == LOOPBACK else _Config
    return config_type(backend="nccl" if resources.gpus_per_worker else "gloo")


class _Backend(_TorchBackend):  # type: ignore[misc]  # Ray's classes are Any to mypy, see pyproject.toml
    """Ray's torch backend, which in addition survives workers that Ray killed for memory."""

    def on_shutdown(self, worker_group: Any, backend_config: TorchConfig) -> None:
        """Leave the process group; dead workers have left it already.

        Ray Train expects RayActorError from dead workers but not OutOfMemoryError, which would end its shutdown before
        it releases the workers' processors; the trial's next attempt would wait for them forever.
        """
        try:
            super().on_shutdown(worker_group, backend_config)
        except ray.exceptions.RayError as error:
            logger.warning("workers died before they left their process group: %s", str(error).partition("\n")[0])


class _LoopbackBackend(_Backend):
    """The backend with a file as the workers' meeting point."""

    _folder: str | None = None

    def on_start(self, worker_group: Any, backend_config: TorchConfig) -> None:
        """Form the process group; called again for every group of workers."""
        self._folder = tempfile.mkdtemp(prefix="study-rendezvous-")
        joining = [
            worker_group.execute_single_async(
                rank, _join, backend_config, f"file://{self._folder}/store", rank, len(worker_group)
            )
            for rank in range(len(worker_group))
        ]
        ray.get(joining)

    def on_shutdown(self, worker_group: Any, backend_config: TorchConfig) -> None:
        """Leave the process group and remove the file."""
        super().on_shutdown(worker_group, backend_config)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)  # killed workers may have removed their part or not


class _Config(TorchConfig):  # type: ignore[misc]
    """A process group with Ray's default meeting point."""

    @property
    def backend_cls(self) -> type[_Backend]:
        return _Backend


class _LoopbackConfig(_Config):
    """A process group that opens no port to other machines."""

    @property
    def backend_cls(self) -> type[_LoopbackBackend]:
        return _LoopbackBackend


def _join(config: TorchConfig, init_method: str, rank: int, world_size: int) -> None:
    dist.init_process_group(
        config.backend,
        init_method=init_method,
        rank=rank,
        world_size=world_size,
        timeout=timedelta(seconds=config.timeout_s),
    )
