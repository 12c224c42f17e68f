"""What a worker does with the processors that it was given."""

from __future__ import annotations

import os
import subprocess
import sys

SAYS_ITS_THREADS = """
import os
import torch
from study.runtime.worker import use_cpus
before = torch.get_num_threads()
use_cpus(2)
print(before, torch.get_num_threads(), os.environ["RAYON_NUM_THREADS"])
"""


def test_a_worker_of_two_cpus_computes_on_two_threads_where_ray_up_asked_for_one() -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # what `ray up` exports before it starts a node
    command = [sys.executable, "-c", SAYS_ITS_THREADS]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["1", "2", "2"]
