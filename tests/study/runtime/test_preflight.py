"""Facts about the plan that a dry run prints and a run executes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from rich.console import Console

from study.analysis.study import Study
from study.config import TrialConfig
from study.results import provenance
from study.results.layout import RecordError, StudyError
from study.runtime import plan_summary, preflight, resources
from study.runtime.resources import CapacityError, ClusterAddress, Node, Supply
from study.space import study_config
from study.space.study_config import StudyConfig
from tasks.errors import UserError
from tasks.plugins import load_corpus
from tests.toy_encoder import byte_tokenizer, toy_encoder

FACTBOOK = {"name": "factbook", "languages": ["ar", "th", "zh"]}
TRIAL = {"corpora": [FACTBOOK], "benchmarks": [FACTBOOK], "batch_size": 8}


def study(trial: dict[str, Any], **keys: Any) -> StudyConfig:
    space = {"alpha": {"type": "float", "low": 0, "high": 1, "step": 0.1}}
    return study_config.parse({"trial": TRIAL | trial, "search": {"sampler": "grid", "space": space}, **keys}, "space")


@pytest.fixture(autouse=True)
def _cluster_that_can_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    supply = Supply("the cluster", (Node(4, 0),), (Node(4, 0, copies=3),))
    monkeypatch.setattr(preflight, "supply", lambda: supply)


def test_a_plan_counts_the_trials_that_fit_now_and_once_the_cluster_has_grown(tmp_path: Path) -> None:
    plan = preflight.check(study({"resources": {"workers": 2}}), str(tmp_path / "ไทย"), dry_run=True)
    assert (plan.trials_at_once, plan.trials_now) == (6, 2)
    assert "2 until the cluster has grown" in plan.waiting
    assert plan.record_url == f"sqlite:///{tmp_path}/ไทย/optuna.db"
    assert [corpus.name for corpus in plan.data.corpora] == ["factbook"]
    assert not (tmp_path / "ไทย").exists()


def test_a_dry_run_plans_a_study_that_is_too_large_for_this_machine_and_a_run_refuses_it(tmp_path: Path) -> None:
    config = study({"resources": {"gpus_per_worker": 1}})
    plan = preflight.check(config, str(tmp_path), dry_run=True)
    assert (plan.trials_at_once, plan.trials_now) == (0, 0)
    assert "the cluster has no GPU" in plan.shortage
    with pytest.raises(CapacityError) as refusal:
        preflight.check(config, str(tmp_path), dry_run=False)
    assert str(refusal.value) == plan.shortage


@pytest.mark.parametrize(
    ("storage", "sentence"),
    [
        ("postgresql+nothing://host/studies", r"storage: this is no URL of a 'postgresql\+nothing' database"),
        ("postgresql://me:secret@host:port/studies", "storage: this is no URL of a 'postgresql' database"),
        (
            "mysql+aiomysql://host/studies",
            "storage: a database of 'mysql\\+aiomysql' needs the package aiomysql, which",
        ),
        ("mysql://host/studies", "package mysqlclient, which is not installed: pip install 'mysqlclient', or"),
        ("postgresql+psycopg://host/ไทย", r"which is not installed: pip install 'psycopg\[binary\]', or"),
        ("postgresql+psycopg2://host/ไทย", "which is not installed: pip install 'psycopg2-binary', or"),
        ("sqlite:///studies.db", r"storage: 'sqlite:///studies\.db' is another file in every folder.* sqlite:////home"),
        ("sqlite://", "storage: 'sqlite://' is another file in every folder, or none"),
    ],
)
def test_a_database_that_nothing_here_can_connect_to_is_refused(
    storage: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("MySQLdb", "psycopg", "psycopg2"):
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(RecordError, match=sentence) as refusal:
        preflight.check(study({}, storage=storage), str(tmp_path), dry_run=True)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(("chosen", "told"), [(None, True), ("sqlite:////home/me/ไทย.db", False)])
def test_a_record_elsewhere_that_a_study_on_a_file_system_ignores_is_told_without_its_password(
    chosen: str | None, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "cluster_address", lambda: None)
    plan = preflight.check(study({}, storage=chosen), str(tmp_path), dry_run=True)
    assert plan.notes == []
    monkeypatch.setenv("STUDY_RECORD", "postgresql://me:secret@host/studies")
    assert len(plan.notes) == told
    for note in plan.notes:
        assert note.startswith("STUDY_RECORD is ignored")
        assert f"the record of the trials lies in {tmp_path}" in note
        assert "secret" not in note


@pytest.mark.parametrize("place", ["/proc/nothing", "/dev/null/x"])
def test_a_place_that_can_hold_no_study_is_refused(place: str) -> None:
    with pytest.raises(StudyError, match=f"{place} cannot be written"):
        preflight.check(study({}), place, dry_run=True)


def test_a_plan_never_runs_more_trials_at_once_than_it_has_or_was_asked_for(tmp_path: Path) -> None:
    for keys, at_once in (({"concurrent": 2}, 2), ({"concurrent": 50}, 11), ({}, 11)):
        assert preflight.check(study({}, **keys), str(tmp_path), dry_run=True).trials_at_once == at_once


def test_the_trials_that_all_checks_look_at_are_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[object] = []
    validate = TrialConfig.model_validate

    def counted(value: object) -> TrialConfig:
        made.append(value)
        return validate(value)

    monkeypatch.setattr(TrialConfig, "model_validate", counted)
    config = study({})
    in_parse = len(made)
    preflight.check(config, str(tmp_path), dry_run=True)
    assert in_parse == len(made) > 0


@pytest.mark.parametrize("name", ["", "/etc", "..", "~"])
def test_a_folder_that_holds_no_model_is_no_backbone(name: str, tmp_path: Path) -> None:
    (tmp_path / "มีไฟล์").mkdir()
    folder = name or str(tmp_path / "มีไฟล์")
    with pytest.raises(UserError, match=r"has no config\.json: name the folder of a"):
        preflight.check(study({"backbone": folder}), str(tmp_path), dry_run=True)


@pytest.mark.parametrize("name", ["/etc/passwd", "../ไม่มี", "no such/model"])
def test_a_name_that_can_be_no_model_of_the_hub_is_refused_without_asking_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(UserError, match=rf"^backbone '{name}' is neither a folder on this machine nor the id"):
        preflight.check(study({"backbone": name}), str(tmp_path), dry_run=True)


def test_this_machine_counts_where_no_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(resources, "cluster_address", lambda: None)
    assert preflight.supply() == resources.this_machine()


@pytest.mark.parametrize(
    ("cpu_info", "emulated"),
    [
        ("flags\t\t: fpu avx avx2", True),
        ("flags\t\t: fpu avx avx2 avx512f avx512_bf16", False),
        ("flags\t\t: fpu avx2 amx_bf16", False),
        ("Features\t: fp asimd bf16", False),
        ("Features\t: fp asimd", True),
        ("", False),
    ],
)
def test_bf16_that_a_processor_emulates_is_said_before_a_trial_takes_hours(
    cpu_info: str, emulated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"model name\t: AMD EPYC\n{cpu_info}\n")
    monkeypatch.setattr(provenance, "_CPU_INFO", file)
    monkeypatch.setattr(resources, "cluster_address", lambda: None)
    plan = preflight.check(study({"precision": "bf16"}), str(tmp_path), dry_run=True)
    assert any("no bfloat16 instructions" in note for note in plan.notes) == emulated
    assert preflight.check(study({"precision": "fp32"}), str(tmp_path), dry_run=True).notes == []
    on_gpus = {"precision": "bf16", "resources": {"gpus_per_worker": 1}}
    monkeypatch.setattr(preflight, "supply", lambda: Supply("this machine", (Node(2, 1),)))
    assert preflight.check(study(on_gpus), str(tmp_path), dry_run=True).notes == []


@pytest.mark.parametrize(("gigabytes", "told"), [(8, True), (16, False)])
def test_a_head_too_small_for_the_drivers_of_all_trials_is_told_before_they_start(
    gigabytes: int, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=gigabytes * 10**9))
    address = ClusterAddress("10.0.0.1:6379", "RAY_ADDRESS", "unset it")
    monkeypatch.setattr(resources, "cluster_address", lambda: address)
    plan = preflight.check(study({}), str(tmp_path), dry_run=True)
    sentence = "11 trials at a time keep about 9 GB of processes on the head of the cluster, and this machine has 8 GB"
    assert any(note.startswith(sentence) for note in plan.notes) == told
    monkeypatch.setattr(resources, "cluster_address", lambda: None)
    assert preflight.check(study({}), str(tmp_path), dry_run=True).notes == []


def test_a_learning_rate_that_suits_random_weights_alone_is_told_for_a_pretrained_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "cluster_address", lambda: None)
    model = tmp_path / "model"
    toy_encoder(packed=False).transformer.save_pretrained(model)
    byte_tokenizer().save_pretrained(model)
    for rate, told in ((3e-3, True), (2e-5, False)):
        trial = {"backbone": str(model), "learning_rate": rate}
        plan = preflight.check(study(trial), str(tmp_path), dry_run=True)
        assert any(note.startswith(f"learning_rate {rate:g} with backbone") for note in plan.notes) == told
    adapted = preflight.check(study(trial | {"learning_rate": 3e-3, "lora": {}}), str(tmp_path), dry_run=True)
    assert not any(note.startswith("learning_rate") for note in adapted.notes)


def test_any_trial_whose_instruction_leaves_no_room_for_text_is_refused_until_its_study_has_begun(
    tmp_path: Path, synthetic_study: Study
) -> None:
    toy_encoder(packed=False).transformer.save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    prefixes = {"type": "categorical", "choices": ["سؤال: ", "ابحث عن النص الذي يجيب عن هذا السؤال: ", ""]}
    trial = TRIAL | {"backbone": str(tmp_path)}
    search = {"sampler": "grid", "space": {"query_prefix": prefixes}}
    config = study_config.parse({"trial": trial, "search": search}, "space")
    with pytest.raises(UserError, match=r"query_prefix 'ابحث .* leaves no room for text"):
        preflight.check_backbones(config, download=False)
    assert preflight.check_backbones(config, download=False, finished=synthetic_study.results)


@pytest.mark.parametrize(("cpus_per_worker", "told"), [(1, True), (8, False)])
def test_a_dry_run_says_when_the_processors_of_a_gpu_lie_idle(
    cpus_per_worker: int, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "cluster_address", lambda: None)
    monkeypatch.setattr(preflight, "supply", lambda: Supply("this machine", (Node(16, 2),)))
    trial = {"resources": {"gpus_per_worker": 1, "cpus_per_worker": cpus_per_worker}}
    console = Console(width=300, highlight=False)
    with console.capture() as captured:
        plan_summary.show(preflight.check(study(trial), str(tmp_path), dry_run=True), console)
    assert ("set resources.cpus_per_worker to 8" in captured.get()) == told


@pytest.mark.parametrize(("gpus", "share", "told"), [(2, 0, True), (2, 1, False), (2, 0.25, False), (0, 0, False)])
def test_a_dry_run_says_that_trials_leave_gpus_alone(
    gpus: int, share: float, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "cluster_address", lambda: None)
    monkeypatch.setattr(preflight, "supply", lambda: Supply("this machine", (Node(16, gpus),)))
    console = Console(width=300, highlight=False)
    with console.capture() as captured:
        config = study({"resources": {"gpus_per_worker": share}})
        plan_summary.show(preflight.check(config, str(tmp_path), dry_run=True), console)
    assert ("there are GPUs, and a trial takes none: set resources.gpus_per_worker" in captured.get()) == told


def test_a_dry_run_says_how_many_rows_are_left_out_whenever_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    rows = "".join(f"ถาม {number},ตอบ {number}\n" for number in range(9))
    (tmp_path / "train.csv").write_text(f"query,passage\n{rows}ไม่มีคำตอบ,\n", "utf-8")
    corpus = {"name": "dataset", "path": str(tmp_path / "train.csv"), "language": "th"}
    config = study({"corpora": [corpus, FACTBOOK]})
    for _ in ("converted", "read again"):
        console = Console(width=300, highlight=False)
        with console.capture() as captured:
            plan_summary.show(preflight.check(config, str(tmp_path), dry_run=True), console)
        assert "1 more rows are without a query or a passage in the columns that are read" in captured.get()


@pytest.mark.parametrize(("weights", "own", "other"), [((1, 3), 25, 75), ((None, None), 20, 80)])
def test_a_dry_run_says_how_many_of_the_batches_come_from_each_corpus(
    weights: tuple[float | None, float | None],
    own: int,
    other: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    parallel = load_corpus("factbook", {"languages": ["ar", "th"]})
    rows = "".join(f"ถาม {number},ตอบ {number}\n" for number in range(len(parallel) // 4))
    (tmp_path / "train.csv").write_text(f"query,passage\n{rows}", "utf-8")
    thai = {"name": "dataset", "path": str(tmp_path / "train.csv"), "language": "th", "weight": weights[0]}
    factbook = {"name": "factbook", "languages": ["ar", "th"], "weight": weights[1]}
    translated = thai | {"columns": {la: {"query": "query", "passage": "passage"} for la in ("th", "zh")}}
    del translated["language"]

    def shown(corpora: list[dict[str, Any]]) -> str:
        console = Console(width=300, highlight=False)
        with console.capture() as captured:
            plan_summary.show(preflight.check(study({"corpora": corpora}), str(tmp_path), dry_run=True), console)
        return captured.get()

    text = shown([thai, factbook])
    assert f"(th); {own} % of monolingual and 0 % of cross-lingual batches come from it\n" in text
    assert f"(ar, th); {other} % of monolingual and 100 % of cross-lingual batches come from it\n" in text
    assert f"(th, zh); {own} % of batches come from it\n" in shown([translated, factbook])
    assert "come from it" not in shown([factbook])


def test_a_plan_tells_that_validation_may_be_on_translations_of_what_is_reported(tmp_path: Path) -> None:
    for language, texts in {"th": ("ใคร", "เขา"), "zh": ("谁", "他")}.items():
        (tmp_path / "own" / language).mkdir(parents=True)
        for part, text in zip(("queries", "corpus"), texts, strict=True):
            row = json.dumps({"_id": f"{part}-{language}", "text": text}, ensure_ascii=False)
            (tmp_path / "own" / language / f"{part}.jsonl").write_text(row, "utf-8")
        judged = f"query-id\tcorpus-id\tscore\nqueries-{language}\tcorpus-{language}\t1\n"
        (tmp_path / "own" / language / "qrels.tsv").write_text(judged, "utf-8")
    own = {"name": "local", "path": str(tmp_path / "own"), "settings": ["multilingual"]}
    validation = {"benchmark": own | {"languages": ["th"]}}
    config = study({"validation": validation, "benchmarks": [own | {"languages": ["zh"]}], "steps": 0})
    (note,) = preflight.check(config, str(tmp_path / "study"), dry_run=True).notes
    assert note.startswith("validation: benchmark 'local' reads the data of the reported 'local' in other languages: ")
