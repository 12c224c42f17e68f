"""The model card says what the result holds, and its front matter is YAML that a hub reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from study.analysis.formats import setting_name
from study.config import TrialConfig
from study.pages.model_card import model_card
from study.results import provenance
from study.results.trial_result import BackboneRecord, CorpusRecord, TrainingProgress, TrialResult
from study.retrieval.evaluation import evaluate
from tests.hashing_encoder import HashingEncoder
from tests.parallel_benchmark import parallel_benchmark


def result(**settings: Any) -> TrialResult:
    """Return a result as a trial leaves it, measured on a small benchmark in Arabic, Thai and Chinese."""
    config = TrialConfig.model_validate({"steps": 100, "backbone": "FacebookAI/xlm-roberta-base"} | settings)
    evaluation = evaluate(HashingEncoder(), parallel_benchmark())
    return TrialResult(
        number=3,
        config=config,
        backbone=BackboneRecord(pooling="mean", query_prefix="Query: ", passage_prefix="Passage: ", precision="fp32"),
        training=TrainingProgress(
            step=100,
            best_step=80 if config.steps else 0,
            history=tuple({"step": step, "temperature_now": step / 2000} for step in (40, 80, 100)),
        ),
        training_languages=("ar", "zh") if config.steps else (),
        corpora=tuple(CorpusRecord(name=corpus.name, revision="0123456789ab", rows=9) for corpus in config.corpora),
        metrics=evaluation.metrics,
        benchmarks={"parallel": evaluation.result()},
        versions=provenance.versions(),
        hardware=provenance.hardware(),
    )


def table_rows(card: str) -> dict[str, list[str]]:
    """Return first cell -> the other cells of every row of every table, later ones last."""
    rows = [line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith("|")]
    return {cells[0]: cells[1:] for cells in rows}


def test_the_front_matter_names_languages_library_and_the_hub_s_backbone() -> None:
    _, front, _ = model_card(result(), "ตัวค้นหา").split("---\n", 2)
    fields = yaml.safe_load(front)
    assert fields["language"] == ["ar", "th", "zh"]
    assert fields["library_name"] == "sentence-transformers"
    assert fields["base_model"] == "FacebookAI/xlm-roberta-base"


def test_the_hub_is_told_languages_without_their_scripts() -> None:
    trial = result()
    measured = trial.benchmarks["parallel"]
    traditional = measured.model_copy(update={"queries": {"zh": 3, "zh_Hant": 3, "sr_Latn": 2}})
    _, front, _ = model_card(trial.model_copy(update={"benchmarks": {"parallel": traditional}}), "x").split("---\n", 2)
    assert yaml.safe_load(front)["language"] == ["sr", "zh"]


def test_the_card_says_which_questions_were_trained_on() -> None:
    trial = result()
    assert "in the training data" not in model_card(trial, "x")
    questions = sum(trial.benchmarks["parallel"].queries.values())
    card = model_card(trial.model_copy(update={"seen_questions": {"parallel": 2}}), "x")
    assert (
        f"**2 of these {questions} questions are in the training data: the figures are not those of unseen questions.**"
    ) in card


def test_the_card_says_that_results_with_windows_need_windows() -> None:
    assert "windows of" not in model_card(result(), "x")
    card = " ".join(model_card(result(windows={"tokens": 40, "stride": 20}), "x").split())
    assert "passages cut into windows of 40 tokens, 20 apart, of which the best counts" in card


@pytest.mark.parametrize("pin", ["", "@main"])
def test_the_commit_of_the_hub_s_backbone_is_in_the_card(pin: str) -> None:
    trial = result(backbone=f"intfloat/multilingual-e5-small{pin}")
    record = trial.backbone.model_copy(update={"revision": "ab" * 20})
    card = model_card(trial.model_copy(update={"backbone": record}), "x").replace("\\", "")
    assert yaml.safe_load(card.split("---\n", 2)[1])["base_model"] == "intfloat/multilingual-e5-small"
    assert f"A multilingual dense retriever: intfloat/multilingual-e5-small (commit {'ab' * 20}), fine-tuned" in card


@pytest.mark.parametrize("backbone", ["builtin/xlmr-tiny", "/models/x", "models/deep/x", "~/x", "./x"])
def test_a_backbone_that_is_not_on_a_hub_is_not_named_as_one(backbone: str) -> None:
    assert "base_model" not in model_card(result(backbone=backbone), "x").split("---\n", 2)[1]


def test_every_setting_s_and_language_s_figures_are_in_it_and_unseen_languages_are_marked() -> None:
    trial = result()
    rows = table_rows(model_card(trial, "x"))
    measured = trial.benchmarks["parallel"]
    for setting in ("monolingual", "crosslingual", "multilingual"):
        assert f"{measured.metrics[f'parallel/{setting}/map']:.3f}" in rows[setting_name(setting)]
        for language in ("ar", "zh"):
            assert f"{measured.by_language[setting][language]['map']:.3f}" in rows[language]
    assert f"{measured.by_language['multilingual']['th']['map']:.3f}" in rows["th (unseen in training)"]


def test_data_alpha_temperature_versions_and_licence_are_in_it() -> None:
    corpora = [{"name": "mmarco", "languages": ["ar", "zh"]}, {"name": "parallel_jsonl", "path": "t.jsonl"}]
    trial = result(corpora=corpora, alpha={"start": 0.2, "end": 0.8}, temperature=0.03)
    card = model_card(trial, "x").replace("\\", "")
    assert "alpha 0.2→0.8, temperature 0.03" in card
    learned = model_card(result(temperature=0.03, temperature_learning_rate=1e-3), "x")
    assert "temperature 0.03, learned to 0.04 " in learned
    assert "fine-tuned for 100 steps (the weights are those of step 80, the best) on hybrid batches" in card
    assert "Languages: ar, zh." in card
    assert "- mmarco, 9 rows, revision 0123456789ab, languages ['ar', 'zh']" in card
    assert "- parallel_jsonl, 9 rows, revision 0123456789ab, path t.jsonl" in card
    assert "the licences of all of them apply" in card
    assert "'Query: ' before a query, 'Passage: ' before a passage" in card
    rows = table_rows(card)
    assert rows["torch"] == [trial.versions["torch"]]
    assert rows["learning_rate"] == ["3e-05"]
    assert rows["best step"] == ["80"]


def test_a_card_does_not_say_where_files_lie_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "own-model").mkdir()
    corpora = [{"name": "parallel_jsonl", "path": str(tmp_path / "train.jsonl")}]
    trial = result(backbone=str(tmp_path / "own-model"), corpora=corpora)
    measured = trial.benchmarks["parallel"].model_copy(update={"details": {"path": str(tmp_path / "test")}})
    card = model_card(trial.model_copy(update={"benchmarks": {"parallel": measured}}), "x")
    assert str(tmp_path) not in card
    assert "retriever: own-model, fine-tuned" in card
    assert "path train.jsonl" in card
    assert "base_model" not in card
    assert "path None" in model_card(result(corpora=[{"name": "mr_tydi", "path": None, "languages": ["th"]}]), "x")
    snapshot = tmp_path / "models--intfloat--e5" / "snapshots" / "0a1b"
    snapshot.mkdir(parents=True)
    assert "retriever: intfloat/e5, fine-tuned" in model_card(result(backbone=str(snapshot)), "x")


def test_a_backbone_that_was_not_trained_has_no_settings_of_training() -> None:
    card = model_card(result(steps=0), "x")
    assert "In training" not in card
    assert "When it was measured, queries were cut at" in card
    assert "As evaluated" in card
    assert {"alpha", "batch\\_size", "learning\\_rate", "temperature", "steps taken"}.isdisjoint(table_rows(card))
    assert {"alpha", "batch\\_size", "temperature", "steps taken"} < set(table_rows(model_card(result(), "x")))
    assert {"precision", "backbone", "torch"} < set(table_rows(card))


def test_a_backbone_that_was_not_trained_claims_no_data() -> None:
    card = model_card(result(steps=0, alpha=1.0), "x")
    assert "as it is" in card
    assert "Data and licence" not in card
    assert "unseen" not in card


def test_a_prompt_in_angle_brackets_is_no_tag() -> None:
    trial = result()
    backbone = trial.backbone.model_copy(update={"query_prefix": "<query> ", "passage_prefix": "*_p_* "})
    card = model_card(trial.model_copy(update={"backbone": backbone}), "x")
    assert r"'\<query\> ' before a query, '\*\_p\_\* ' before a passage" in card


def test_the_settings_of_encoding_are_those_that_the_trial_ran_with() -> None:
    trial = result(max_passage_tokens=512, pooling=None)
    backbone = trial.backbone.model_copy(update={"precision": "bf16", "max_passage_tokens": 128, "pooling": "cls"})
    rows = table_rows(model_card(trial.model_copy(update={"backbone": backbone}), "x"))
    assert trial.config.precision == "auto"
    assert rows["precision"] == ["bf16"]
    assert rows["max\\_passage\\_tokens"] == ["128"]
    assert rows["pooling"] == ["cls"]
