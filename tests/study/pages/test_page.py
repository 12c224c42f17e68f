"""The report's two forms: complete, self-contained, and deaf to what a data set's text says."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from study import cli, compare
from study.analysis.formats import metric_name, setting_name
from study.analysis.leaderboard import SHORT
from study.analysis.study import Study, read_study
from study.analysis.tables import escape_markdown
from study.pages import page
from study.pages.content import Content, read_content
from study.pages.model_card import model_card
from study.pages.trial_detail import read_detail
from study.results import files, layout
from tasks.schema import Setting
from tests.study.synthetic_study import BACKBONES, OBJECTIVE, benchmark, write_study
from tests.study.trial_results import changed

ATTACK = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">ข้อความ"


class Outline(HTMLParser):
    """What a browser would run or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        held = dict(attrs)
        if tag == "script":
            self.scripts.append(held.get("type") or "javascript")
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]
        assert not [name for name, _ in attrs if name.startswith("on")], attrs


@pytest.fixture(scope="module")
def content(synthetic_study: Study) -> Content:
    return read_content(synthetic_study)


@pytest.fixture(scope="module")
def html(content: Content) -> str:
    return page.html(content)


def outline(html: str) -> Outline:
    read = Outline()
    read.feed(html)
    return read


def attacked(study: Study, folder: Path) -> Study:
    """Return a copy of a study in which every text a data set or a user could bring is hostile."""
    copied = str(shutil.copytree(study.folder, folder / "study"))
    for number in range(12):
        trial = layout.trial_folder(copied, number)
        examples = files.read_json(files.join(trial, "examples.json"))
        for query in examples["xquad_r"]:
            query["query"] = query["retrieved"][0]["text"] = query["retrieved"][1]["language"] = ATTACK
        files.write_json(files.join(trial, "examples.json"), examples)
        result = files.read_json(files.join(trial, layout.RESULT))
        result["config"]["backbone"] = ATTACK + result["config"]["backbone"]
        result["benchmarks"]["xquad_r"]["details"] |= {ATTACK: ATTACK}
        result["versions"][ATTACK] = ATTACK
        files.write_json(files.join(trial, layout.RESULT), result)
    return read_study(copied)


def test_the_page_needs_nothing_but_itself_and_stays_below_5_megabytes(html: str) -> None:
    read = outline(html)
    assert len(html.encode()) < 5_000_000
    assert all(address.startswith("#") for address in read.addresses)
    assert not read.tags & {"link", "iframe", "img", "object", "embed", "form", "base"}
    assert not re.search(r"@import|url\(", html[html.index("<style>") : html.index("</style>")])


def test_no_scripts_run_but_those_that_the_policy_names(html: str) -> None:
    running = [kind for kind in outline(html).scripts if kind != "application/json"]
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert len(running) == 4
    assert policy.count("'sha256-") == 4
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


def test_every_trial_is_in_the_page_and_in_the_markdown(html: str, content: Content) -> None:
    markdown = page.markdown(content)
    for label in content.trials.values():
        assert html.count(f">{label}<") >= 2  # to choose for the heat map, and to take away from another
    (trials,) = re.findall(r"\*\*Trials, best first.*?\n\n(?=\*\*)", markdown, re.DOTALL)
    assert {int(number) for number in re.findall(r"^\| \**(\d+)\** \|", trials, re.MULTILINE)} == set(range(12))


def test_the_figures_of_a_trial_come_before_its_settings_and_what_all_share_is_in_the_title(content: Content) -> None:
    first, *headings = content.benchmarks[0].leaderboard.headings
    assert first == "trial"
    assert headings[:4] == ["mean over seeds", "validation multi mAP", "mono mAP", "cross mAP"]
    assert headings[-4:] == ["backbone", "batches", "alpha", "seed"]
    assert content.benchmarks[0].leaderboard.title.endswith("; all have temperature 0.05")


def test_every_link_leads_to_a_place_on_the_page(html: str, content: Content) -> None:
    addresses = {address.removeprefix("#") for address in outline(html).addresses}
    assert addresses <= set(re.findall(r' id="([^"]+)"', html))
    assert {detail.anchor for detail in content.details} <= addresses
    assert {"term-x-x-mono", "term-alpha", "term-monolingual"} <= addresses


