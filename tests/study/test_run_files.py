"""TREC run files of `study.evaluate`: as deep as a pool they give the MAP that we report, less deep a lower one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import pytest
from typer.testing import CliRunner

from study.cli import program
from study.evaluate import main

PASSAGES, QUERIES = 120, 6
WORDS = ("แม่น้ำ", "ภูเขา", "ทะเล", "เมือง", "บ้าน", "ถนน")


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark in Thai in which every query has 40 relevant passages drawn at random."""
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "own" / "th"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    passages = [{"_id": f"p{i}", "text": f"{WORDS[i % 6]} {i}"} for i in range(PASSAGES)]
    queries = [{"_id": f"q{i}", "text": f"{WORDS[i]} คืออะไร"} for i in range(QUERIES)]
    for name, rows in (("corpus", passages), ("queries", queries)):
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    judged = [(q, p) for q in range(QUERIES) for p in rng.choice(PASSAGES, 40, replace=False)]
    lines = "".join(f"q{q}\tp{p}\t1\n" for q, p in judged)
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}", encoding="utf-8")
    return folder.parent


def maps(benchmark: Path, *arguments: str) -> tuple[float, float]:
    """Return the MAP that is reported, and trec_eval's of the run."""
    folder = benchmark.parent
    options = ["--benchmarks", "local", "--data", str(benchmark), "--runs", str(folder / "runs"), *arguments]
    options += ["--output", str(folder / "result.json")]
    outcome = CliRunner().invoke(program(main), ["builtin/xlmr-tiny", *options])
    assert outcome.exit_code == 0, outcome.output
    run = folder / "runs" / "local" / "monolingual" / "th-th.run"
    tool: Any = ir_measures  # its readers are not annotated
    qrels, hits = tool.read_trec_qrels(str(run.with_suffix(".qrels"))), tool.read_trec_run(str(run))
    reported = json.loads((folder / "result.json").read_text("utf-8"))["metrics"]["local/monolingual/map"]
    return reported, tool.calc_aggregate([ir_measures.AP], qrels, hits)[ir_measures.AP]


def test_map_of_a_run_that_holds_the_whole_pool_is_the_one_we_report(benchmark: Path) -> None:
    reported, of_run = maps(benchmark, "--depth", "1000")
    assert of_run == pytest.approx(reported, abs=1e-9)


def test_a_run_of_the_default_depth_holds_a_hundred_passages(benchmark: Path) -> None:
    reported, of_run = maps(benchmark)
    assert of_run < reported - 0.01
    lines = (benchmark.parent / "runs" / "local" / "monolingual" / "th-th.run").read_text("utf-8").splitlines()
    assert len(lines) == 100 * QUERIES
