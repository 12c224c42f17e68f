"""`study.export`: a study's folder in, a model's folder out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from torch import Tensor
from typer.testing import CliRunner, Result

from study.cli import program
from study.config import TrialConfig
from study.export import main
from study.model.backbone import load_encoder
from study.model.encoder import Encoder
from study.model.pooling_and_prompts import content_of
from study.model.sentence_transformers_folder import export as save_folder
from study.results import files, layout
from study.results.trial_result import CorpusRecord, TrainingProgress
from study.retrieval.centring import evenly_spaced
from study.training import checkpoint
from study.training.schedules import Temperature
from study.training.step import make_optimizer
from tasks.corpora import factbook
from tasks.data.hub import model_folder
from tasks.schema import Setting
from tests.hub_server import HubServer, Repository
from tests.study.synthetic_study import benchmark, write_study
from tests.study.trial_results import trial_result

OBJECTIVE = "validation/multilingual/map"
QUERIES = ["เมืองหลวงของไทยคือเมืองใด", "泰国的首都是哪里？"]
CONFIG = TrialConfig(steps=20, max_passage_tokens=64)
TRAINED_ON = factbook.load()
CORPORA = (CorpusRecord(name="factbook", revision=TRAINED_ON.revision, rows=len(TRAINED_ON)),)
APP = program(main)


def trained(seed: int) -> Encoder:
    """Return a built-in backbone that training has moved somewhere."""
    encoder = load_encoder(CONFIG, torch.device("cpu"))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return encoder


def write_trial(study: str, number: int, score: float, objective: str = OBJECTIVE) -> Tensor:
    """Write a trial whose best step is 10 of 20, and return its model's embeddings of the queries."""
    folder = layout.trial_folder(study, number)
    result = trial_result(number, {objective: score}, **CONFIG.model_dump())
    training = TrainingProgress(step=20, best_step=10)
    layout.write_result(folder, result.model_copy(update={"training": training, "corpora": CORPORA}))
    for step in (10, 20):
        encoder = trained(seed=100 * number + step)
        held = Path(folder, f"step-{step:08d}")
        held.mkdir()
        optimizer = make_optimizer(encoder, Temperature(CONFIG, encoder.device), CONFIG)
        checkpoint.save(held, encoder, optimizer, TrainingProgress(step=step))
    best = trained(seed=100 * number + 10).eval()
    with torch.no_grad():
        return best.embed(best.tokenize(QUERIES, "query"))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    folder = str(tmp_path / "my-study")
    space = {"search": {"sampler": "random", "trials": 3, "space": {"seed": {"type": "int", "low": 0, "high": 9}}}}
    files.write_json(files.join(folder, layout.STUDY), {"name": "toy", "search_space": space})
    return folder


def export(*arguments: str) -> Result:
    return CliRunner().invoke(APP, list(arguments))


def test_the_best_trial_s_best_checkpoint_is_exported_unless_another_trial_is_named(study: str, tmp_path: Path) -> None:
    embeddings = [write_trial(study, number, score) for number, score in enumerate((0.3, 0.6, 0.5))]
    for arguments, number, folder in (
        ([], 1, tmp_path / "my-study-0001"),
        (["--trial", "2", "--output", "deep/mine"], 2, tmp_path / "deep" / "mine"),
    ):
        outcome = export(study, *arguments)
        assert outcome.exit_code == 0, outcome.output
        assert str(folder) in outcome.output
        theirs = SentenceTransformer(str(folder), device="cpu").encode_query(QUERIES)
        torch.testing.assert_close(torch.from_numpy(theirs), embeddings[number], atol=1e-5, rtol=0)


def test_a_trial_without_steps_is_exported_as_its_backbone(study: str, tmp_path: Path) -> None:
    write_trial(study, 0, 0.5)
    file = files.join(layout.trial_folder(study, 0), layout.RESULT)
    result = files.read_json(file)
    result["config"]["steps"] = result["training"]["best_step"] = 0
    files.write_json(file, result)
    assert export(study, "--output", "plain").exit_code == 0
    backbone = load_encoder(CONFIG, torch.device("cpu")).eval()
    with torch.no_grad():
        ours = backbone.embed(backbone.tokenize(QUERIES, "query"))
    theirs = SentenceTransformer(str(tmp_path / "plain"), device="cpu").encode_query(QUERIES)
    torch.testing.assert_close(torch.from_numpy(theirs), ours, atol=1e-5, rtol=0)


