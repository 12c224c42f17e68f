"""Real gloo process groups for tests: started once, then fed functions.

A test takes the fixture `run_in_group` (tests/conftest.py) and calls `run_in_group(2, function, *arguments)`: the
function, which must stand at module level, runs in every process of a group, and the results come back in rank order.
Starting takes seconds and a call a millisecond, so even property tests can afford real collectives.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import tempfile
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

import torch
import torch.distributed as dist

P = ParamSpec("P")
R = TypeVar("R")


class RunInGroup(Protocol):
    """What the fixture `run_in_group` is."""

    def __call__(self, world_size: int, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> list[R]:
        """Run `function` in every process of a group of `world_size`; see `ProcessGroup.run`."""
        ...


class ProcessGroup:
    """W processes in one gloo group: started on first use, and anew after a failure."""

    def __init__(self, world_size: int, timeout_s: float = 300) -> None:
        self._world_size = world_size
        self._timeout_s = timeout_s
        self._workers: dict[Connection, BaseProcess] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> list[R]:
        """Return what `function(*args, **kwargs)` returned in each process, rank 0's first.

        Raises:
            Exception: the first error raised in a process, with that process's traceback as a note.
            RuntimeError: where a process died.
            TimeoutError: where a process gave no answer in time.
        """
        if not self._workers:
            self._start()
        try:
            for connection in self._workers:
                connection.send_bytes(pickle.dumps((function, args, kwargs)))
            return self._results()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the processes."""
        for connection, worker in self._workers.items():
            worker.kill()
            worker.join()
            connection.close()
        self._workers = {}
        if self._folder:
            self._folder.cleanup()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        # A file nobody else knows as the meeting point: unlike a free port, it cannot be taken in between.
        self._folder = tempfile.TemporaryDirectory(prefix="process_group_")
        rendezvous = Path(self._folder.name, "rendezvous")
        for rank in range(self._world_size):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_serve, args=(rank, self._world_size, rendezvous, theirs), daemon=True)
            worker.start()
            theirs.close()
            self._workers[ours] = worker

    def _results(self) -> list[Any]:
        results: dict[Connection, Any] = {}
        deadline = time.monotonic() + self._timeout_s
        while pending := [connection for connection in self._workers if connection not in results]:
            ready = wait(pending, timeout=deadline - time.monotonic())
            if not ready:
                raise TimeoutError(f"{len(pending)} of {self._world_size} processes gave no answer")
            for connection in ready:
                assert isinstance(connection, Connection)
                results[connection] = self._result(connection)
        return [results[connection] for connection in self._workers]

    def _result(self, connection: Connection) -> Any:
        try:
            result, error = pickle.loads(connection.recv_bytes())  # noqa: S301 (bytes from our own child)
        except EOFError:
            worker = self._workers[connection]
            worker.join()
            raise RuntimeError(f"a process of the group died with exit code {worker.exitcode}") from None
        if error is not None:
            raise error
        return result


def _serve(rank: int, world_size: int, rendezvous: Path, connection: Connection) -> None:
    """Join the group, then run what arrives until the parent is gone."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=world_size)
    with contextlib.suppress(EOFError):
        while True:
            connection.send_bytes(_answer(connection.recv_bytes()))


def _answer(request: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(request)  # noqa: S301 (bytes from our own parent)
        return pickle.dumps((function(*args, **kwargs), None))
    except Exception as error:  # noqa: BLE001 (whatever a test's function raises is the parent's to raise)
        error.add_note(f"in rank {dist.get_rank()}:\n{traceback.format_exc()}")
        return pickle.dumps((None, error))
