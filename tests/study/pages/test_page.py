"""The report's two forms: complete, self-contained, and deaf to what a data set's text says."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from study.analysis.study import Study, read_study
from study.pages import page
from study.pages.content import Content, read_content
from study.results import files, layout
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
