"""The dashboard as a process, in a real browser: all views through one port, and nothing left when it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from urllib.request import urlopen

import psutil
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element
from selenium.webdriver.support.ui import WebDriverWait
from tensorboardX import SummaryWriter

from study.analysis.study import Study
from study.results import files, layout
from tests.study.browser_log import log
from tests.study.live_study import copy_of


@pytest.fixture(scope="module")
def served(synthetic_study: Study, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, psutil.Process]]:
    """The dashboard as a process of its own: its address, and the process."""
    folder = copy_of(synthetic_study, tmp_path_factory.mktemp("served"))
    with SummaryWriter(files.join(folder, layout.TENSORBOARD, "0000")) as writer:
        writer.add_scalar("tag-of-the-loss", 0.5, 1)
    command = [sys.executable, "-u", "-m", "study.dashboard", folder, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().rpartition(": ")[2].strip()
        yield address, psutil.Process(process.pid)
        process.send_signal(signal.SIGKILL)


def test_every_trial_is_listed_sorted_and_stays_sorted_while_the_page_renews_itself(
    browser: webdriver.Chrome, served: tuple[str, psutil.Process]
) -> None:
    log(browser, "browser")  # forgets what came before
    browser.get(served[0])
    numbers = (
        "return [...document.querySelectorAll('#live tbody td:first-child')].map((cell) => Number(cell.innerText))"
    )
    assert browser.execute_script(numbers) == list(range(13))
    # In the page itself: the table may be renewed between any two commands of the driver.
    browser.execute_script("document.querySelector('#live th button').click()")
    assert browser.execute_script(numbers) == list(range(12, -1, -1))
    browser.execute_script("window.old = document.querySelector('#live table')")
    WebDriverWait(browser, 60).until(
        lambda one: one.execute_script("return document.querySelector('#live table') !== window.old")
    )
    assert browser.execute_script(numbers) == list(range(12, -1, -1))
    assert log(browser, "browser") == []


def test_every_view_opens_from_it_without_an_error(
    browser: webdriver.Chrome, served: tuple[str, psutil.Process]
) -> None:
    log(browser, "browser")  # forgets what came before
    body = (By.TAG_NAME, "body")
    signs = {
        "History": "Hyperparameter Importance",
        "Report": "Configuration and origins",
        "TensorBoard": "tag-of-the-loss",
    }
    for view, sign in signs.items():
        browser.get(served[0])
        browser.find_element(By.LINK_TEXT, view).click()
        WebDriverWait(browser, 120).until(text_to_be_present_in_element(body, sign))
        assert browser.current_url.startswith(served[0])  # one port: a tunnel to it shows all
    assert log(browser, "browser", level="SEVERE") == []


def test_optuna_dashboard_shows_no_button_that_would_be_refused(
    browser: webdriver.Chrome, served: tuple[str, psutil.Process]
) -> None:
    icons = {"AddBox", "DriveFileRenameOutline", "Delete", "StopCircle", "Edit"}  # create, rename, delete, fail, note
    hidden = set()
    for path, sign in (("dashboard", "study"), ("dashboard/studies/1/trials?numbers=12", "Trial 12 (trial_id=13)")):
        browser.get(served[0] + path)
        WebDriverWait(browser, 120).until(text_to_be_present_in_element((By.TAG_NAME, "body"), sign))
        for icon in icons:
            buttons = browser.find_elements(By.CSS_SELECTOR, f'button:has([data-testid="{icon}Icon"])')
            assert not any(button.is_displayed() for button in buttons), icon
            hidden |= {icon} if buttons else set()
    assert hidden == icons


@pytest.mark.parametrize("path", ["", "dashboard"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_optuna_dashboard_is_light_where_the_page_is_light_and_dark_where_it_is_dark(
    browser: webdriver.Chrome, served: tuple[str, psutil.Process], path: str, scheme: str
) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    browser.get(served[0] + path)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    WebDriverWait(browser, 60).until(lambda one: (min(one.execute_script(ground)) > 128) == (scheme == "light"))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_ctrl_c_ends_it_and_leaves_no_process_behind(served: tuple[str, psutil.Process]) -> None:
    address, process = served
    with urlopen(f"{address}tensorboard/") as answer:  # noqa: S310 - an address of ours
        assert answer.status == 200
    started = process.children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert psutil.wait_procs(started, timeout=60)[1] == []
