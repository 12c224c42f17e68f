from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from study.analysis.study import Study
from study.cli import program
from study.config import TrialConfig
from study.evaluate import main, on_gpus
from study.model import builtin
from study.results import layout
from study.runtime.resources import Node, Supply
from tests.hub_server import HubServer, Repository
from tests.study.small_study import ENVIRONMENT, LANGUAGES

pytestmark = pytest.mark.ray


def evaluate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "study.evaluate", "builtin/xlmr-tiny", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=ENVIRONMENT)


CENTRED = (
    *("--option", f"languages={LANGUAGES}"),
    *("--setting", "centring=[both, {source: corpora, texts: 20}, {source: validation, sides: passages}]"),
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("evaluate")
    ended = evaluate(*CENTRED, "--output", str(folder / "result.json"), "--runs", str(folder / "runs"))
    assert ended.returncode == 0, ended.stderr
    return ended, json.loads((folder / "result.json").read_text("utf-8")), folder


Measured = tuple[subprocess.CompletedProcess[str], dict[str, Any], Path]


def test_it_prints_what_it_measured_and_how(measured: Measured) -> None:
    ended, _, _ = measured
    for word in ("monolingual", "cross-lingual", "multilingual", "rank distance", "'Query: '", "'fp32'", *LANGUAGES):
        assert word in ended.stdout
    assert ended.stderr == ""


def test_the_result_says_with_which_data_versions_and_precision(measured: Measured) -> None:
    _, result, _ = measured
    assert result["benchmarks"]["factbook"]["revision"]
    assert result["benchmarks"]["factbook"]["details"] == {"split": "test"}
    assert result["backbone"]["precision"] == "fp32"
    assert (result["config"]["max_query_tokens"], result["config"]["max_passage_tokens"]) == (512, 512)
    assert result["versions"]["torch"]
    assert len(result["benchmarks"]["factbook"]["by_pair"]) == 6


def test_centred_embeddings_are_measured_beside_those_as_they_are(measured: Measured) -> None:
    _, result, _ = measured
    assert {name: held["details"].get("transductive") for name, held in result["benchmarks"].items()} == {
        "factbook": None,
        "factbook@centred": "ar, th, zh",
        "factbook@centred_20": None,
        "factbook@centred_passages": None,
    }
    values = [result["metrics"][f"{name}/multilingual/map"] for name in result["benchmarks"]]
    assert len(set(values)) == 4


def test_run_files_lie_beside_their_qrels(measured: Measured) -> None:
    _, _, folder = measured
    runs = sorted(path.relative_to(folder / "runs").as_posix() for path in (folder / "runs").rglob("*.run"))
    assert len(runs) == 4 * (len(LANGUAGES) + len(LANGUAGES) * (len(LANGUAGES) - 1) + len(LANGUAGES))
    assert all((folder / "runs" / run).with_suffix(".qrels").is_file() for run in runs)


def test_two_workers_measure_what_one_process_measures(measured: Measured, tmp_path: Path) -> None:
    _, alone, _ = measured
    ended = evaluate(*CENTRED, "--workers", "2", "--output", str(tmp_path / "two.json"))
    assert ended.returncode == 0, ended.stderr
    together = json.loads((tmp_path / "two.json").read_text("utf-8"))
    assert together["hardware"]["workers"] == 2
    assert together["metrics"] == pytest.approx(alone["metrics"], rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--benchmarks", "xquadr"], "did you mean 'xquad_r'?"),
        (["--option", "langages=[th]"], "did you mean 'languages'?"),
        (["--setting", "precision=bf17"], "bf17"),
        (["--setting", "centring=[both, {sides: both}]"], "two entries are both named '@centred'"),
        (["--setting", "centring=bth"], "'bth' is refused: input should be 'both' or 'passages'"),
        (["--benchmarks", "xquad_r", "--data", "/nowhere"], "no folder"),
        (["--benchmarks", "xquad_r", "--data", "/nowhere", "--workers", "2"], "no folder"),
    ],
)
def test_bad_input_gets_one_sentence(arguments: list[str], sentence: str) -> None:
    ended = evaluate(*arguments)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "prefix"),
    [
        ("query_prefix=", ""),
        ("query_prefix=ค้นหา: ", "ค้นหา: "),
    ],
)
def test_a_prefix_is_literal_text_and_may_be_empty(tmp_path: Path, setting: str, prefix: str) -> None:
    output = tmp_path / "result.json"
    arguments = ["builtin/xlmr-tiny", "--option", "languages=[th]", "--setting", setting, "--output", str(output)]
    ended = CliRunner().invoke(program(main), arguments)
    assert ended.exit_code == 0, ended.output
    result = json.loads(output.read_text("utf-8"))
    assert result["config"]["query_prefix"] == result["backbone"]["query_prefix"] == prefix


