"""Several benchmarks of one name, each under its label wherever a result names benchmarks; sources of centring."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from study.config import TrialConfig
from study.config_sections import RunFiles
from study.retrieval import evaluation_checkpoint, measurement
from study.retrieval.measurement import means, measure, measure_backbone, remove_kept_counts
from tasks.plugins import TaskError
from tests.hashing_encoder import HashingEncoder
from tests.parallel_benchmark import parallel_benchmark
from tests.toy_encoder import toy_encoder


def test_two_benchmarks_of_one_name_are_measured_side_by_side_under_their_labels() -> None:
    first, second = (
        {"name": "held_out", "corpus": {"name": "factbook", "languages": languages, "held_out": 9}}
        for languages in (["ar", "th"], ["th", "zh"])
    )
    config = TrialConfig.model_validate({"steps": 0, "benchmarks": [first, second | {"label": "chinese"}]})
    told = set()
    result = measure_backbone(config, torch.device("cpu"), progress=lambda name, *_: told.add(name))
    assert {key.partition("/")[0] for key in result.metrics} == {"held_out", "chinese"} == told
    languages = {key: sorted(measured.queries) for key, measured in result.benchmarks.items()}
    assert languages == {"held_out": ["ar", "th"], "chinese": ["th", "zh"]}
    assert [benchmark.label for benchmark in result.config.benchmarks] == [None, "chinese"]


@pytest.mark.parametrize(
    ("steps", "given", "source"),
    [
        (1, None, "factbook"),
        (0, None, "the benchmark"),
        (1, "benchmark", "the benchmark"),
        (0, "corpora", "factbook"),
        (1, "validation", "held_out"),
    ],
)
def test_means_are_those_of_the_training_corpora_where_a_trial_trains_unless_another_source_is_given(
    steps: int, given: str | None, source: str
) -> None:
    corpus = {"name": "factbook", "languages": ["th", "zh"]}
    settings = {"steps": steps, "corpora": [corpus], "centring": {"source": given, "texts": 2}}
    validation = {"benchmark": {"name": "held_out", "corpus": corpus | {"held_out": 9}}}
    config = TrialConfig.model_validate(settings | {"validation": validation})
    found = means(toy_encoder(), config, config.centring[0])
    assert found.source == source
    assert set(found.passages) == (set() if source == "the benchmark" else {"th", "zh"})


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> HashingEncoder:
    """The encoder that is loaded for any backbone."""
    encoder = HashingEncoder()
    monkeypatch.setattr(measurement, "load_encoder", lambda *_: encoder)
    return encoder


def local(tmp_path: Path, passage: str = "p0") -> dict[str, Any]:
    """Write a benchmark of one question in Thai and one passage, and return how a trial names it."""
    folder = tmp_path / "own" / "th"
    folder.mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(json.dumps({"_id": passage, "text": "แม่น้ำโขง"}), "utf-8")
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q0", "text": "แม่น้ำอะไร"}), "utf-8")
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\nq0\t{passage}\t1\n", "utf-8")
    return {"name": "local", "options": {"path": str(folder.parent)}}


def after_another(benchmark: dict[str, Any]) -> TrialConfig:
    """Return a trial that is measured on a benchmark without faults and then on this one."""
    first = {"name": "held_out", "corpus": {"name": "factbook", "languages": ["ar", "zh"], "held_out": 9}}
    return TrialConfig.model_validate({"steps": 0, "benchmarks": [first, benchmark]})


@pytest.mark.parametrize(
    ("fault", "message"),
    [({"path": "not-there"}, "not-there"), ({"settings": ["crosslingual"]}, "no query has a relevant passage")],
)
def test_a_benchmark_is_refused_before_texts_of_an_earlier_one_are_encoded(
    tmp_path: Path, loaded: HashingEncoder, fault: dict[str, Any], message: str
) -> None:
    benchmark = local(tmp_path)
    with pytest.raises(TaskError, match=message):
        measure_backbone(after_another(benchmark | {"options": benchmark["options"] | fault}), torch.device("cpu"))
    assert not loaded.embedded


@pytest.mark.parametrize("name", ["แม่น้ำ โขง", "河\u3000流"])
def test_an_id_that_a_run_file_cannot_hold_is_refused_before_a_text_is_encoded(
    tmp_path: Path, loaded: HashingEncoder, name: str
) -> None:
    config, device = after_another(local(tmp_path, passage=name)), torch.device("cpu")
    with pytest.raises(TaskError, match=f"benchmark 'local': id 'th:{name}' has white space in it"):
        measure_backbone(config, device, runs=RunFiles(tmp_path / "runs", 5))
    assert not loaded.embedded
    assert "local" in measure_backbone(config, device).benchmarks, "without run files it is measured"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which counts are kept, after every block."""
    monkeypatch.setattr(evaluation_checkpoint, "SAVE_EVERY_S", 0.0)
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path))
    return tmp_path / "evaluations"


def test_a_benchmark_that_is_measured_is_not_read_again_after_a_failure_in_the_next(kept: Path) -> None:
    first, config = parallel_benchmark(), TrialConfig(steps=0)
    second = replace(first, name="second")

    def fail_in_the_second(name: str, done: int, total: int) -> None:
        if name == second.name:
            raise KeyboardInterrupt

    encoder: Any = HashingEncoder()
    (expected,) = measure(encoder, config, [first])
    remove_kept_counts(config)
    with pytest.raises(KeyboardInterrupt):
        measure(encoder, config, [first, second], progress=fail_in_the_second)
    again: Any = HashingEncoder()
    (result,) = measure(again, config, [first])
    assert result.positions.equals(expected.positions)
    relevant = {passage for graded in first.qrels.values() for passage in graded}
    early = len(relevant) + sum(map(len, first.queries.values()))
    assert sum(map(len, again.embedded)) == early, "no other passage is encoded again"


def test_counts_are_kept_until_everything_is_measured_and_no_longer(kept: Path) -> None:
    corpus = {"name": "factbook", "languages": ["ar", "th"], "held_out": 9}
    one = {"name": "held_out", "corpus": corpus}
    config = TrialConfig.model_validate({"steps": 0, "benchmarks": [one, one | {"label": "again"}]})
    there: list[set[str]] = []
    measure_backbone(
        config,
        torch.device("cpu"),
        progress=lambda *_: there.append({file.name for file in kept.rglob("*.safetensors")}),
    )
    assert there[-1] >= {"held_out-0-of-1.safetensors"}
    assert not list(kept.iterdir())
