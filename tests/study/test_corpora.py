"""What a trial is trained on shares no text with the rows that it is validated on, however either is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study import corpora as module
from study.config import TrialConfig
from study.corpora import check_negatives, training_corpora
from study.training.false_negatives import false_negatives
from tasks.holdout_split import with_other_negatives
from tasks.plugins import TaskError, load_benchmark
from tasks.same_text import bare
from tasks.schema import Corpus
from tests.toy_corpus import ToyCorpus

LANGUAGES = ("ar", "en", "th", "zh")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty rows; every second one lacks English, every fifth question is about the passage of the row before."""
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps({"pairs": row(n)}, ensure_ascii=False) for n in range(60)), "utf-8")
    return path


def row(n: int) -> dict[str, dict[str, str]]:
    held = [language for language in LANGUAGES if language != "en" or n % 2]
    passage = n - 1 if n % 5 == 4 else n
    return {la: {"query": f"{la} question {n}", "passage": f"{la} passage {passage}"} for la in held}


def trial(validated: dict[str, Any], *trained: dict[str, Any]) -> TrialConfig:
    return TrialConfig.model_validate(
        {"corpora": list(trained), "validation": {"benchmark": {"name": "held_out", "corpus": validated}}}
    )


def texts(corpus: Corpus) -> set[str]:
    found = set()
    for language in corpus.languages:
        rows = np.asarray(corpus.rows(language))
        for pair in corpus.pairs(rows, [language] * len(rows), [language] * len(rows)):
            found |= {pair.query.casefold(), pair.passage.casefold()}
    return found


def validation_texts(config: TrialConfig) -> set[str]:
    held_out = load_benchmark("held_out", config.validation.benchmark.options)
    questions = {text for queries in held_out.queries.values() for text in queries.texts()}
    return questions | {text for pool in held_out.pools for text in pool.passages.texts()}


@pytest.mark.parametrize(
    ("validated", "trained"),
    [
        ({"held_out": 8}, {"held_out": 8}),
        ({"held_out": 8}, {"held_out": 8, "languages": ["en"]}),
        ({"held_out": 8, "languages": ["th", "zh"]}, {"held_out": 8, "languages": ["zh", "ar"]}),
        ({"held_out": 6}, {"held_out": 8}),
        ({"held_out": 8}, {"held_out": 6}),
        ({"held_out": 8}, {}),
        ({"held_out": 8}, {"languages": ["th"]}),
    ],
)
def test_rows_that_are_held_out_with_other_options_are_not_trained_on(
    validated: dict[str, Any], trained: dict[str, Any], file: Path
) -> None:
    source = {"name": "parallel_jsonl", "path": str(file)}
    config = trial(source | validated, source | trained)
    (corpus,) = training_corpora(config)
    assert len(corpus) > 10
    assert not texts(corpus) & {text.casefold() for text in validation_texts(config)}


