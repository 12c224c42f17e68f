from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from study import seen_questions
from study.results.trial_result import BenchmarkResult, CorpusRecord, TrialResult
from study.runtime.data_checks import check_apart, check_data
from study.space import study_config
from study.space.study_config import StudyConfig
from tasks.errors import UserError
from tasks.plugins import TaskError, load_benchmark
from tasks.schema import Benchmark, Corpus, Query, Setting, Texts
from tests.study.trial_results import trial_result

LANGUAGES = ("ar", "th", "zh")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))


def pairs(folder: Path, rows: int, *, parallel: bool = True) -> str:
    file = folder / f"{rows}-{parallel}.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for row in range(rows):
            held = LANGUAGES if parallel else (LANGUAGES[row % 3],)
            texts = {language: {"query": f"ถาม {row}", "passage": f"答 {row} {language}"} for language in held}
            out.write(json.dumps({"pairs": texts}, ensure_ascii=False) + "\n")
    return str(file)


def study(corpora: list[Any], alphas: list[float], **trial: Any) -> StudyConfig:
    search = {"sampler": "grid", "space": {"alpha": {"type": "categorical", "choices": alphas}}}
    return study_config.parse({"trial": {"corpora": corpora, "batch_size": 12} | trial, "search": search}, "space")


def read(config: StudyConfig) -> tuple[Corpus, ...]:
    return check_data(config, download=False).corpora


def jsonl(path: str, **options: Any) -> dict[str, Any]:
    return {"name": "parallel_jsonl", "path": path, **options}


def test_corpora_that_serve_every_trial_pass_and_are_opened_once(tmp_path: Path) -> None:
    (corpus,) = read(study([jsonl(pairs(tmp_path, 30), held_out=5)], [0, 0.5, 1]))
    assert (corpus.name, len(corpus), corpus.languages) == ("parallel_jsonl", 25, LANGUAGES)


def test_data_that_finished_trials_have_read_otherwise_is_refused(tmp_path: Path) -> None:
    file = pairs(tmp_path, 30)
    config = study([jsonl(file)], [0.5])
    trial = config.examples[0]
    (corpus,), benchmark = read(config), load_benchmark("factbook", {})
    measured = {"revision": benchmark.revision, "benchmark": "factbook"}
    empty: dict[str, Any] = {
        name: {} for name in ("details", "metrics", "by_language", "by_pair", "queries", "passages")
    }
    record = CorpusRecord(name=corpus.name, revision=corpus.revision, rows=len(corpus))

    def finished(trained: CorpusRecord, revision: str) -> TrialResult:
        found = {"factbook": BenchmarkResult.model_validate(empty | measured | {"revision": revision})}
        settings = trial.model_dump(mode="json")
        return trial_result(0, measured=found, **settings).model_copy(update={"corpora": (trained,)})

    check_data(config, download=False, finished=[finished(record, benchmark.revision)])
    with pytest.raises(TaskError, match=r"benchmark 'factbook' is not what .* have read \(revision other, now "):
        check_data(config, download=False, finished=[finished(record, "other")])
    validated = finished(record, benchmark.revision).model_copy(update={"validation_revision": "other"})
    with pytest.raises(TaskError, match=r"benchmark 'factbook' is not what .* have read \(revision other, now "):
        check_data(config, download=False, finished=[validated])
    pairs(tmp_path, 29)
    Path(file).write_bytes((tmp_path / "29-True.jsonl").read_bytes())
    with pytest.raises(
        TaskError, match=r"corpus 'parallel_jsonl' \(.*jsonl\) is not what this study's finished trials have read"
    ):
        check_data(config, download=False, finished=[finished(record, benchmark.revision)])


def test_benchmark_questions_that_are_trained_on_are_told_before_anything_starts(tmp_path: Path) -> None:
    own = tmp_path / "own" / "th"
    own.mkdir(parents=True)
    (own / "corpus.jsonl").write_text('{"_id": "p", "text": "答"}\n', "utf-8")
    queries = [{"_id": "1", "text": "ถาม  7"}, {"_id": "2", "text": "ใหม่"}]
    (own / "queries.jsonl").write_text("\n".join(json.dumps(query) for query in queries), "utf-8")
    (own / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\tp\t1\n2\tp\t1\n", "utf-8")
    asked = {"name": "local", "path": str(own.parent)}
    corpora = [jsonl(pairs(tmp_path, 30))]
    own_space = study(corpora, [0, 0.5, 1], benchmarks=["factbook", asked])
    (sentence,) = check_data(own_space, download=False).notes
    assert sentence == (
        f"benchmark 'local' ({own.parent}): 1 of its 2 questions are training questions too, so its figures will not "
        "be those of unseen questions"
    )
    assert check_data(study(corpora, [0], benchmarks=[asked], steps=0), download=False).notes == ()


def test_a_corpus_that_is_too_large_to_be_searched_for_test_questions_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_questions, "MOST_QUESTIONS", 29)
    config = study([jsonl(pairs(tmp_path, 30))], [0.5])
    (note,) = check_data(config, download=False).notes
    assert note == (
        "corpus 'parallel_jsonl' has too many questions to be searched for those of benchmark 'factbook': whether they "
        "are trained on is not known"
    )


