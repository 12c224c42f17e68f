"""Search spaces that would select by, or train on, what they measure are refused by names and options alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from study.space.leaks import perhaps_translated
from study.space.strict_yaml import SpaceError
from study.space.study_config import StudyConfig, load, parse

XQUAD = {"name": "xquad_r"}
PAIRS = {"name": "parallel_jsonl", "path": "คู่.jsonl"}


def source(**trial: Any) -> dict[str, Any]:
    return {
        "trial": trial,
        "search": {"sampler": "grid", "space": {"alpha": {"type": "categorical", "choices": [0, 1]}}},
    }


def loaded(folder: Path, started: dict[str, Any] | None = None, **trial: Any) -> StudyConfig:
    file = folder / "space.yaml"
    file.write_text(yaml.safe_dump(source(**trial), allow_unicode=True), "utf-8")
    return load(str(file), started)


def held_out(**options: Any) -> dict[str, Any]:
    return {"name": "held_out", "corpus": PAIRS | options}


TRANSLATED = [
    (XQUAD | {"languages": ["en"]}, XQUAD | {"languages": ["de", "th"]}),
    (XQUAD, XQUAD | {"languages": ["th"], "label": "thai"}),
    ({"name": "mlqa_r", "languages": ["zh"]}, {"name": "mlqa_r", "languages": ["ar"]}),
    (held_out(held_out=9, languages=["th"]), held_out(held_out=9, languages=["zh"])),
]


@pytest.mark.parametrize(("validation", "reported"), TRANSLATED)
def test_validation_on_translations_of_what_is_reported_is_refused(
    tmp_path: Path, validation: dict[str, Any], reported: dict[str, Any]
) -> None:
    trial: dict[str, Any] = {
        "validation": {"benchmark": validation},
        "benchmarks": ["factbook", reported],
        "steps": 0,
    }
    sentence = (
        f"^space.yaml: trial.validation.benchmark: '{validation['name']}' is also reported, and differs in 'languages' "
        "alone: its questions in one language are translations of those in another"
    )
    with pytest.raises(SpaceError, match=sentence):
        loaded(tmp_path, None, **trial)
    assert parse(source(**trial), "older").examples, "a study that has it resumes"
    assert loaded(tmp_path, source(**trial), **trial).examples


@pytest.mark.parametrize(
    ("validation", "reported"),
    [
        ({"name": "factbook", "split": "dev", "languages": ["th"]}, {"name": "factbook", "languages": ["zh"]}),
        ({"name": "miracl", "languages": ["en"]}, {"name": "miracl", "languages": ["th"]}),  # other questions
        ({"name": "local", "path": "own", "languages": ["zh"]}, {"name": "local", "path": "own", "languages": ["ar"]}),
        (XQUAD | {"languages": ["en"]}, {"name": "mlqa_r", "languages": ["ar"]}),
    ],
)
def test_validation_on_other_questions_is_not_refused(
    tmp_path: Path, validation: dict[str, Any], reported: dict[str, Any]
) -> None:
    assert loaded(tmp_path, validation={"benchmark": validation}, benchmarks=[reported]).examples


MTEB = {"name": "mteb", "repository": "mteb/XQuADRetrieval", "revision": "5" * 40, "split": "validation"}
OWN = {"name": "local", "path": "ของเรา"}


@pytest.mark.parametrize(
    ("validation", "reported", "told"),
    [
        (OWN | {"languages": ["zh"]}, OWN | {"languages": ["ar"], "label": "arabic"}, True),
        (MTEB | {"languages": ["th"]}, MTEB | {"languages": ["zh"]}, True),
        (OWN | {"languages": ["zh"], "split": "dev"}, OWN | {"languages": ["ar"]}, False),
        (MTEB | {"languages": ["th"]}, MTEB | {"repository": "mteb/MLQARetrieval", "languages": ["zh"]}, False),
        ({"name": "miracl", "languages": ["en"]}, {"name": "miracl", "languages": ["th"]}, False),
    ],
)
def test_validation_on_data_that_may_be_translations_of_what_is_reported_is_told(
    validation: dict[str, Any], reported: dict[str, Any], told: bool
) -> None:
    config = parse(source(validation={"benchmark": validation}, benchmarks=["factbook", reported], steps=0), "space")
    sentence = (
        f"validation: benchmark '{validation['name']}' reads the data of the reported "
        f"'{reported.get('label', validation['name'])}' in other languages: if its questions are translations of each "
        "other, selection sees what is reported: validate on another benchmark"
    )
    assert {perhaps_translated(trial) for trial in config.examples} == {sentence if told else ""}


@pytest.mark.parametrize(
    "corpus",
    [
        PAIRS,
        PAIRS | {"held_out": 7},
        PAIRS | {"languages": ["th"], "weight": 2},
        {"name": "dataset", "path": "คู่.jsonl", "language": "th"},
    ],
)
@pytest.mark.parametrize("reported", [False, True], ids=["validation", "reported"])
def test_a_corpus_holds_out_what_is_measured_of_its_data(
    tmp_path: Path, corpus: dict[str, Any], reported: bool
) -> None:
    benchmark = held_out(held_out=9)
    other = {"name": "factbook"} | ({"weight": 1} if "weight" in corpus else {})
    trial: dict[str, Any] = {"corpora": [other, corpus]}
    trial |= {"benchmarks": [benchmark]} if reported else {"validation": {"benchmark": benchmark}}
    sentence = (
        f"^space.yaml: trial.corpora: '{corpus['name']}' reads the data that benchmark 'held_out' holds out 9 rows of, "
        f"and holds out {corpus.get('held_out', 0)}: write held_out: 9 there too, so that"
    )
    with pytest.raises(SpaceError, match=sentence):
        loaded(tmp_path, **trial)
    assert parse(source(**trial), "older").examples
    trial["corpora"] = [other, corpus | {"held_out": 9}]
    assert loaded(tmp_path, **trial).examples


@pytest.mark.parametrize("corpus", [{"name": "factbook"}, PAIRS | {"path": "อื่น.jsonl"}])
def test_a_corpus_of_other_data_holds_nothing_out(tmp_path: Path, corpus: dict[str, Any]) -> None:
    assert loaded(tmp_path, corpora=[corpus], validation={"benchmark": held_out(held_out=9)}).examples
    assert loaded(tmp_path, corpora=[PAIRS], validation={"benchmark": held_out(held_out=9)}, steps=0).examples