def test_the_details_of_a_trial_hold_its_settings_its_training_and_all_its_scores(
    content: Content, synthetic_study: Study
) -> None:
    detail = next(detail for detail in content.details if detail.number == 3)
    assert {name: detail.facts[name] for name in ("alpha", "seed", "steps")} == {
        "alpha": "0.5",
        "seed": "1",
        "steps": "400",
    }
    scores = {score.text: value.value for score, value in detail.scores["xquad_r"].rows}
    measured = synthetic_study.results[3].benchmarks["xquad_r"].metrics
    assert len(scores) == len(measured)
    assert scores["multilingual mAP"] == measured["xquad_r/multilingual/map"]
    assert scores["multilingual rank distance ↓"] == measured["xquad_r/multilingual/rank_distance"]


def test_the_details_of_a_model_that_was_not_trained_hold_no_settings_of_training(synthetic_study: Study) -> None:
    untrained = changed(synthetic_study.results[3], steps=0)
    differing = ["backbone", "alpha", "temperature", "learning_rate", "steps"]
    facts = read_detail(untrained, "#3", synthetic_study.objective, differing).facts
    assert {"backbone", "steps"} <= facts.keys()
    assert not {"alpha", "temperature", "learning_rate"} & facts.keys()


def test_sentences_figures_and_published_numbers_are_in_both(html: str, content: Content) -> None:
    (benchmark,) = content.benchmarks
    markdown = page.markdown(content)
    assert [verdict.badge for verdict in benchmark.verdicts][4:] == ["best", "best"], "all settings may be on the front"
    for verdict in benchmark.verdicts:
        assert verdict.text in html
        assert verdict.text.replace("[", "\\[").replace("]", "\\]") in markdown
    assert len(benchmark.published) == 2
    assert benchmark.published[0].markdown() in markdown


def test_unseen_languages_are_marked_in_both(html: str, content: Content) -> None:
    assert "Vietnamese (vi)†" in html
    assert "Vietnamese (vi)†" in page.markdown(content)


def test_texts_have_their_language_and_direction(html: str) -> None:
    assert re.search(r'<span lang="ar" dir="auto">[^<]*[\u0600-\u06ff]', html)
    assert re.search(r'<span class="text" lang="zh" dir="auto">[^<]*[\u4e00-\u9fff]', html)


def test_a_script_in_a_text_is_text(html: str, synthetic_study: Study, tmp_path: Path) -> None:
    hostile = read_content(attacked(synthetic_study, tmp_path))
    taken, honest = outline(page.html(hostile)), outline(html)
    assert (taken.scripts, taken.tags) == (honest.scripts, honest.tags)
    assert "<script" not in page.markdown(hostile).replace("\\<script", "")


def test_without_examples_and_history_the_page_stands_without_them(synthetic_study: Study, tmp_path: Path) -> None:
    copied = str(shutil.copytree(synthetic_study.folder, tmp_path / "study"))
    for number in range(12):
        trial = Path(layout.trial_folder(copied, number))
        (trial / "examples.json").unlink()
        result = files.read_json(str(trial / layout.RESULT))
        del result["training"]["history"], result["training_languages"]
        files.write_json(str(trial / layout.RESULT), result)
    content = read_content(read_study(copied))
    html = page.html(content)
    assert "Retrieved passages" not in html
    assert "Learning curves" not in html
    assert not content.benchmarks[0].unseen


def test_a_study_of_one_trial_has_a_report(synthetic_study: Study) -> None:
    alone = Study(synthetic_study.folder, synthetic_study.record, synthetic_study.results[:1])
    html = page.html(read_content(alone))
    assert "sentence-transformers" not in html
    assert "Hybrid batches against" not in html


def test_a_trial_without_training_has_no_settings_of_training(synthetic_study: Study) -> None:
    first, *others = synthetic_study.results
    study = replace(synthetic_study, results=(changed(first, steps=0), *others))
    table = read_content(study).settings
    alpha, steps = table.headings.index("alpha"), table.headings.index("steps")
    rows = {cells[0].text: cells for cells in table.rows}
    assert (rows["0"][alpha].text, rows["0"][steps].text) == ("–", "0")
    assert rows["1"][alpha].text == "0.0"


OTHERS = [("tatoeba", (Setting.CROSSLINGUAL,), "accuracy"), ("xquad_r", tuple(Setting), "recall@5")]