def test_a_corpus_that_trials_with_alpha_0_draw_nothing_from_is_told(tmp_path: Path) -> None:
    corpora = [jsonl(pairs(tmp_path, 30)), jsonl(pairs(tmp_path, 60, parallel=False))]
    (note,) = check_data(study(corpora, [0, 0.5]), download=False).notes
    assert note == (
        "corpus 'parallel_jsonl' has no row in two languages: trials with alpha 0 draw only cross-lingual batches and "
        "do not train on it"
    )
    assert check_data(study(corpora, [0.5, 1]), download=False).notes == ()


def test_few_validation_questions_are_told_and_those_of_a_split_are_not_taken_for_another_s(tmp_path: Path) -> None:
    corpus = jsonl(pairs(tmp_path, 30), held_out=4)
    data = check_data(
        study([corpus], [0.5], validation={"benchmark": {"name": "held_out", "corpus": corpus}}), download=False
    )
    (note,) = data.notes
    assert note.startswith("validation: benchmark 'held_out' has 12 questions, so noise decides which checkpoint")
    assert note.endswith("take at least 50, with `held_out: 17` in `corpora` and `validation` alike")
    splits = study(
        [corpus], [0.5], validation={"benchmark": {"name": "factbook", "split": "dev"}}, benchmarks=["factbook"]
    )
    read = check_data(splits, download=False).benchmarks
    assert [config.options.get("split") for config, _ in read] == ["dev", None]
    assert read[0][1].questions != read[1][1].questions


