"""What a worker does with its processors and with errors that a retry would meet again, and how it validates."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from study import distributed
from study.config import TrialConfig
from study.results import files, layout
from study.results.trial_result import FailedTrial
from study.runtime import worker
from study.runtime.messages import Assignment
from tasks.errors import NodeError, UserError
from tests.parallel_benchmark import parallel_benchmark
from tests.process_group import RunInGroup
from tests.toy_encoder import toy_encoder

SAYS_ITS_THREADS = """
import os
import torch
from study.threads import use_threads
before = torch.get_num_threads()
use_threads(2)
print(before, torch.get_num_threads(), os.environ["RAYON_NUM_THREADS"])
"""


def test_a_worker_of_two_cpus_computes_on_two_threads_where_ray_up_asked_for_one() -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # what `ray up` exports before it starts a node
    command = [sys.executable, "-c", SAYS_ITS_THREADS]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["1", "2", "2"]


def _runs_again(folder: str) -> bool:
    """Run a worker where rank 1 alone sees the result of an earlier attempt; return whether the trial was run."""
    ran: list[str] = []
    failed = FailedTrial(number=3, config=TrialConfig(), failed="backbone 'ไทย' cannot be used")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ray.train.torch.get_device", lambda: torch.device("cpu"))
        patch.setattr(layout, "read_result", lambda _: failed if distributed.rank() == 1 else None)
        patch.setattr(worker, "_run", lambda *_: ("the result", []))
        patch.setattr(worker, "_write", lambda _, result, __: ran.append(result))
        patch.setattr(worker, "_keep_best", lambda *_: None)
        worker.train_worker(Assignment(number=3, trial=TrialConfig()), folder)
    return bool(ran)


def test_a_result_that_one_rank_sees_before_others_ends_the_attempt_on_all(
    tmp_path: Path, run_in_group: RunInGroup
) -> None:
    assert run_in_group(2, _runs_again, str(tmp_path)) == [False, False]


def fails_with(error: Exception, folder: Path, monkeypatch: pytest.MonkeyPatch, world_size: int = 1) -> None:
    """Run a worker whose trial raises an error."""

    def run(*_: object) -> None:
        monkeypatch.setattr(distributed, "world_size", lambda: world_size)
        raise error

    monkeypatch.setattr(worker, "_run", run)
    monkeypatch.setattr("ray.train.torch.get_device", lambda: torch.device("cpu"))
    worker.train_worker(Assignment(number=3, trial=TrialConfig(), recorded_step=0), str(folder))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UserError("backbone 'ไทย' cannot be used"), "backbone 'ไทย' cannot be used"),
        (NodeError("GPU ไทย does not compute in bfloat16"), "GPU ไทย does not compute in bfloat16"),
        (NotImplementedError("no gradient for\n this layer"), "NotImplementedError: no gradient for this layer"),
        (ValueError("two shapes"), "ValueError: two shapes"),
        (KeyError("attention_mask"), "KeyError: 'attention_mask'"),
    ],
)
def test_an_error_that_a_retry_would_meet_again_ends_the_trial_at_once(
    error: Exception, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_with(error, tmp_path, monkeypatch)
    result = files.read_json(files.join(str(tmp_path), layout.RESULT))
    assert (result["failed"], result["resumable"]) == (reason, isinstance(error, NodeError))


def test_with_several_workers_it_ends_the_others_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotImplementedError):
        fails_with(NotImplementedError("no gradient"), tmp_path, monkeypatch, world_size=2)
    assert files.exists(files.join(str(tmp_path), layout.RESULT))


@pytest.mark.parametrize("error", [RuntimeError("Connection closed by peer"), OSError("storage is busy")])
def test_an_error_of_processes_or_storage_is_retried(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(type(error)):
        fails_with(error, tmp_path, monkeypatch)
    assert not files.exists(files.join(str(tmp_path), layout.RESULT))


def test_a_temperature_schedule_is_validated_at_its_end() -> None:
    def loss(temperature: Any) -> float:
        config = TrialConfig.model_validate({"temperature": temperature})
        return worker.Validation(toy_encoder(), parallel_benchmark(), config, lambda *_: None)()["validation/loss"]

    assert loss({"start": 0.5, "end": 0.05}) == loss(0.05) != loss(0.5)