@pytest.mark.parametrize(("name", "settings", "metric"), OTHERS)
def test_a_benchmark_that_measures_none_of_the_usual_metrics_is_reported_by_its_own(
    tmp_path: Path, name: str, settings: tuple[Setting, ...], metric: str
) -> None:
    data = benchmark(20, 10, name=name, settings=settings, metrics=(metric,))
    folder = write_study(tmp_path / "study", alphas=(0, 0.5, 1), backbones=BACKBONES[:1], examples=False, data=data)
    _, markdown = page.write_report(folder)
    content = read_content(read_study(folder))
    (shown,) = content.benchmarks
    assert {f"{SHORT[setting]} {metric_name(metric)}" for setting in settings} <= set(shown.leaderboard.headings)
    assert list(shown.charts_by_metric("alpha")) == [metric]
    assert list(shown.charts_by_metric("tradeoff")) == ([metric] if len(settings) > 1 else [])
    assert shown.heat_maps is not None
    assert list(shown.heat_maps["metrics"]) == [metric]
    first = f"{setting_name(settings[0])} {metric_name(metric)}"
    tested = [table for table in shown.differences if table.headings[0] == "score"]
    assert tested
    assert all(first in {score.text for score, *_ in table.rows} for table in tested)
    assert f"xlm-roberta-base, {first} of {name}: hybrid (alpha 0.5) is " in content.headline[0]
    assert escape_markdown(f"{first} of {name}: ") in Path(markdown).read_text("utf-8")


def test_a_result_of_an_older_version_whose_accuracy_has_no_setting_is_reported_without_that_figure(
    tmp_path: Path,
) -> None:
    data = benchmark(20, 10, name="tatoeba", settings=(Setting.CROSSLINGUAL,), metrics=("accuracy",))
    folder = write_study(tmp_path / "study", alphas=(0, 0.5, 1), backbones=BACKBONES[:1], data=data)
    for result in read_study(folder).results:
        file = files.join(layout.trial_folder(folder, result.number), layout.RESULT)
        files.write_text(file, files.read_bytes(file).decode().replace("tatoeba/crosslingual/", "tatoeba/"))
    study = read_study(folder)
    assert "tatoeba/accuracy" in study.results[0].metrics
    page.write_report(folder)
    (shown,) = read_content(study).benchmarks
    assert (shown.heat, shown.heat_maps, shown.charts["forest"]) == (None, None, [])
    assert CliRunner().invoke(cli.program(compare.main), [folder]).exit_code == 0
    assert "## Results" in model_card(study.results[0], "x")


def test_hybrid_batches_stand_beside_the_papers_at_its_alpha_though_another_one_is_best(
    synthetic_study: Study,
) -> None:
    results = tuple(
        changed(result, alpha=0.3).model_copy(update={"metrics": {**result.metrics, OBJECTIVE: 0.99}})
        if result.config.alpha == 1
        else result
        for result in synthetic_study.results
    )
    (shown,) = read_content(replace(synthetic_study, results=results)).benchmarks
    assert len(shown.published) == 2
    for table in (*shown.published, *shown.published_languages):
        assert [heading for heading in table.headings if "ours" in heading] == ["X-Y ours", "hybrid (alpha 0.5) ours"]


def test_facts_about_a_benchmark_are_those_that_all_trials_share(synthetic_study: Study) -> None:
    first, *others = synthetic_study.results
    measured = first.benchmarks["xquad_r"]
    details = {**measured.details, "transductive": "th"}
    otherwise = {"xquad_r": measured.model_copy(update={"details": details})}
    study = replace(synthetic_study, results=(first.model_copy(update={"benchmarks": otherwise}), *others))
    (shown,) = read_content(study).benchmarks
    assert shown.facts["context"] == "sentence"
    assert shown.facts["transductive"] == "not the same for all trials"


def test_learning_curves_say_what_selects_the_checkpoint(html: str, synthetic_study: Study) -> None:
    assert "the objective on the development set, which selects the checkpoint." in html
    validation = synthetic_study.results[0].config.validation.model_copy(update={"metric": "loss"})
    results = tuple(changed(result, validation=validation) for result in synthetic_study.results)
    shown = page.html(read_content(replace(synthetic_study, results=results)))
    assert "the objective on the development set; checkpoints are selected by validation loss." in shown