def test_splits_that_share_a_file_of_queries_are_apart_and_only_queries_with_judgements_count(tmp_path: Path) -> None:
    """As BEIR's are; the questions of the split `train` are training questions."""
    own = tmp_path / "own"
    (own / "th" / "qrels").mkdir(parents=True)
    (own / "th" / "corpus.jsonl").write_text('{"_id": "p", "text": "答"}\n', "utf-8")
    asked = [{"_id": str(number), "text": f"ถาม {number}"} for number in range(90)]
    (own / "th" / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)), "utf-8")
    for split, numbers in {"train": range(30), "dev": range(30, 50), "test": range(50, 90)}.items():
        judged = "".join(f"{number}\tp\t1\n" for number in numbers)
        (own / "th" / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", "utf-8")
    local = {"name": "local", "path": str(own), "settings": ["multilingual"]}
    dev, test = (local | {"split": split} for split in ("dev", "test"))
    config = study([jsonl(pairs(tmp_path, 30))], [0.5], validation={"benchmark": dev}, benchmarks=[test])
    (note,) = check_data(config, download=False).notes
    assert note.startswith(f"validation: benchmark 'local' ({own}) has 20 questions, so noise decides")


@pytest.mark.parametrize(
    ("rows", "options", "alphas", "sentence"),
    [
        (
            11,
            {},
            [0.5],
            "in 11 rows in 'ar', fewer than batch_size 12: set batch_size to 11 or less, or leave the language",
        ),
        (30, {"held_out": 20}, [0.5], "has 10 distinct passages in 10 rows in 'ar', fewer than batch_size 12"),
        (30, {"languages": ["th", "ja"]}, [1], "no row of .* has 'ja'"),
        (30, {"languages": ["th"]}, [1, 0.9], "alpha 0.9 asks for cross-lingual batches, but 'parallel_jsonl' has no"),
    ],
)
def test_a_corpus_that_cannot_serve_some_trial_is_refused_in_a_sentence(
    tmp_path: Path, rows: int, options: dict[str, Any], alphas: list[float], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        read(study([jsonl(pairs(tmp_path, rows), **options)], alphas))


def test_every_weight_of_the_alignment_loss_is_checked(tmp_path: Path) -> None:
    corpus = jsonl(pairs(tmp_path, 60), languages=["th"])
    weights = {"alignment_weight": {"type": "categorical", "choices": [0, 1]}}
    search = {"sampler": "grid", "space": weights}
    trial = {"corpora": [corpus], "batch_size": 12, "alpha": 1}
    assert len(read(study([corpus], [1]))) == 1
    with pytest.raises(UserError, match="alignment_weight"):
        read(study_config.parse({"trial": trial, "search": search}, "space"))


def test_every_combination_of_what_batches_depend_on_is_checked_unless_trials_have_finished(tmp_path: Path) -> None:
    """The choices of alpha and mixing in turn are (0.5, batch) and (1, pair), which both can be served."""
    corpora = [jsonl(pairs(tmp_path, 60, parallel=False)), jsonl(pairs(tmp_path, 30))]
    choices = {"alpha": [0.5, 1.0], "mixing": ["batch", "pair"], "query_prefix": ["", "ถาม: ", "问："]}
    space = {key: {"type": "categorical", "choices": values} for key, values in choices.items()}

    def searching(**search: Any) -> StudyConfig:
        trial = {"corpora": corpora, "batch_size": 12}
        return study_config.parse({"trial": trial, "search": {"space": space, **search}}, "space")

    drawn = searching(sampler="random", trials=9)
    with pytest.raises(TaskError, match=r"mixing 'pair' with alpha 0\.5 draws both kinds of pairs"):
        read(drawn)
    assert len(check_data(drawn, download=False, began=True).corpora) == 2
    points = [{"alpha": 0.5, "mixing": "batch"}, {"alpha": 1.0, "mixing": "pair"}]
    assert len(read(searching(sampler="random", trials=2, first=points))) == 2


def test_a_second_corpus_may_serve_the_batches_that_the_first_cannot(tmp_path: Path) -> None:
    untranslated, parallel = jsonl(pairs(tmp_path, 60, parallel=False)), jsonl(pairs(tmp_path, 30))
    with pytest.raises(UserError, match="has no row in two languages"):
        read(study([untranslated], [0.5]))
    assert len(read(study([untranslated, parallel], [0.5]))) == 2


def test_what_is_still_to_be_downloaded_and_trials_that_do_not_train_are_let_be(tmp_path: Path) -> None:
    assert len(read(study(["natural_questions", jsonl(pairs(tmp_path, 30))], [0.5]))) == 1
    assert read(study([jsonl("nowhere.jsonl")], [0.5], steps=0)) == ()


def test_it_starts_without_torch() -> None:
    code = "import study.runtime.preflight, sys; assert not {'torch', 'transformers', 'ray'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("validation", "reported"), [(600, 50), (50, 600)])
def test_validation_that_holds_what_is_reported_is_refused_whatever_its_size(
    tmp_path: Path, validation: int, reported: int
) -> None:
    """A twelfth of the questions of one are all of the other."""
    sets = []
    for questions in (validation, reported):
        own = tmp_path / str(questions) / ("th" if questions == validation else "lo")
        own.mkdir(parents=True)
        (own / "corpus.jsonl").write_text('{"_id": "p", "text": "答"}\n', "utf-8")
        asked = [{"_id": str(number), "text": f"ถาม {number}"} for number in range(questions)]
        (own / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)), "utf-8")
        judged = "".join(f"{number}\tp\t1\n" for number in range(questions))
        (own / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", "utf-8")
        sets.append(load_benchmark("local", {"path": str(own.parent)}))
    sentence = f"validation: 50 of the {validation} questions of ชุดหนึ่ง are .* ชุดสอง too, 50 of its {reported}, and that"
    with pytest.raises(TaskError, match=sentence):
        check_apart("ชุดหนึ่ง", sets[0], "ชุดสอง", sets[1])


def test_versions_of_few_shared_questions_are_few_of_what_is_reported_in_one_language() -> None:
    """Each benchmark's share counts in its own languages."""

    def asked(languages: Sequence[str], numbers: range) -> Benchmark:
        queries = {la: Texts.of(Query(str(n), f"คำถามที่ {n} {la}") for n in numbers) for la in languages}
        qrels = {str(n): {"p": 1} for n in numbers}
        return Benchmark("asked", "1", queries, [], qrels, (Setting.MULTILINGUAL,))

    validation = asked(["th", "zh", "ar", "ja", "el"], range(20))
    check_apart("benchmark 'own'", validation, "benchmark 'reported'", asked(["th"], range(18, 58)))
    with pytest.raises(TaskError, match=r"25 of the 100 questions .* too, 5 of its 40, and that"):
        check_apart("benchmark 'own'", validation, "benchmark 'reported'", asked(["th"], range(15, 55)))


@pytest.mark.parametrize(("shared", "refused"), [(1, False), (2, True)])
def test_of_ten_validation_questions_one_may_be_reported_by_chance_and_two_are_refused(
    shared: int, refused: bool
) -> None:
    def asked(first: int) -> Benchmark:
        queries = Texts.of(Query(str(number), f"คำถามที่ {number}") for number in range(first, first + 10))
        qrels = {query: {"p": 1} for query in queries.ids()}
        return Benchmark("asked", "1", {"th": queries}, [], qrels, (Setting.MULTILINGUAL,))

    sentence = "validation: 2 of the 10 questions of benchmark 'own' are questions of benchmark 'reported' too"
    with pytest.raises(TaskError, match=sentence) if refused else nullcontext():
        check_apart("benchmark 'own'", asked(0), "benchmark 'reported'", asked(10 - shared))