def test_language_means_are_those_of_the_trials_corpora_and_the_card_says_how_to_use_them(
    study: str, tmp_path: Path
) -> None:
    write_trial(study, 0, 0.5)
    assert export(study, "--language-means", "--output", "centred").exit_code == 0
    means = load_file(tmp_path / "centred" / "language_means.safetensors")
    corpus = factbook.load()
    assert set(means) == {*corpus.languages, "all"}
    rows = evenly_spaced(len(corpus), 1000)
    texts = [pair.passage for pair in corpus.pairs(rows, ["th"] * len(rows), ["th"] * len(rows))]
    embeddings = SentenceTransformer(str(tmp_path / "centred"), device="cpu").encode_document(texts)
    torch.testing.assert_close(means["th"], torch.from_numpy(embeddings).mean(dim=0), atol=1e-4, rtol=0)
    torch.testing.assert_close(means["all"], torch.stack([means[la] for la in corpus.languages]).mean(dim=0))
    assert "normalise(embedding - means[language] + means" in (tmp_path / "centred" / "README.md").read_text("utf-8")
    assert export(study, "--output", "plain").exit_code == 0
    assert not (tmp_path / "plain" / "language_means.safetensors").exists()
    assert "language_means" not in (tmp_path / "plain" / "README.md").read_text("utf-8")


def test_means_of_other_rows_than_the_trial_was_trained_on_are_refused(study: str, tmp_path: Path) -> None:
    write_trial(study, 0, 0.5)
    file = files.join(layout.trial_folder(study, 0), layout.RESULT)
    result = files.read_json(file)
    result["corpora"][0]["rows"] -= 1
    files.write_json(file, result)
    refused = export(study, "--language-means", "--output", "centred")
    assert refused.exit_code == 2
    assert (
        "--language-means: the corpora are not those that trial 0 was trained on: put their files back"
        in refused.stderr
    )
    assert not (tmp_path / "centred").exists()
    assert export(study, "--output", "plain").exit_code == 0


def test_what_cannot_be_exported_is_said_in_one_sentence(study: str, tmp_path: Path) -> None:
    write_trial(study, 0, 0.5)
    (tmp_path / "there").mkdir()
    for arguments, message in (
        ([str(tmp_path)], "there is no study in"),
        ([study, "--trial", "7"], "trial 7 of .* has no result: trials with one are 0"),
        ([study, "--output", "there"], "there exists: choose another --output"),
        ([study, "--output", "there", "--push", "team/retriever"], "there exists: choose another --output"),
        ([study, "--output", "/proc/nothing/x"], "--output /proc/nothing/x cannot be written"),
    ):
        outcome = export(*arguments)
        assert outcome.exit_code == 2
        assert outcome.stderr.startswith("error: ")
        assert re.search(message, outcome.stderr)


def test_a_checkpoint_that_is_gone_or_damaged_is_reported_with_its_trial(study: str) -> None:
    write_trial(study, 0, 0.5)
    weights = Path(layout.trial_folder(study, 0), "step-00000010", checkpoint.WEIGHTS)
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    assert "trial 0: checkpoint" in export(study).stderr
    weights.unlink()
    assert "trial 0: " in export(study).stderr
    assert not Path("my-study-0000").exists()
    weights.write_bytes(whole)
    assert export(study).exit_code == 0
    assert json.loads(Path("my-study-0000", "modules.json").read_text("utf-8"))


