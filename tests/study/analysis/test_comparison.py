"""Comparisons on a study's folder: which pairs, and figures that agree with the reported ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from study.analysis.best_text import curve_sentence
from study.analysis.caveats import caveats
from study.analysis.comparison import Comparison, Figure, compare, leading_figures
from study.analysis.curves import read_curves
from study.analysis.groups import groups_of
from study.analysis.headline import headline_of
from study.analysis.pairs import choose_pairs
from study.analysis.statistics import Method
from study.analysis.study import Study, read_study
from study.analysis.verdict import is_judged, sentence, untested_sentences
from study.config import TrialConfig
from study.results import files, layout
from study.results.layout import StudyError
from study.results.trial_result import FailedTrial
from tasks.factbook.names import LANGUAGES
from tasks.schema import Setting
from tests.study.synthetic_study import BACKBONES, UNSEEN, write_study

XLMR, LABSE = BACKBONES


@pytest.fixture(scope="module")
def comparisons(synthetic_study: Study) -> list[Comparison]:
    return compare(synthetic_study, choose_pairs(synthetic_study), "xquad_r")


def named(study: Study, *baselines: str) -> list[tuple[str, str, str, str]]:
    pairs = choose_pairs(study, baselines)
    return [(p.group.backbone, p.group.label, p.baseline.backbone, p.baseline.label) for p in pairs]


def test_without_a_baseline_hybrid_meets_both_ends_of_each_backbone(synthetic_study: Study) -> None:
    hybrid = "hybrid (alpha 0.5)"
    expected = [(name, hybrid, name, end) for name in (XLMR, LABSE) for end in ("X-X-mono", "X-Y")]
    assert named(synthetic_study) == expected


def test_a_baseline_may_be_an_end_a_trial_or_a_backbone(synthetic_study: Study) -> None:
    assert {(a, b) for *_, a, b in named(synthetic_study, "X-Y")} == {(XLMR, "X-Y"), (LABSE, "X-Y")}
    against_trial = named(synthetic_study, "2")
    assert len(against_trial) == 5  # six kinds of trials, one of which is trial 2's own
    assert {tuple(pair[2:]) for pair in against_trial} == {(XLMR, "hybrid (alpha 0.5)")}
    assert {(pair[0], pair[1]) for pair in named(synthetic_study, LABSE)} == {
        (XLMR, label) for label in ("X-X-mono", "X-Y", "hybrid (alpha 0.5)")
    }


def test_an_unknown_baseline_is_answered_with_the_nearest(synthetic_study: Study) -> None:
    with pytest.raises(StudyError, match="unknown baseline 'X-y': did you mean 'X-Y'"):
        choose_pairs(synthetic_study, ["X-y"])
    with pytest.raises(StudyError, match="nothing to compare"):
        choose_pairs(synthetic_study, ["zero-shot"])


def test_every_difference_is_that_of_the_reported_figures(
    synthetic_study: Study, comparisons: list[Comparison]
) -> None:
    assert len(comparisons) == 4
    for one in comparisons:
        assert {figure.setting for figure in one.overall} == set(Setting)
        for figure, found in one.overall.items():
            key = f"xquad_r/{figure.setting}/{figure.metric}"
            means = [group.mean(key) for group in one.pair.groups]
            assert None not in means
            assert found.value == pytest.approx(means[0] - means[1])  # type: ignore[operator]  # checked above
            assert (found.seeds, found.questions) == ((2, 2), 40)


def test_every_language_has_its_own_difference(comparisons: list[Comparison]) -> None:
    one, figure = comparisons[0], Figure(Setting.CROSSLINGUAL, "map")
    by_group = [group.by_language("xquad_r", Setting.CROSSLINGUAL, "map") for group in one.pair.groups]
    found = one.by_language[figure]
    assert len(found) == 11
    assert set(UNSEEN) < set(found)
    for language, difference in found.items():
        assert difference.value == pytest.approx(by_group[0][language] - by_group[1][language])
    assert all(one.adjusted(figure)[language] >= difference.p for language, difference in found.items())


def test_sentences_are_about_multilingual_map_unless_told_otherwise(comparisons: list[Comparison]) -> None:
    found = {"xquad_r": comparisons, "empty": []}
    assert leading_figures(found) == {"xquad_r": Figure(Setting.MULTILINGUAL, "map")}
    by_mrr = leading_figures(found, objective="validation/monolingual/mrr")
    assert by_mrr == {"xquad_r": Figure(Setting.MONOLINGUAL, "mrr")}
    assert leading_figures(found, objective="validation/loss") == leading_figures(found), "which nothing reports"
    assert leading_figures(found, "monolingual/mrr") == {"xquad_r": Figure(Setting.MONOLINGUAL, "mrr")}
    with pytest.raises(StudyError, match="did you mean 'monolingual/mrr'"):
        leading_figures(found, "monolingual/mr")


def test_trials_measured_on_other_questions_are_refused(synthetic_study: Study, tmp_path: Path) -> None:
    folder = shutil.copytree(synthetic_study.folder, tmp_path / "study")
    path = layout.positions_file(layout.trial_folder(str(folder), 3), "xquad_r")
    files.write_table(path, files.read_table(path).slice(11))
    changed = read_study(str(folder))
    with pytest.raises(StudyError, match="trials 2 and 3 were not measured on the same questions of xquad_r"):
        compare(changed, choose_pairs(changed), "xquad_r")


def with_revision(folder: str, number: int, kind: str, revision: str) -> None:
    """Let a trial have read other content of its benchmark, its corpora or its validation benchmark."""
    path = files.join(layout.trial_folder(folder, number), layout.RESULT)
    result = files.read_json(path)
    if kind == "validation":
        result["validation_revision"] = revision
    elif kind == "benchmark":
        result["benchmarks"]["xquad_r"]["revision"] = revision
    elif kind == "backbone":
        result["backbone"]["content"] = revision
    else:
        names = [corpus["name"] for corpus in result["config"]["corpora"]]
        result["corpora"] = [{"name": name, "revision": revision, "rows": 8} for name in names]
    files.write_json(path, result)


@pytest.mark.parametrize("kind", ["benchmark", "corpus", "validation", "backbone"])
def test_a_study_whose_data_or_backbone_was_changed_between_its_trials_is_refused(
    synthetic_study: Study, tmp_path: Path, kind: str
) -> None:
    folder = str(shutil.copytree(synthetic_study.folder, tmp_path / "study"))
    for number, revision in ((0, "abcabcabcabc"), (3, "feedfeedfeed"), (4, "feedfeedfeed")):
        with_revision(folder, number, kind, revision)
    named = "benchmark" if kind == "validation" else kind
    with pytest.raises(StudyError, match=rf"{named} '\S+' was changed between its .*feedfeedfeed in trials 3, 4"):
        read_study(folder)


def test_a_folder_without_a_study_and_a_study_without_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"has no study\.json"):
        read_study(str(tmp_path))
    files.write_json(str(tmp_path / layout.STUDY), {"name": "empty", "search_space": {}})
    with pytest.raises(StudyError, match="no finished trial"):
        read_study(str(tmp_path))


def test_a_study_whose_trials_all_failed_says_so_with_the_first_reason(tmp_path: Path) -> None:
    files.write_json(str(tmp_path / layout.STUDY), {"name": "ล้มเหลว", "search_space": {}})
    for number, which in ((0, "the only trial that has ended has"), (1, "all 2 trials that have ended have")):
        failed = FailedTrial(number=number, config=TrialConfig(), failed=f"corpus 'ข้อมูล' has no row {number}")
        trial = layout.trial_folder(str(tmp_path), number)
        files.write_json(files.join(trial, layout.RESULT), failed.model_dump(mode="json"))
        with pytest.raises(StudyError, match=f"as {which} failed: trial 0: corpus 'ข้อมูล' has no row 0; remove"):
            read_study(str(tmp_path))


def test_what_averages_over_a_language_with_one_question_is_not_tested_and_says_so(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", questions=30, backbones=[XLMR], examples=False)
    for result in read_study(folder).results:
        file = layout.positions_file(layout.trial_folder(folder, result.number), "xquad_r")
        table = files.read_table(file)
        asked, languages = table["query_id"].to_pylist(), table["query_language"].to_pylist()
        first = min(asked)
        kept = [la != "th" or query == first for query, la in zip(asked, languages, strict=True)]
        files.write_table(file, table.filter(pa.array(kept)))
    study = read_study(folder)
    comparisons = compare(study, choose_pairs(study), "xquad_r")
    assert not any(one.overall for one in comparisons)
    figure = Figure(Setting.MULTILINGUAL, "map")
    assert set(comparisons[0].by_language[figure]) == set(LANGUAGES) - {"th"}
    assert comparisons[0].untested[figure] == ("th",)
    (sentence,) = untested_sentences(comparisons)
    assert "all questions are about, in th nothing says how much others would change it" in sentence
    answer = headline_of(study)
    assert answer[0] == sentence


def test_several_trials_without_training_are_one_and_no_seeds(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", questions=30, backbones=[XLMR], seeds=3, alphas=[0.5], examples=False)
    for number in (1, 2):  # trial 0 is the only trained one left; the others are equal
        trial = layout.trial_folder(folder, number)
        result = files.read_json(f"{trial}/{layout.RESULT}")
        result["config"]["steps"] = 0
        files.write_json(f"{trial}/{layout.RESULT}", result)
    shutil.copy(
        layout.positions_file(layout.trial_folder(folder, 1), "xquad_r"),
        layout.positions_file(layout.trial_folder(folder, 2), "xquad_r"),
    )
    study = read_study(folder)
    (comparison,) = compare(study, choose_pairs(study, ["zero-shot"]), "xquad_r")
    found = comparison.overall[Figure(Setting.MULTILINGUAL, "map")]
    assert (found.method, found.freedom, is_judged(comparison.pair, found)) == (Method.QUESTIONS, 0, False)


def test_precision_left_to_the_machine_makes_two_settings_of_one(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", questions=20, backbones=[XLMR], examples=False)
    for number in (1, 3, 5, 7, 9):
        file = f"{layout.trial_folder(folder, number)}/{layout.RESULT}"
        result = files.read_json(file)
        result["backbone"]["precision"] = "bf16"
        result["versions"] = {"torch": "2.12.0"}
        files.write_json(file, result)
    study = read_study(folder)
    assert {len(group.results) for group in groups_of(study.results)} == {1}
    answer = " ".join(headline_of(study))
    assert "Trials ran in fp32 (trials 0, 2, 4, 6, 8) and bf16 (trials 1, 3, 5, 7, 9)" in answer


def test_trials_that_went_on_with_other_code_or_packages_are_told_with_the_step(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", questions=20, backbones=[XLMR], examples=False)
    held: dict[int, list[tuple[int, dict[str, str]]]] = {
        0: [(0, {"project": "12ab34cd"})],
        1: [(0, {"project": "12ab34cd", "torch": "2.12.0"}), (1200, {"project": "ff00ff00", "torch": "2.12.0"})],
        2: [(0, {"numpy": "2.3.0"}), (600, {"numpy": "2.4.0"})],
    }
    for number, versions in held.items():
        file = f"{layout.trial_folder(folder, number)}/{layout.RESULT}"
        result = files.read_json(file)
        result["training"]["versions"] = versions
        files.write_json(file, result)
    (told,) = [line for line in caveats(read_study(folder)) if "went on" in line]
    assert told.startswith("Some trials went on with another code of this project than they began with: ")
    assert told.endswith(": trial 1 with ff00ff00 in place of 12ab34cd after step 1,200.")


def about_documents(folder: str, numbers: set[int]) -> Study:
    """Let ten neighbouring questions be about one document in some trials; the others are of a version without."""
    for result in read_study(folder).results:
        file = layout.positions_file(layout.trial_folder(folder, result.number), "xquad_r")
        table = files.read_table(file).drop("document")
        asked = sorted(set(table["query_id"].to_pylist()))
        document_of = {question: f"article {place // 10}" for place, question in enumerate(asked)}
        if result.number in numbers:
            column = pa.array([document_of[question] for question in table["query_id"].to_pylist()])
            table = table.append_column("document", column)
        files.write_table(file, table)
    return read_study(folder)


def test_questions_about_one_document_are_counted_together_and_told(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", questions=60, backbones=[XLMR], seeds=2, examples=False)
    before = read_study(folder)
    alone = compare(before, choose_pairs(before), "xquad_r")[0]
    figure = Figure(Setting.MULTILINGUAL, "map")
    everywhere = about_documents(folder, set(range(100)))
    together = compare(everywhere, choose_pairs(everywhere), "xquad_r")[0]
    assert (alone.overall[figure].questions, alone.overall[figure].documents) == (60, 60)
    assert (together.overall[figure].questions, together.overall[figure].documents) == (60, 6)
    assert together.overall[figure].value == pytest.approx(alone.overall[figure].value)
    assert together.overall[figure].low != pytest.approx(alone.overall[figure].low)
    assert "over 2 shared seeds and 60 questions about 6 documents (" in sentence(together, figure)
    assert "60 questions about 6 documents" in " ".join(map(curve_sentence, read_curves(everywhere, "xquad_r")))
    assert not any("independent" in line for line in headline_of(everywhere))


def test_results_of_a_version_without_documents_say_that_questions_count_as_independent(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", questions=20, backbones=[XLMR], examples=False)
    assert not any("independent" in line for line in headline_of(read_study(folder)))
    (line,) = [line for line in headline_of(about_documents(folder, set())) if "independent" in line]
    assert line.startswith("On xquad_r every question counts as independent, as an older version did not record which")


@pytest.mark.parametrize("numbers", [{1}, {4, 5}, {6, 7}], ids=["in a pair", "in another", "in none"])
def test_in_a_study_that_was_extended_older_trials_learn_the_documents_from_newer_ones(
    numbers: set[int], tmp_path: Path
) -> None:
    alphas = (0, 0.25, 0.5, 0.75, 1)
    folder = write_study(tmp_path / "study", questions=60, alphas=alphas, backbones=[XLMR], seeds=2, examples=False)
    shutil.copytree(folder, tmp_path / "newer")
    newer, extended = about_documents(str(tmp_path / "newer"), set(range(100))), about_documents(folder, numbers)
    expected, found = (
        [each.overall for each in compare(study, choose_pairs(study), "xquad_r")] for study in (newer, extended)
    )
    assert found == expected
    assert {each[figure].documents for each in found for figure in each} == {6}
    assert not any("independent" in line for line in headline_of(extended))
