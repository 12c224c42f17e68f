"""A Ray that dies while it starts: a sentence, the exit status of an unfinished study, and no process left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from study.runtime.exit_status import UNFINISHED
from tests.study.faults import Kind, below, left_over, of_kind
from tests.study.small_study import started, write_space

pytestmark = pytest.mark.ray


def test_a_gcs_that_dies_before_ray_has_started_ends_the_study_with_a_sentence(tmp_path: Path) -> None:
    with started(write_space(tmp_path, {}), "--storage", str(tmp_path), "--name", "early") as study:
        while not of_kind(study.pid, Kind.RAYLET):  # Ray starts it once its GCS answers, and then connects to both
            assert study.poll() is None, study.stdout
            time.sleep(0.02)
        processes = below(study.pid)
        (gcs,) = of_kind(study.pid, Kind.GCS)
        gcs.kill()
        output, _ = study.communicate(timeout=300)
    assert study.returncode == UNFINISHED, output
    # Ray alone raises after 18 s or more, and says something else.
    assert "Ray died (its GCS is gone); resume with: python -m study.run --resume --name early" in output
    assert "Traceback" not in output
    assert left_over(processes) == []
