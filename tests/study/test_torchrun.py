"""Processes that torchrun starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from study import torchrun
from tasks.errors import UserError

SAYS_WHAT_IT_GOT = """
import os
import torch
from study import torchrun
with torchrun.process_group() as device:
    group = torch.distributed.distributed_c10d._get_default_group()
    timeout = group._get_backend(torch.device("cpu")).options._timeout
    print(device, torch.get_num_threads(), timeout.total_seconds() / 3600)
"""


def test_a_process_computes_on_its_part_of_the_cores_and_waits_for_the_others_for_hours(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    own = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "OMP_NUM_THREADS": "1"}
    own |= {"MASTER_ADDR": "localhost", "MASTER_PORT": "0", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", SAYS_WHAT_IT_GOT]
    said = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
    assert said.stdout.split() == ["cpu", str(cores), "6.0"], said.stderr


def test_a_rank_without_the_rest_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in torchrun.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert torchrun.is_first()
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(
        UserError, match=r"RANK is set, but not WORLD_SIZE, LOCAL_RANK, .*: start with torchrun, or unset"
    ):
        torchrun.is_first()