def test_neither_are_copies_of_them_in_another_file_and_order_and_spelling(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    lines = file.read_text("utf-8").splitlines()[::-1]
    copy.write_text(
        "\n".join(line.replace(" question ", "  QUESTION ").replace(" passage ", " Passage ") for line in lines)
    )
    source = {"name": "parallel_jsonl", "path": str(file), "held_out": 8}
    config = trial(source, source, {"name": "parallel_jsonl", "path": str(copy)})
    held = {" ".join(text.split()) for text in validation_texts(config)}
    for corpus in training_corpora(config):
        assert not {" ".join(text.split()) for text in texts(corpus)} & held


def test_of_a_large_corpus_only_the_same_split_is_taken(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_QUESTIONS", 100)
    source = {"name": "parallel_jsonl", "path": str(file), "held_out": 8}
    assert len(training_corpora(trial(source, source | {"weight": 2}))[0]) < 60
    with pytest.raises(TaskError, match=r"has more than 100 questions, too many to look for .* the same held_out"):
        training_corpora(trial(source, source | {"held_out": 9}))


def test_a_trial_with_another_benchmark_for_validation_is_trained_on_all_rows(file: Path) -> None:
    config = TrialConfig.model_validate({"corpora": [{"name": "parallel_jsonl", "path": str(file)}]})
    assert len(training_corpora(config)[0]) == 60


def test_a_corpus_of_validation_rows_alone_is_refused(file: Path, tmp_path: Path) -> None:
    source = {"name": "parallel_jsonl", "path": str(file), "held_out": 8}
    held = {text for text in validation_texts(trial(source, source)) if text.startswith("th question")}
    only = tmp_path / "only.jsonl"
    rows = ({"th": {"query": text, "passage": text}} for text in held)
    only.write_text("\n".join(json.dumps({"pairs": one}) for one in rows), "utf-8")
    with pytest.raises(TaskError, match="every row shares a text with the validation data"):
        training_corpora(trial(source, {"name": "parallel_jsonl", "path": str(only)}))


def with_negatives(tmp_path: Path, negatives: int) -> Path:
    """Write rows whose negatives are the passages of the rows after them, as mined ones are of other rows."""
    file = tmp_path / "mined.jsonl"
    rows = [
        {
            "id": f"q{n}",
            "pairs": {
                la: {
                    "query": f"{la} question {n}",
                    "passage": f"{la} passage {n}",
                    "negatives": [f"{la}  Passage {(n + i) % 100}" for i in range(1, negatives + 1)],
                }
                for la in ("th", "zh")
            },
        }
        for n in range(100)
    ]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return file


@pytest.mark.usefixtures("file")  # for its cache
@pytest.mark.parametrize("trained", [{"held_out": 20}, {"languages": ["zh"]}])
def test_passages_that_are_validated_on_are_no_negatives_in_training(trained: dict[str, Any], tmp_path: Path) -> None:
    source = {"name": "parallel_jsonl", "path": str(with_negatives(tmp_path, 4))}
    config = trial(source | {"held_out": 20}, source | trained).model_copy(update={"hard_negatives": 4})
    (corpus,) = training_corpora(config)
    held, replaced, own = validation_texts(config), 0, 0
    for language in corpus.languages:
        for pair in corpus.pairs(np.arange(80), [language] * 80, [language] * 80):
            assert not {" ".join(text.casefold().split()) for text in pair.negatives} & held
            assert len(pair.negatives) == 4
            replaced += len(set(pair.negatives)) < 4
            own += pair.passage in pair.negatives
    assert replaced > 20
    assert own == 0, "each of these rows has a negative that is not held out"
    check_negatives([corpus], 4)
    with pytest.raises(TaskError, match=r"\(80 of 80 rows read, such as 'q\d+'\); lower it, or mine more"):
        check_negatives([corpus], 5)
    assert corpus.revision == training_corpora(config.model_copy(update={"hard_negatives": 0}))[0].revision


def test_a_passage_that_is_validated_on_is_no_negative_of_a_corpus_of_other_rows(file: Path, tmp_path: Path) -> None:
    source = {"name": "parallel_jsonl", "path": str(file), "held_out": 8}
    held = next(text for text in validation_texts(trial(source, source)) if text.startswith("th passage"))
    other = tmp_path / "other.jsonl"
    row = {"th": {"query": "other question", "passage": "other passage", "negatives": [held.upper(), "other"]}}
    other.write_text(json.dumps({"pairs": row}), "utf-8")
    config = trial(source, {"name": "parallel_jsonl", "path": str(other)}).model_copy(update={"hard_negatives": 2})
    corpus = training_corpora(config)[0]
    assert corpus.pairs(np.array([0]), ["th"], ["th"])[0].negatives == ("other", "other")


def test_a_row_whose_negatives_are_all_held_out_has_its_own_passage_which_is_no_negative() -> None:
    corpus = ToyCorpus.parallel(4, ("th",), negatives=2)
    (pair,) = corpus.pairs(np.array([0]), ["th"], ["th"])
    (found,) = with_other_negatives(corpus, {*map(bare, pair.negatives)}, 2).pairs(np.array([0]), ["th"], ["th"])
    assert found == pair._replace(negatives=(pair.passage, pair.passage))
    rows = np.array([0])
    keys = corpus.keys(rows)
    known = {pair.passage: {(int(keys.queries[0]), int(keys.passages[0]))}}
    assert false_negatives([found], keys, known, [rows], 0).tolist() == [[0, 1], [0, 2]]


def test_a_corpus_without_negatives_is_not_read_for_them() -> None:
    class Unread:
        @property
        def fewest_negatives(self) -> int:
            raise AssertionError

    check_negatives([Unread()], 0)  # type: ignore[list-item]