def with_limits(study: Study, folder: Path, limits: list[tuple[int, int]], windows: Any = None) -> str:
    """Return a copy of a study whose trials cut texts at these lengths in turn; `windows` are those of all."""
    copied = Path(shutil.copytree(study.folder, folder))
    for trial, (queries, passages) in zip(study.results, itertools.cycle(limits), strict=False):
        file = copied / layout.TRIALS / f"{trial.number:04d}" / layout.RESULT
        result = json.loads(file.read_text("utf-8"))
        result["config"] |= {"max_query_tokens": queries, "max_passage_tokens": passages, "windows": windows}
        file.write_text(json.dumps(result), "utf-8")
    return str(copied)


def test_texts_are_cut_as_in_a_study_if_its_folder_is_named(synthetic_study: Study, tmp_path: Path) -> None:
    windows, output = {"tokens": 30, "stride": 10}, tmp_path / "result.json"
    study = with_limits(synthetic_study, tmp_path / "study", [(32, 48)], windows)
    command = ["builtin/xlmr-tiny", "--option", "languages=[th]", "--limits", study, "--output", str(output)]
    ended = CliRunner().invoke(program(main), command)
    assert ended.exit_code == 0, ended.output
    config = json.loads(output.read_text("utf-8"))["config"]
    assert (config["max_query_tokens"], config["max_passage_tokens"]) == (32, 48)
    assert config["windows"].items() >= windows.items()


def test_limits_that_name_nothing_or_a_study_of_several_are_refused(synthetic_study: Study, tmp_path: Path) -> None:
    several = with_limits(synthetic_study, tmp_path / "study", [(32, 48), (64, 48)])
    for given, told in (
        (several, "the trials of this study cut texts at different lengths"),
        ("trail", "--limits trail is refused: write whole, trial, or a study's folder or name"),
    ):
        ended = CliRunner().invoke(program(main), ["builtin/xlmr-tiny", "--limits", given])
        assert (ended.exit_code, told in ended.output) == (2, True), ended.output


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [
        (["--limits", "trial"], (64, 256)),
        (["--limits", "trial", "--setting", "max_query_tokens=48"], (48, 256)),
        (["--setting", "max_query_tokens=48"], (48, 512)),
    ],
)
def test_texts_are_cut_where_a_trial_cuts_them_if_that_is_asked(
    tmp_path: Path, arguments: list[str], limits: tuple[int, int]
) -> None:
    output = tmp_path / "result.json"
    command = ["builtin/xlmr-tiny", "--option", "languages=[th]", "--output", str(output), *arguments]
    ended = CliRunner().invoke(program(main), command)
    assert ended.exit_code == 0, ended.output
    config = json.loads(output.read_text("utf-8"))["config"]
    assert (config["max_query_tokens"], config["max_passage_tokens"]) == limits


