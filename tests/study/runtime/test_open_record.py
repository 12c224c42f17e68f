"""Whose record a study opens, and how one that was lost is made anew from the folders of the trials."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from study.results import layout
from study.results.layout import RecordError
from study.results.study_record import StudyRecord
from study.results.trial_result import TrialSettings
from study.runtime.messages import Assignment
from study.runtime.open_record import open_record
from study.runtime.record import Record
from study.runtime.searcher import StudySearcher
from study.space.strict_yaml import SpaceError
from study.space.study_config import StudyConfig
from tests.study.toy_study import SEARCHES, SPACE, study_of, table


def write_study(config: StudyConfig, record: Record, folder: Path) -> None:
    """Write a study's folder as a run does, with the settings of every trial that was begun."""
    folder.mkdir(parents=True, exist_ok=True)
    written = StudyRecord(
        name=config.name, search_space=config.source, objectives=config.objectives, id=record.identity
    )
    layout.write_study(str(folder), written)
    searcher = StudySearcher(config, record)
    for number in range(searcher.remaining):
        suggested: Any = searcher.suggest(str(number))
        assignment = Assignment.from_dict(suggested)
        place = layout.trial_folder(str(folder), assignment.number)
        layout.write_settings(place, TrialSettings(config=assignment.trial, params=assignment.params))


@pytest.mark.parametrize("search", SEARCHES)
def test_a_lost_record_is_made_anew_with_every_trial_that_has_a_folder(search: str, tmp_path: Path) -> None:
    config, folder = study_of(search), tmp_path / "first"
    record = open_record(config, f"sqlite:///{tmp_path}/head.db", str(folder))
    write_study(config, record, folder)
    again = open_record(config, f"sqlite:///{tmp_path}/new_head.db", str(folder))
    assert len(again.trials()) == config.search.trials
    assert table(again.trials()) == table(record.trials())
    assert {trial.state for trial in again.trials()} == {TrialState.RUNNING}
    assert [trial.distributions for trial in again.trials()] == [trial.distributions for trial in record.trials()]
    assert again.identity == record.identity


def test_a_record_from_a_backup_gets_the_trials_that_it_lacks(tmp_path: Path) -> None:
    config, folder = study_of("random"), tmp_path / "first"
    record = open_record(config, f"sqlite:///{tmp_path}/head.db", str(folder))
    shutil.copy(tmp_path / "head.db", tmp_path / "backup.db")
    write_study(config, record, folder)
    assert table(open_record(config, f"sqlite:///{tmp_path}/backup.db", str(folder)).trials()) == table(record.trials())


def test_a_folder_of_another_search_space_is_not_taken_into_a_new_record(tmp_path: Path) -> None:
    config, folder = study_of("grid"), tmp_path / "first"
    write_study(config, open_record(config, f"sqlite:///{tmp_path}/head.db", str(folder)), folder)
    (folder / layout.STUDY).unlink()
    other = study_of("grid", trial={"steps": 50})
    with pytest.raises(RecordError, match="0000 is of a trial that this search space does not have: choose another"):
        open_record(other, f"sqlite:///{tmp_path}/new.db", str(folder))


def test_checkpoints_of_unknown_settings_are_not_continued(tmp_path: Path) -> None:
    (tmp_path / "first" / "trials" / "0000" / "step-00000010").mkdir(parents=True)
    with pytest.raises(RecordError, match="0000 has checkpoints, and nothing says with which settings they"):
        open_record(study_of("grid"), f"sqlite:///{tmp_path}/new.db", str(tmp_path / "first"))


def test_two_studies_of_one_name_do_not_share_the_trials_of_a_shared_storage(tmp_path: Path) -> None:
    config, url = study_of("grid"), f"sqlite:///{tmp_path}/shared.db"
    folder, other = tmp_path / "a" / "first", tmp_path / "b" / "first"
    write_study(config, open_record(config, url, str(folder)), folder)
    refused = f"the storage has a study 'first' with {config.search.trials} trials already, and they belong to another"
    with pytest.raises(RecordError, match=refused):
        open_record(config, url, str(other))
    shutil.copytree(folder, other)
    record = layout.read_study(str(other))
    layout.write_study(str(other), record.model_copy(update={"id": "of another study"}))
    with pytest.raises(RecordError, match=refused):
        open_record(config, url, str(other))
    assert len(open_record(config, url, str(folder)).trials()) == config.search.trials


def test_a_damaged_study_file_keeps_its_record(tmp_path: Path) -> None:
    config, url, folder = study_of("grid"), f"sqlite:///{tmp_path}/shared.db", tmp_path / "first"
    record = open_record(config, url, str(folder))
    write_study(config, record, folder)
    (folder / layout.STUDY).write_text("{", "utf-8")
    assert open_record(config, url, str(folder)).identity == record.identity


def test_a_search_space_whose_fields_change_places_is_refused_as_its_points_would(tmp_path: Path) -> None:
    """Old points 0 to 2 and new ones 3 to 5 would be other halves of the grid."""
    folder, url = tmp_path / "first", f"sqlite:///{tmp_path}/record.db"
    open_record(study_of("grid"), url, str(folder))
    turned = {"sampler": "grid", "space": {key: SPACE[key] for key in ("alpha", "backbone")}}
    with pytest.raises(SpaceError, match=r"'search.space' names alpha, backbone, and .* the order backbone, alpha"):
        open_record(study_of(turned), url, str(folder))
    first = {**SEARCHES["random"], "first": dict(reversed(SEARCHES["random"]["first"].items()))}
    open_record(study_of("random"), f"sqlite:///{tmp_path}/other.db", str(folder))
    with pytest.raises(SpaceError, match=r"'search.first' names alpha, backbone, and"):
        open_record(study_of(first), f"sqlite:///{tmp_path}/other.db", str(folder))


def test_another_search_space_is_refused_where_the_storage_has_lost_the_first(tmp_path: Path) -> None:
    config, folder = study_of("grid"), tmp_path / "first"
    write_study(config, open_record(config, f"sqlite:///{tmp_path}/head.db", str(folder)), folder)
    for _ in range(2):  # what was refused is not stored as the study's own
        with pytest.raises(SpaceError, match=r"'trial.steps' is 50 but the study 'first' was started with 40"):
            open_record(study_of("grid", trial={"steps": 50}), f"sqlite:///{tmp_path}/new.db", str(folder))
    open_record(config, f"sqlite:///{tmp_path}/new.db", str(folder))


def test_a_study_that_began_no_trial_does_not_take_those_of_another_of_its_name(tmp_path: Path) -> None:
    config, url = study_of("grid"), f"sqlite:///{tmp_path}/shared.db"
    first, second = tmp_path / "a" / "first", tmp_path / "b" / "first"
    record = open_record(config, url, str(first))
    written = StudyRecord(name="toy", search_space=config.source, objectives=config.objectives, id=record.identity)
    layout.write_study(str(first), written)  # stopped while Ray started
    write_study(config, open_record(config, url, str(second)), second)
    with pytest.raises(RecordError, match="they belong to another folder"):
        open_record(config, url, str(first))


def test_a_study_of_an_earlier_version_is_given_an_identity_once_however_it_was_stopped(tmp_path: Path) -> None:
    config, url, folder = study_of("grid"), f"sqlite:///{tmp_path}/shared.db", tmp_path / "first"
    record = open_record(config, url, str(folder))
    write_study(config, record, folder)
    layout.write_study(str(folder), layout.read_study(str(folder)).model_copy(update={"id": ""}))
    assert open_record(config, url, str(folder)).identity == record.identity
