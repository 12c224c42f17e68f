"""The report in a real browser: it draws, sorts, answers the keyboard, asks the network for nothing, runs no text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from study.analysis.study import Study
from study.pages.page import write_report
from study.results import files, layout
from tests.study.browser_log import log

ATTACK = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


@pytest.fixture(scope="module")
def address(synthetic_study: Study, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report with hostile texts in it: nothing below may notice."""
    folder = shutil.copytree(synthetic_study.folder, tmp_path_factory.mktemp("reported") / "study")
    for number in range(12):
        trial = layout.trial_folder(str(folder), number)
        examples = files.read_json(files.join(trial, "examples.json"))
        for query in examples["xquad_r"]:
            query["query"] += ATTACK
            query["retrieved"][0]["text"] = ATTACK
        files.write_json(files.join(trial, "examples.json"), examples)
        result = files.read_json(files.join(trial, layout.RESULT))
        result["config"]["backbone"] += ATTACK * (number >= 6)
        files.write_json(files.join(trial, layout.RESULT), result)
    html, _ = write_report(str(folder))
    return Path(html).as_uri()


@pytest.fixture
def opened(browser: webdriver.Chrome, address: str) -> webdriver.Chrome:
    browser.get(address)
    return browser


def leaderboard(browser: webdriver.Chrome) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, "#xquad_r-trials table")


def column(table: WebElement, heading: str) -> list[str]:
    headings = [one.text for one in table.find_elements(By.CSS_SELECTOR, "thead th")]
    place = next(place for place, one in enumerate(headings, 1) if one.split() == heading.split())
    return [cell.text for cell in table.find_elements(By.CSS_SELECTOR, f"tbody td:nth-child({place})")]


def heat(browser: webdriver.Chrome) -> list[str]:
    return [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, ".heat td")]


def choose(browser: webdriver.Chrome, part: str, value: str) -> None:
    Select(browser.find_element(By.CSS_SELECTOR, f"[data-part={part}]")).select_by_value(value)


def see(browser: webdriver.Chrome, chart: WebElement) -> None:
    """Scroll to a chart and wait until it is drawn."""
    browser.execute_script("arguments[0].scrollIntoView()", chart)
    WebDriverWait(chart, 30).until(lambda one: one.find_elements(By.CSS_SELECTOR, "svg path"))


def test_every_trial_is_on_the_page(opened: webdriver.Chrome) -> None:
    assert sorted(map(int, column(leaderboard(opened), "trial"))) == list(range(12))


def test_a_heading_sorts_by_keyboard_too(opened: webdriver.Chrome) -> None:
    table = leaderboard(opened)
    heading = next(b for b in table.find_elements(By.TAG_NAME, "button") if b.text.split() == ["mono", "mAP"])
    heading.send_keys(Keys.ENTER)
    assert column(table, "mono mAP") == sorted(column(table, "mono mAP"), reverse=True)
    heading.send_keys(Keys.SPACE)
    assert column(table, "mono mAP") == sorted(column(table, "mono mAP"))
    assert heading.find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending"


def test_the_heat_map_shows_another_trial_and_the_difference_of_two(
    opened: webdriver.Chrome, synthetic_study: Study
) -> None:
    choose(opened, "trial", "3")
    shown = heat(opened)
    measured = [result.benchmarks["xquad_r"].by_pair["ar-de"]["map"] for result in synthetic_study.results]
    pair = measured[3]
    assert len(shown) == 121
    assert shown[1] == f"{pair:.2f}".removeprefix("0")
    choose(opened, "minus", "8")
    gap = pair - measured[8]
    assert heat(opened)[1] == f"{gap:+.2f}".replace("0.", ".").replace("-", "−")


def test_every_chart_is_drawn_where_it_is_seen(opened: webdriver.Chrome) -> None:
    charts = [one for one in opened.find_elements(By.CSS_SELECTOR, ".chart") if one.is_displayed()]
    assert len(charts) >= 10
    for chart in charts:
        see(opened, chart)


def test_another_metric_draws_another_chart(opened: webdriver.Chrome) -> None:
    Select(opened.find_element(By.CSS_SELECTOR, "[data-panels='xquad_r-alpha']")).select_by_value("mrr")
    shown = [
        panel.get_attribute("data-panel")
        for panel in opened.find_elements(By.CSS_SELECTOR, "[data-panel^='xquad_r-alpha=']")
        if panel.is_displayed()
    ]
    assert shown == ["xquad_r-alpha=mrr"]


def test_arabic_runs_from_right_to_left(opened: webdriver.Chrome) -> None:
    text = opened.find_element(By.CSS_SELECTOR, "summary [lang=ar]")
    assert opened.execute_script("return getComputedStyle(arguments[0]).direction", text) == "rtl"


@pytest.fixture
def phone(browser: webdriver.Chrome, address: str) -> Iterator[webdriver.Chrome]:
    """The report on a screen of 390 pixels."""
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(address)
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def ends(browser: webdriver.Chrome, elements: list[WebElement]) -> list[float]:
    """Return the right ends of elements on the screen, in pixels."""
    places: list[float] = browser.execute_script(
        "return arguments[0].map((one) => one.getBoundingClientRect().right)", elements
    )
    return places