@pytest.mark.parametrize(
    "arguments",
    [
        ["--benchmarks", "local", "--data", "own"],
        ["--benchmarks", "local", "--option", "path=own"],
        ["--benchmarks", "held_out", "--option", "corpus={name: parallel_jsonl, path: train.jsonl, held_out: 2}"],
    ],
    ids=["--data", "path", "held_out"],
)
def test_one_s_own_data_is_measured_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    files: dict[str, list[dict[str, Any]]] = {
        "own/th/corpus.jsonl": [{"_id": "p1", "text": "กรุงเทพ"}, {"_id": "p2", "text": "แม่น้ำเจ้าพระยา"}],
        "own/th/queries.jsonl": [{"_id": "q1", "text": "เมืองหลวงของไทย"}],
        "own/th/qrels.jsonl": [{"query-id": "q1", "corpus-id": "p1", "score": 1}],
        "train.jsonl": [{"pairs": {"th": {"query": f"ถาม {i}", "passage": f"ตอบ {i}"}}} for i in range(6)],
    }
    for name, rows in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(program(main), ["builtin/xlmr-tiny", *arguments, "--output", "result.json"])
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "result.json").read_text("utf-8"))
    (config,), (measured,) = written["config"]["benchmarks"], written["benchmarks"].values()
    assert str(tmp_path) in str(config["options"]), "workers run in another folder"
    assert 0 < measured["by_language"]["monolingual"]["th"]["map"] <= 1


TOKEN = "hf_" + "onlyinmemory" * 3


@pytest.fixture
def tiny() -> dict[str, bytes]:
    """The files of a built-in backbone, from the cache that all tests share."""
    folder = builtin.folder("builtin/xlmr-tiny")
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def private_model(tiny: dict[str, bytes], hub: HubServer) -> str:
    """A built-in backbone as a private model of the hub."""
    hub.repositories["models/team/private"] = Repository(tiny, token=TOKEN)
    return "team/private"


def test_a_private_model_is_measured_at_the_commit_that_is_recorded_and_its_token_is_written_nowhere(
    private_model: str, hub: HubServer, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "study.evaluate", f"{private_model}@main", "--option", "languages=[th, zh]"]
    command += ["--output", str(tmp_path / "out" / "result.json"), "--runs", str(tmp_path / "out" / "runs")]
    refused, measured = (
        subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=environment)
        for environment in (dict(os.environ), os.environ | {"HF_TOKEN": TOKEN})
    )
    assert refused.returncode == 2
    assert "has no such repository or it is private: check the name, or set HF_TOKEN" in refused.stderr
    assert measured.returncode == 0, measured.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text("utf-8"))
    commit = hub.repositories["models/team/private"].commit
    assert result["backbone"]["revision"] == commit
    assert f"revision '{commit}'" in measured.stdout
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"result.json", "multilingual.run"} & {file.name for file in written}
    assert not [file for file in written if TOKEN.encode() in file.read_bytes()]
    assert TOKEN not in measured.stdout + measured.stderr


@pytest.mark.parametrize(
    ("nodes", "cpus", "gpus", "told"),
    [
        ((Node(16, 4),), 4, 1, ""),
        ((Node(8, 2), Node(16, 2), Node(2, 0)), 4, 1, ""),
        (
            (Node(16, 3),),
            1,
            0,
            "there are GPUs for 3 of them, with 5 CPUs each; use --workers 3 to run on GPUs",
        ),
        ((Node(16, 1),), 1, 0, "there are GPUs for 1 of them, with 16 CPUs each"),
        (
            (Node(2, 8),),
            1,
            0,
            "there are GPUs for 2 of them, with 1 CPU each; use --workers 2 to run on GPUs",
        ),
        ((Node(16, 0),), 4, 0, ""),
        ((Node(3, 0),), 1, 0, ""),
    ],
)
def test_several_workers_take_a_gpu_each_with_its_cpus_where_there_are_so_many(
    nodes: tuple[Node, ...], cpus: int, gpus: int, told: str
) -> None:
    supply = Supply("the cluster", nodes)
    config, note = on_gpus(TrialConfig.model_validate({"steps": 0, "resources": {"workers": 4}}), supply)
    assert (config.resources.workers, config.resources.cpus_per_worker, config.resources.gpus_per_worker) == (
        4,
        cpus,
        gpus,
    )
    assert note == (f"the 4 workers run on CPUs, as {told}" if told else "")
    alone = TrialConfig.model_validate({"steps": 0})
    assert on_gpus(alone, supply) == (alone, "")