def test_a_pushed_model_is_what_a_backbone_of_the_hub_loads(
    study: str, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.writers["hf_secret"] = "team"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    embeddings = write_trial(study, 0, 0.5)
    outcome = export(study, "--push", "team/retriever")
    assert outcome.exit_code == 0, outcome.output
    commit = hub.repositories["models/team/retriever"].commit
    assert f"uploaded: {hub.url}/team/retriever/tree/{commit}" in outcome.output
    loaded = load_encoder(CONFIG.model_copy(update={"backbone": f"team/retriever@{commit}"}), torch.device("cpu"))
    with torch.no_grad():
        again = loaded.eval().embed(loaded.tokenize(QUERIES, "query"))
    torch.testing.assert_close(again, embeddings, atol=1e-5, rtol=0)


def test_a_push_that_is_not_allowed_is_refused_before_anything_is_exported(study: str, hub: HubServer) -> None:
    write_trial(study, 0, 0.5)
    outcome = export(study, "--push", "team/retriever")
    assert outcome.exit_code == 2
    assert "error: --push team/retriever: " in outcome.stderr
    assert "answers 401 Unauthorized: set HF_TOKEN" in outcome.stderr
    assert not Path("my-study-0000").exists()


def test_the_backbone_is_that_of_the_commit_that_the_trial_used(
    study: str, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_folder(trained(seed=1), tmp_path / "then", "")
    save_folder(trained(seed=2), tmp_path / "now", "")
    files_of = {
        name: {str(f.relative_to(tmp_path / name)): f.read_bytes() for f in (tmp_path / name).rglob("*") if f.is_file()}
        for name in ("then", "now")
    }
    hub.repositories["models/team/encoder"] = Repository(files_of["then"], commit="a" * 40)
    model_folder("team/encoder")
    record = trial_result(0, {OBJECTIVE: 0.5}, **CONFIG.model_dump() | {"steps": 0, "backbone": "team/encoder"})
    backbone = record.backbone.model_copy(update={"revision": "a" * 40})
    layout.write_result(
        layout.trial_folder(study, 0),
        record.model_copy(update={"backbone": backbone, "training": TrainingProgress(best_step=0)}),
    )
    hub.repositories["models/team/encoder"] = Repository(files_of["now"], commit="b" * 40)
    monkeypatch.setattr("tasks.data.hub._COMMITS", {})  # as in another process
    outcome = export(study, "--output", "exported")
    assert outcome.exit_code == 0, outcome.output
    then, exported = (load_file(tmp_path / name / "model.safetensors") for name in ("then", "exported"))
    assert all(torch.equal(then[key], exported[key]) for key in then)


def test_a_backbone_that_was_changed_since_its_trial_is_not_exported(study: str, tmp_path: Path) -> None:
    backbone = tmp_path / "backbone"
    save_folder(load_encoder(CONFIG, torch.device("cpu")), backbone, "")
    config = CONFIG.model_copy(update={"backbone": str(backbone), "steps": 0, "lora": None})
    result = trial_result(8, {OBJECTIVE: 0.9}, **config.model_dump())
    described = result.backbone.model_copy(update={"content": content_of(config)})
    layout.write_result(layout.trial_folder(study, 8), result.model_copy(update={"backbone": described}))
    unchanged = export(study, "--trial", "8", "--output", str(tmp_path / "unchanged"))
    assert unchanged.exit_code == 0, unchanged.output
    save_folder(trained(seed=1), tmp_path / "other", "")
    (tmp_path / "other" / "model.safetensors").replace(backbone / "model.safetensors")
    refused = export(study, "--trial", "8", "--output", str(tmp_path / "changed"))
    assert refused.exit_code == 2
    assert f"backbone {backbone} is not what trial 8 started from" in " ".join(refused.output.split())
    assert not (tmp_path / "changed").exists()


def test_a_trial_that_others_equal_by_the_objective_is_exported_with_a_note(study: str, tmp_path: Path) -> None:
    for number, (score, alpha) in enumerate(((0.6, 0.5), (0.6, 0.25), (0.5, 1.0))):
        write_trial(study, number, score)
        file = files.join(layout.trial_folder(study, number), layout.RESULT)
        result = files.read_json(file)
        files.write_json(file, {**result, "config": {**result["config"], "alpha": alpha}})
    outcome = export(study, "--output", str(tmp_path / "best"))
    assert outcome.exit_code == 0, outcome.output
    assert "note: trials 1 have exactly the same validation/" in outcome.output
    assert "--trial takes another" in outcome.output
    assert "note:" not in export(study, "--trial", "1", "--output", str(tmp_path / "other")).output


def test_means_of_training_languages_of_a_trial_that_was_not_trained_are_refused(study: str, tmp_path: Path) -> None:
    result = trial_result(0, {OBJECTIVE: 0.5}, **CONFIG.model_dump() | {"steps": 0})
    layout.write_result(layout.trial_folder(study, 0), result)
    outcome = export(study, "--language-means", "--output", "means")
    assert outcome.exit_code == 2
    assert "error: --language-means: trial 0 was not trained and has no training languages" in outcome.stderr
    assert not (tmp_path / "means").exists()


@pytest.mark.parametrize("key", ["tatoeba/crosslingual/accuracy", "tatoeba/accuracy"])
def test_the_card_of_a_trial_that_was_measured_on_accuracy_alone_has_it_and_an_older_result_is_exported_too(
    tmp_path: Path, key: str
) -> None:
    data = benchmark(20, 10, name="tatoeba", settings=(Setting.CROSSLINGUAL,), metrics=("accuracy",))
    folder = write_study(tmp_path / "study", alphas=[0.5], seeds=1, backbones=[CONFIG.backbone], data=data)
    file = files.join(layout.trial_folder(folder, 0), layout.RESULT)
    files.write_text(file, files.read_bytes(file).decode().replace("tatoeba/crosslingual/accuracy", key))
    result = files.read_json(file)
    result["config"]["steps"] = result["training"]["best_step"] = 0
    files.write_json(file, result)
    outcome = export(folder, "--output", str(tmp_path / "exported"))
    assert outcome.exit_code == 0, outcome.output
    card = (tmp_path / "exported" / "README.md").read_text("utf-8")
    row = f"| cross-lingual | {result['metrics'][key]:.3f} |"
    assert (row in card) == (key == "tatoeba/crosslingual/accuracy")
    assert "| language | cross-lingual accuracy |" in card
