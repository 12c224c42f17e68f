"""The dashboard's answers: what it shows of a study that runs, and that it only reads."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from study.analysis.study import Study
from study.analysis.study import read_study as analysis_read_study
from study.pages import dashboard
from study.pages.dashboard import Site
from study.pages.live import open_study, read_live
from study.results import files, layout
from study.results.layout import StudyError
from tests.study.live_study import copy_of, record, trial

ATTACK = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


@pytest.fixture
def kept(synthetic_study: Study, tmp_path: Path) -> str:
    return copy_of(synthetic_study, tmp_path)


def asked(folder: str, path: str, *, open_to_all: bool = False, **environ: str) -> tuple[str, str]:
    """Return status and body of one request to a dashboard of its own."""
    study, held = open_study(folder)
    return answer(Site(folder, study, held, open_to_all=open_to_all), path, **environ)


def answer(site: Site, path: str, **environ: str) -> tuple[str, str]:
    """Return status and body of one request."""
    status: list[str] = []
    request: dict[str, Any] = {"HTTP_HOST": "127.0.0.1:8080", "PATH_INFO": path, **environ}
    setup_testing_defaults(request)
    body = site(request, lambda code, *_: status.append(code))  # type: ignore[arg-type]  # no writer
    return status[0], b"".join(body).decode()


def test_a_running_study_is_shown_as_its_record_stands(kept: str) -> None:
    study, _ = open_study(kept)
    live = read_live(study, kept)
    assert live.running
    assert live.facts["trials begun"] == "13"
    assert (live.facts["done"], live.facts["running"]) == ("12", "1")
    running = live.trials.rows[12]
    assert [running[place].text for place in range(4)] == ["12", "running", "200/400", "0.125"]


def test_a_study_that_was_killed_is_not_shown_as_running(kept: str) -> None:
    study, _ = open_study(kept)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    owner = Path(kept, "driver.json")
    owner.write_text(json.dumps({"process": ended.pid, "host": socket.gethostname()}), "utf-8")
    live = read_live(study, kept)
    assert not live.running
    assert live.facts["unfinished"] == "1"
    assert live.trials.rows[12][1].text == "unfinished"
    for driver in ({"process": os.getpid(), "host": socket.gethostname()}, {"process": ended.pid, "host": "elsewhere"}):
        owner.write_text(json.dumps(driver), "utf-8")
        assert read_live(study, kept).running


def test_what_the_study_writes_is_seen_at_once_and_the_study_is_never_kept_waiting(
    synthetic_study: Study, tmp_path: Path
) -> None:
    folder = str(shutil.copytree(synthetic_study.folder, tmp_path / "study"))
    writer = record(folder, synthetic_study)
    reader, _ = open_study(folder)
    assert len(reader.get_trials()) == 13
    writer.tell(12, 0.75)
    assert not read_live(reader, folder).running
    writer.add_trial(trial(TrialState.FAIL, synthetic_study.results[0].config.model_dump(mode="json"), 0.1, "diverged"))
    live = read_live(reader, folder)
    assert [row[1].text for row in live.trials.rows[12:]] == ["done", "failed"]
    assert live.trials.rows[13][-1].text == "diverged"


def test_the_record_is_opened_so_that_it_cannot_be_written(kept: str) -> None:
    study, _ = open_study(kept)
    with pytest.raises((OperationalError, optuna.exceptions.StorageInternalError)):
        study.set_user_attr("x", 1)
    before = Path(kept, layout.RECORD).read_bytes()
    for path in ("/", "/live", "/report", "/dashboard", "/api/studies", "/api/studies/1"):
        assert asked(kept, path)[0].startswith("200"), path
    assert Path(kept, layout.RECORD).read_bytes() == before


@pytest.mark.parametrize("path", ["/api/studies/1", "/tensorboard/", "/tensorboard/data/runs"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_reading_requests_are_let_through(kept: str, method: str, path: str) -> None:
    status, _ = asked(kept, path, REQUEST_METHOD=method)
    assert status.startswith("405")


def test_a_study_in_which_no_trial_runs_is_not_called_running(kept: str) -> None:
    assert "no trial is running" not in asked(kept, "/")[1]
    optuna.load_study(storage=f"sqlite:///{kept}/{layout.RECORD}", study_name="study").tell(12, 0.75)
    _, page = asked(kept, "/")
    assert "no trial is running" in page
    assert not re.search(
        r"\blive\b", re.sub(r"<(script|style)>.*?</\1>|<[^>]*>", "", page, flags=re.DOTALL), re.IGNORECASE
    )


def test_the_report_is_built_once_for_requests_at_the_same_time_and_again_after_a_trial_or_an_extension(
    kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds: list[int] = []
    together = threading.Barrier(4)

    def read_study(folder: str) -> Study:
        builds.append(len(builds))
        return analysis_read_study(folder)

    def visit(_: int) -> str:
        together.wait()
        return answer(site, "/report")[1]

    monkeypatch.setattr(dashboard, "read_study", read_study)
    study, held = open_study(kept)
    site = Site(kept, study, held, open_to_all=False)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(visit, range(4)))) == 1
    assert len(builds) == 1
    another = layout.read_result(layout.trial_folder(kept, 11))
    assert another is not None
    shutil.copytree(layout.trial_folder(kept, 11), layout.trial_folder(kept, 12))
    layout.write_result(layout.trial_folder(kept, 12), another.model_copy(update={"number": 12}))
    assert ">12<" in answer(site, "/report")[1]
    assert len(builds) == 2
    record = layout.read_study(kept)
    search = {**record.search_space.get("search", {}), "trials": 99}
    extended = record.model_copy(update={"search_space": {**record.search_space, "search": search}})
    layout.write_study(kept, extended)
    answer(site, "/report")
    assert len(builds) == 3


def test_another_name_for_this_machine_is_answered_only_where_all_were_let_in(kept: str) -> None:
    assert asked(kept, "/", HTTP_HOST="evil.example:8080")[0].startswith("403")
    assert asked(kept, "/", HTTP_HOST="gpu-box:8080", open_to_all=True)[0].startswith("200")
    assert asked(kept, "/", HTTP_HOST="localhost:8080")[0].startswith("200")


def test_the_page_leads_to_every_other_view(kept: str) -> None:
    _, page = asked(kept, "/")
    for address in ("/report", "/dashboard/studies/1", "/tensorboard/", "/tensorboard/#hparams"):
        assert f'href="{address}"' in page
    assert "not running now" in page  # Ray's: the study is over


def test_before_a_trial_has_finished_the_report_says_so(kept: str) -> None:
    shutil.rmtree(Path(kept, layout.TRIALS))
    status, page = asked(kept, "/report")
    assert status.startswith("200")
    assert "has no finished trial yet" in page


def test_texts_of_a_study_are_escaped(kept: str) -> None:
    study = optuna.load_study(storage=f"sqlite:///{kept}/{layout.RECORD}", study_name="study")
    config = study.trials[0].user_attrs["trial"] | {"backbone": ATTACK}
    study.add_trial(trial(TrialState.FAIL, config, 0.1, ATTACK))
    for path in ("/", "/live"):
        assert "<script>document" not in asked(kept, path)[1]
        assert "&lt;script&gt;document" in asked(kept, path)[1]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: Path(folder, layout.STUDY).unlink(), r"has no study\.json"),
        (lambda folder: Path(folder, layout.RECORD).unlink(), "cannot be read at sqlite"),
    ],
)
def test_a_folder_that_holds_no_study_is_refused_in_one_sentence(kept: str, prepare: Any, message: str) -> None:
    prepare(kept)
    with pytest.raises(StudyError, match=message) as refused:
        open_study(kept)
    assert len(str(refused.value).splitlines()) == 1


def test_a_study_whose_folder_was_renamed_opens(kept: str) -> None:
    renamed = str(Path(kept).rename(Path(kept).with_name("ชื่อใหม่ 2")))
    study, _ = open_study(renamed)
    assert len(study.get_trials()) == 13


def test_a_password_in_a_storage_s_address_is_not_shown(kept: str) -> None:
    path = files.join(kept, layout.STUDY)
    description = files.read_json(path)
    description["search_space"]["storage"] = "postgresql://reader:hidden@127.0.0.1/x"
    files.write_json(path, description)
    with pytest.raises(StudyError) as refused:
        open_study(kept)
    assert "hidden" not in str(refused.value)