def test_a_phone_needs_no_scrolling_sideways_and_shows_every_entry_of_the_navigation(phone: webdriver.Chrome) -> None:
    see(phone, phone.find_element(By.CSS_SELECTOR, ".chart"))
    assert phone.execute_script("return document.documentElement.scrollWidth") <= 390
    entries = phone.find_elements(By.CSS_SELECTOR, "nav a")
    assert len(entries) == 9
    assert all(entry.is_displayed() for entry in entries)
    assert max(ends(phone, entries)) <= 390


def test_a_phone_shows_the_figures_of_a_trial_and_says_that_there_is_more(phone: webdriver.Chrome) -> None:
    table = leaderboard(phone)
    first, *cells = table.find_elements(By.CSS_SELECTOR, "tbody tr:first-child td")
    assert max(ends(phone, cells[:4])) <= 390  # the objective, and mAP in three settings
    assert [cell.text for cell in cells[:4]] == [f"{float(cell.text):.3f}" for cell in cells[:4]]
    box = table.find_element(By.XPATH, "..")
    assert "more" in str(box.get_attribute("class"))
    hint = "return getComputedStyle(arguments[0].querySelector('figcaption'), '::after').content"
    assert "more columns" in phone.execute_script(hint, box.find_element(By.XPATH, ".."))
    before = ends(phone, [first])
    phone.execute_script("arguments[0].scrollLeft = arguments[0].scrollWidth", box)
    WebDriverWait(phone, 30).until(lambda _: "more" not in str(box.get_attribute("class")).split())
    assert ends(phone, [first]) == before
    assert ends(phone, cells[-1:])[0] <= 390


def shown(table: WebElement) -> list[int]:
    """Return the numbers of the trials whose rows are shown."""
    rows = table.find_elements(By.CSS_SELECTOR, "tbody td:first-child")
    return sorted(int(cell.text) for cell in rows if cell.is_displayed())


def test_words_and_settings_choose_the_rows_that_are_shown(opened: webdriver.Chrome) -> None:
    field = opened.find_element(By.CSS_SELECTOR, "[data-filter='xquad_r-trials']")
    field.send_keys("HYBRID seed=1")
    assert shown(leaderboard(opened)) == [3, 9]
    assert opened.find_element(By.CSS_SELECTOR, "#xquad_r-trials output").text == "2 of 12"
    field.clear()
    field.send_keys("alpha=0.5 nothing")
    assert shown(leaderboard(opened)) == []


def test_chosen_trials_stand_side_by_side_with_their_differences(
    opened: webdriver.Chrome, synthetic_study: Study
) -> None:
    table = opened.find_element(By.CSS_SELECTOR, ".side-by-side")
    for number in (3, 8):
        opened.find_element(By.CSS_SELECTOR, f"[aria-label='compare trial {number}']").send_keys(Keys.SPACE)
        assert table.is_displayed() == (number == 8)
    rows = {row.find_element(By.TAG_NAME, "th").text: row for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")}
    first, second = (synthetic_study.results[number].metrics["xquad_r/multilingual/map"] for number in (3, 8))
    cells = [cell.text.split() for cell in rows["multilingual mAP"].find_elements(By.TAG_NAME, "td")]
    assert cells == [[f"{first:.3f}"], [f"{second:.3f}", f"{second - first:+.3f}".replace("-", "−")]]
    assert "alpha" not in rows  # both have 0.5
    assert "seed" in rows


def test_the_number_of_a_trial_opens_its_details(opened: webdriver.Chrome) -> None:
    leaderboard(opened).find_element(By.LINK_TEXT, "3").send_keys(Keys.ENTER)
    detail = opened.find_element(By.ID, "trial-3")
    assert detail.get_property("open")
    assert detail.find_element(By.TAG_NAME, "table").is_displayed()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_in_light_and_dark(opened: webdriver.Chrome, scheme: str) -> None:
    """WCAG 2: a contrast of 4.5 or more, body and secondary text."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    colors = opened.execute_script(
        "const of = (s, p) => getComputedStyle(document.querySelector(s))[p];"
        "return [of('body', 'backgroundColor'), of('body', 'color'), of('.lead', 'color'), of('summary', 'color')]"
    )
    ground, *texts = (_luminance(color) for color in colors)
    for text in texts:
        assert (max(ground, text) + 0.05) / (min(ground, text) + 0.05) >= 4.5


def test_nothing_goes_wrong_nothing_is_fetched_and_no_text_runs(browser: webdriver.Chrome, address: str) -> None:
    log(browser, "browser")
    log(browser, "performance")
    browser.get(address)
    see(browser, browser.find_element(By.CSS_SELECTOR, ".chart"))
    assert log(browser, "browser") == []
    asked = [message for message in log(browser, "performance") if "requestWillBeSent" in message]
    assert asked
    assert all('"url":"file:' in message or '"url":"data:' in message for message in asked)
    assert browser.title == "study: report"
    assert "document.title='taken'" in browser.find_element(By.CSS_SELECTOR, ".examples").text


def _luminance(color: str) -> float:
    """Return the relative luminance of `rgb(r, g, b)`."""
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
