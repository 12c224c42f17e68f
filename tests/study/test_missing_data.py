"""Data that is missing when a trained trial is evaluated: `--resume` evaluates it from its best checkpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

from study.runtime import summary
from tests.study.small_study import SPACE, run

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ["fragile", {"name": "fragile", "label": "twin"}]
FRAGILE = '''"""The factbook in two languages, whose passages cannot be read while a file is there."""

from __future__ import annotations

from pathlib import Path

from tasks.benchmarks import factbook
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Pool, Rows, Texts


class FragileTexts(Texts):
    def texts(self, rows: Rows | None = None) -> list[str]:
        if Path("{lock}").exists():
            raise TaskError("the passages are locked: unlock them")
        return super().texts(rows)


def load() -> Benchmark:
    whole = factbook.load(languages=("th", "zh"), split="dev")
    pools = [Pool(pool.name, pool.language, FragileTexts(pool.passages._table)) for pool in whole.pools]
    return Benchmark("fragile", whole.revision, whole.queries, pools, whole.qrels, whole.settings)
'''


def test_a_trained_trial_whose_benchmark_failed_is_evaluated_on_resume_without_further_training(tmp_path: Path) -> None:
    for package in ("study", "tasks"):
        shutil.copytree(ROOT / package, tmp_path / package)
    lock = tmp_path / "lock"
    lock.touch()
    (tmp_path / "tasks" / "benchmarks" / "fragile.py").write_text(FRAGILE.replace("{lock}", str(lock)), "utf-8")
    space = tmp_path / "small.yaml"
    trial = SPACE["trial"] | {"benchmarks": BENCHMARKS, "resources": {"workers": 1}}
    space.write_text(yaml.safe_dump({"trial": trial, "search": SPACE["search"] | {"trials": 1}}), "utf-8")
    place = ("--storage", str(tmp_path / "studies"), "--name", "locked")

    ended = run(str(space), *place, PYTHONPATH=str(tmp_path))
    assert ended.returncode == summary.UNFINISHED, ended.stdout + ended.stderr
    assert "trial 0 is unfinished: the passages are locked: unlock them" in ended.stdout
    folder = tmp_path / "studies" / "locked" / "trials" / "0000"
    trained = {file: file.stat().st_mtime_ns for file in folder.glob("step-*/progress.json")}
    assert trained

    lock.unlink()
    resumed = run("--resume", *place, PYTHONPATH=str(tmp_path))
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    result = json.loads((folder / "result.json").read_text("utf-8"))
    assert 0 < result["metrics"]["fragile/multilingual/map"] == result["metrics"]["twin/multilingual/map"] <= 1
    assert {file.name for file in (folder / "positions").iterdir()} == {"fragile.parquet", "twin.parquet"}
    kept = {file: file.stat().st_mtime_ns for file in folder.glob("step-*/progress.json")}
    assert kept.items() <= trained.items()
    assert json.loads(next(iter(kept)).read_text("utf-8"))["step"] == result["training"]["best_step"]
