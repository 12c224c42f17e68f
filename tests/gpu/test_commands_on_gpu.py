"""The commands where there is a GPU: real Ray, workers that share it, and the same figures as on the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from study.results import layout
from study.results.trial_result import TrialResult
from tests.gpu.device import GPU, requires_two_gpus
from tests.study.small_study import ENVIRONMENT, LANGUAGES, SPACE, run, write_space

SHARED = {"workers": 1, "gpus_per_worker": 0.25}
ALPHAS = [0.0, 0.25, 0.5, 1.0]
TRIAL = SPACE["trial"] | {"precision": "fp32", "centring": "both", "top_lists": True}
CHANGES: dict[str, Any] = {
    "trial": TRIAL | {"resources": SHARED},
    "search": {"sampler": "grid", "space": {"alpha": {"type": "categorical", "choices": ALPHAS}}},
}


def command(name: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"study.{name}", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=ENVIRONMENT | changes,
    )


def results(folder: Path) -> list[TrialResult]:
    held = [layout.read_result(str(trial)) for trial in sorted((folder / "trials").iterdir())]
    assert all(isinstance(result, TrialResult) for result in held), held
    return [result for result in held if isinstance(result, TrialResult)]


def ran(tmp_path: Path, name: str, changes: dict[str, Any]) -> list[TrialResult]:
    space = write_space(tmp_path, changes)
    ended = run(space, "--name", name, "--storage", str(tmp_path))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return results(tmp_path / name)


def test_four_trials_share_a_gpu_and_rank_as_they_do_on_the_cpu(tmp_path: Path) -> None:
    planned = run(write_space(tmp_path, CHANGES), "--dry-run")
    assert "4 at a time" in planned.stdout, planned.stdout + planned.stderr
    on_gpu = ran(tmp_path, "gpu", CHANGES)
    assert {result.hardware["device"] for result in on_gpu} == {GPU}
    on_cpu = ran(tmp_path, "cpu", CHANGES | {"trial": TRIAL | {"resources": {"workers": 1}}})
    for one, other in zip(on_gpu, on_cpu, strict=True):
        assert one.config.alpha == other.config.alpha
        assert one.metrics["factbook/multilingual/map"] == pytest.approx(
            other.metrics["factbook/multilingual/map"],
            abs=0.05,  # dropout is drawn differently there
        )
    assert command("compare", str(tmp_path / "gpu")).returncode == 0
    exported = tmp_path / "model"
    assert command("export", str(tmp_path / "gpu"), "--output", str(exported)).returncode == 0
    assert (exported / "model.safetensors").is_file()


def test_study_evaluate_uses_it_and_gives_the_figures_of_the_cpu(tmp_path: Path) -> None:
    arguments = ("builtin/xlmr-tiny", "--option", f"languages={LANGUAGES}", "--setting", "precision=fp32")
    metrics = []
    for device, changes in ((GPU, {}), ("cpu", {"CUDA_VISIBLE_DEVICES": ""})):
        file = tmp_path / f"{device}.json"
        ended = command("evaluate", *arguments, "--output", str(file), **changes)
        assert ended.returncode == 0, ended.stderr
        result = json.loads(file.read_text("utf-8"))
        assert result["hardware"]["device"] == device
        metrics.append(result["metrics"])
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-4, abs=1e-3)  # some are positions, up to thousands


def test_the_doctor_adds_up_through_nccl(tmp_path: Path) -> None:
    changes = {"trial": TRIAL | {"resources": {"workers": 1, "gpus_per_worker": 1}}}
    ended = command("doctor", write_space(tmp_path, changes), "--storage", str(tmp_path / "storage"))
    lines = {line.split()[1]: line for line in ended.stdout.splitlines()}
    assert lines["gpus"].startswith("good"), ended.stdout
    assert lines["all-reduce"].startswith("good"), ended.stdout + ended.stderr
    assert "with nccl" in lines["all-reduce"]


@requires_two_gpus
def test_a_trial_on_two_gpus_has_the_losses_of_one(tmp_path: Path) -> None:
    losses = []
    for workers in (1, 2):
        changes = CHANGES | {"trial": TRIAL | {"resources": {"workers": workers, "gpus_per_worker": 1}}}
        trials = ran(tmp_path, f"workers-{workers}", changes)
        losses.append([step["loss"] for trial in trials for step in trial.training.history])
    assert losses[1] == pytest.approx(losses[0], rel=0.05)  # dropout is drawn for each worker
