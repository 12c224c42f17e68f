"""What commands import before they are asked for anything heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from study.config import BUILTIN
from study.space import study_config

HEAVY = ("torch", "ray", "transformers", "optuna", "datasets", "faiss", "altair", "vl_convert", "scipy")
"""Not pandas: pyarrow imports it by itself as soon as a table is made, and a dry run reads the data."""
COMMIT = "0" * 40
SCRIPT = """
import json, runpy, sys
from study.runtime import resources
resources.this_machine = lambda: resources.Supply("this machine", (resources.Node(64, 8),))
sys.argv = ["study.run", *sys.argv[1:]]
code = 0
try:
    runpy.run_module("study.run", run_name="__main__")
except SystemExit as end:
    code = end.code
print(json.dumps({"code": code, "loaded": sorted(sys.modules)}), file=sys.stderr)
"""


def cache_of(folder: Path, models: set[str]) -> Path:
    """Write a cache of the hub, in its published layout, in which every model has a config.json."""
    for model in models:
        repository = folder / "hub" / f"models--{model.replace('/', '--')}"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(COMMIT)
        (repository / "snapshots" / COMMIT).mkdir(parents=True)
        (repository / "snapshots" / COMMIT / "config.json").write_text("{}")
    return folder


def run(*arguments: str, cache: Path) -> tuple[int, set[str], str]:
    """Run `study.run` on a machine with eight GPUs; return its exit status, the modules it loaded, and its output."""
    environment = os.environ | {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1", "STUDY_STORAGE": str(cache / "studies")}
    command = [sys.executable, "-c", SCRIPT, *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    *errors, last = ended.stderr.splitlines()
    answer = json.loads(last)
    return answer["code"], set(answer["loaded"]), ended.stdout + "\n".join(errors)


@pytest.mark.parametrize("name", study_config.shipped())
def test_a_dry_run_of_every_shipped_search_space_imports_nothing_heavy(name: str, tmp_path: Path) -> None:
    models = {trial.backbone for trial in study_config.load(name).examples if not trial.backbone.startswith(BUILTIN)}
    code, loaded, output = run(name, "--dry-run", cache=cache_of(tmp_path, models))
    assert code == 0, output
    assert f"search space {name}" in output
    assert "8 at a time" in output
    assert loaded & set(HEAVY) == set()
    assert not (tmp_path / "studies").exists()


def test_a_dry_run_refuses_what_the_run_would_refuse(tmp_path: Path) -> None:
    for arguments in (["zero_shot"], ["zero_shot", "--dry-run"]):  # no model is in the cache
        code, loaded, output = run(*arguments, cache=tmp_path)
        assert code == 2
        assert "HF_HUB_OFFLINE is set" in output
        assert loaded & set(HEAVY) == set()


def test_a_bad_search_space_is_refused_before_any_data_is_read(tmp_path: Path) -> None:
    space = tmp_path / "ภาษาไทย.yaml"
    space.write_text("trail: {}\nsearch: {sampler: random, trials: 1}\n", encoding="utf-8")
    code, loaded, output = run(str(space), cache=tmp_path)
    assert (code, "did you mean 'trial'?" in output) == (2, True)
    assert loaded & {*HEAVY, "pandas", "pyarrow.compute", "filelock", "huggingface_hub.file_download"} == set()


def test_a_cluster_that_is_gone_is_refused_before_ray_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")  # the discard port, where nothing listens
    for arguments in (["quickstart"], ["quickstart", "--dry-run"]):
        code, loaded, output = run(*arguments, cache=tmp_path)
        assert (code, output.count("\n")) == (2, 0)
        assert "no Ray cluster answers at 127.0.0.1:9, from RAY_ADDRESS" in output
        assert loaded & set(HEAVY) == set()
