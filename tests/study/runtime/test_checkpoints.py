"""Facts about going on from checkpoints, some of which are damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray.train
import torch

from study import distributed
from study.config import Precision, TrialConfig
from study.results import layout, provenance
from study.results.trial_result import FailedTrial
from study.runtime import checkpoints, trial
from study.training import checkpoint
from study.training.loop import Training
from tasks.plugins import TaskError, load_benchmark
from tests.process_group import RunInGroup
from tests.study.training.test_loop import flat, training
from tests.toy_corpus import ToyCorpus

EVERY, STEPS = 2, 6
SCORES = {2: 0.5, 4: 0.9, 6: 0.7}


def run(held: Training, folder: Path) -> torch.Tensor:
    """Train to the end, leaving a checkpoint after every validation; return all weights and moments."""
    for report in held.run():
        if report.due_validation:
            step = held.progress.step
            held.validated(SCORES[step], {"validation/loss": 1 - SCORES[step]})
            place = folder / layout.checkpoint_name(str(folder), step)
            place.mkdir()
            checkpoint.save(place, held.encoder, held.optimizer, held.progress)
    return flat(held)


def fresh() -> Training:
    return training(steps=STEPS, validation={"every": EVERY})


def cut_short(folder: Path, *steps: int) -> None:
    for step in steps:
        file = folder / f"step-{step:08d}" / checkpoint.WEIGHTS
        file.write_bytes(file.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damaged", "goes_on_from"),
    [((), 6), ((6,), 4), ((6, 4), 2), ((4,), 2), ((2, 4, 6), 0), ((2, 4), 0)],
    ids=["none", "the last", "the last two", "the best", "all", "all that led to the best"],
)
def test_a_trial_goes_on_from_the_newest_checkpoint_that_leads_to_the_end_and_ends_alike(
    damaged: tuple[int, ...], goes_on_from: int, tmp_path: Path
) -> None:
    whole = run(fresh(), tmp_path)
    cut_short(tmp_path, *damaged)
    again = fresh()
    checkpoints.restore(again, str(tmp_path))
    assert again.progress.step == goes_on_from
    assert torch.equal(run(again, tmp_path), whole)
    checkpoints.restore_best(again, str(tmp_path))
    best = fresh()
    checkpoint.restore_weights(tmp_path / layout.checkpoints(str(tmp_path), 4)[0], best.encoder)
    for one, other in zip(again.encoder.parameters(), best.encoder.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_an_upload_cut_short_left_is_removed_and_what_train_lists_is_left_to_train(tmp_path: Path) -> None:
    run(fresh(), tmp_path)
    cut_short(tmp_path, 4, 6)
    snapshot = tmp_path / layout.TRAIN_SNAPSHOT
    snapshot.write_text(json.dumps({"checkpoint_results": [{"checkpoint_dir_name": "step-00000004"}]}), "utf-8")
    checkpoints.restore(fresh(), str(tmp_path))
    assert layout.checkpoints(str(tmp_path)) == ["step-00000004", "step-00000002"]


def test_nothing_is_removed_while_the_list_of_train_cannot_be_read(tmp_path: Path) -> None:
    run(fresh(), tmp_path)
    cut_short(tmp_path, 6)
    (tmp_path / layout.TRAIN_SNAPSHOT).write_text('{"checkpoint_results": [{"checkp', "utf-8")
    again = fresh()
    checkpoints.restore(again, str(tmp_path))
    assert again.progress.step == 4
    assert len(layout.checkpoints(str(tmp_path))) == 3


def test_a_best_checkpoint_damaged_while_training_goes_on_is_said_by_name(tmp_path: Path) -> None:
    held = fresh()
    run(held, tmp_path)
    cut_short(tmp_path, 4)
    with pytest.raises(checkpoint.CheckpointError, match="step-00000004"):
        checkpoints.restore_best(held, str(tmp_path))


def test_a_new_checkpoint_never_takes_the_folder_of_an_unreadable_one(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        names.append(layout.checkpoint_name(str(tmp_path), 4))
        (tmp_path / names[-1]).mkdir()
    assert names == ["step-00000004", "step-00000004.1", "step-00000004.2"]
    assert layout.checkpoints(str(tmp_path), 4) == names[::-1]


@pytest.mark.parametrize(("recorded_step", "expected"), [(0, [2, 4, 6]), (2, [4, 6]), (6, [])])
def test_scores_that_may_not_be_on_record_are_reported_again(
    recorded_step: int, expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = fresh()
    run(held, tmp_path)
    reports: list[dict[str, Any]] = []
    monkeypatch.setattr(ray.train, "report", reports.append)
    checkpoints.report_again(held, recorded_step)
    assert [report["step"] for report in reports] == expected
    assert [report["validation/loss"] for report in reports] == [1 - SCORES[step] for step in expected]
    assert [report["training_ended"] for report in reports] == [step == STEPS for step in expected]


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("", False),
        ('{"checkpoint_results": [{"checkpoint_dir', False),
        (json.dumps({"checkpoint_results": [{"checkpoint_dir_name": "step-00000002"}]}), False),
        (json.dumps({"checkpoint_results": []}), True),
    ],
    ids=["empty", "cut short", "of a checkpoint that is gone", "whole"],
)
def test_a_list_of_checkpoints_that_train_would_refuse_is_removed(content: str, kept: bool, tmp_path: Path) -> None:
    snapshot = tmp_path / layout.TRAIN_SNAPSHOT
    snapshot.write_text(content, "utf-8")
    trial._forget_broken_snapshot(str(tmp_path))
    assert snapshot.exists() == kept


@pytest.mark.parametrize(("damaged", "told"), [((), [2, 4, 6]), ((6,), [2, 4]), ((2, 4, 6), [])])
def test_a_failed_trial_tells_what_its_newest_whole_checkpoint_knows(
    damaged: tuple[int, ...], told: list[int], tmp_path: Path
) -> None:
    run(fresh(), tmp_path)
    for step in damaged:
        file = tmp_path / f"step-{step:08d}" / layout.PROGRESS
        file.write_bytes(file.read_bytes()[:20])
    history = layout.history(str(tmp_path), FailedTrial(number=0, config=TrialConfig(), failed="its data went away"))
    assert [report["step"] for report in history if "validation/loss" in report] == told


def test_a_trial_remembers_the_versions_it_began_with_where_it_goes_on_with_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resumed(torch_version: str) -> Training:
        monkeypatch.setattr(provenance, "versions", lambda: {"torch": torch_version})
        held = fresh()
        corpora = [ToyCorpus.parallel(40, ("ar", "th", "zh"))]
        checkpoints.note_data(held, corpora, load_benchmark("factbook", {}), None, "fp32")
        checkpoints.restore(held, str(tmp_path))
        return held

    run(resumed("2.12.0"), tmp_path)
    assert resumed("2.12.0").progress.versions == ((0, {"torch": "2.12.0"}),)
    cut_short(tmp_path, 6)
    run(resumed("2.13.0"), tmp_path)
    assert resumed("2.13.0").progress.versions == ((0, {"torch": "2.12.0"}), (4, {"torch": "2.13.0"}))


def test_a_checkpoint_of_an_earlier_version_that_kept_no_versions_is_continued(tmp_path: Path) -> None:
    run(fresh(), tmp_path)
    for name in layout.checkpoints(str(tmp_path)):
        file = tmp_path / name / layout.PROGRESS
        file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != "versions"}))
    held = fresh()
    held.progress = replace(held.progress, versions=((0, {"torch": "2.13.0"}),))
    checkpoints.restore(held, str(tmp_path))
    assert (held.progress.step, held.progress.versions) == (6, ((6, {"torch": "2.13.0"}),))


def _restored_step(folder: str, hidden_from_rank: int) -> int:
    """Restore where one rank does not see the newest checkpoint, as over NFS for a minute; return the step."""
    held = fresh()
    if distributed.rank() == hidden_from_rank:
        listed = layout.checkpoints
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(layout, "checkpoints", lambda folder, step=None: listed(folder, step)[step is None :])
            checkpoints.restore(held, folder)
    else:
        checkpoints.restore(held, folder)
    return held.progress.step


def test_all_ranks_go_on_from_the_checkpoint_of_rank_0(tmp_path: Path, run_in_group: RunInGroup) -> None:
    run(fresh(), tmp_path)
    assert run_in_group(2, _restored_step, str(tmp_path), 1) == [6, 6]
    assert run_in_group(2, _restored_step, str(tmp_path), 0) == [4, 4]


def _restore_unreadable(folder: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if distributed.rank() == 1:
            patch.setattr(checkpoints, "_try", lambda *_: "[Errno 5] Input/output error")
        checkpoints.restore(fresh(), folder)


def test_a_checkpoint_that_one_rank_cannot_read_ends_the_attempt(tmp_path: Path, run_in_group: RunInGroup) -> None:
    run(fresh(), tmp_path)
    with pytest.raises(RuntimeError, match=r"some ranks can read .*step-00000006 and others, \[1\], cannot"):
        run_in_group(2, _restore_unreadable, str(tmp_path))


def test_memory_that_runs_out_while_a_checkpoint_is_loaded_ends_the_attempt_and_training_does_not_begin_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(fresh(), tmp_path)
    again = fresh()

    def full(_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(again.optimizer, "load_state_dict", full)
    with pytest.raises(torch.OutOfMemoryError):
        checkpoints.restore(again, str(tmp_path))
    assert len(layout.checkpoints(str(tmp_path))) == 3


def test_a_trial_does_not_go_on_in_another_precision_or_with_other_prompts(tmp_path: Path) -> None:
    validation = load_benchmark("factbook", {})

    def noted(precision: Precision, prompt: str = "") -> Training:
        held = fresh()
        held.encoder.forms["query"] = held.encoder.forms["query"]._replace(prefix=prompt)
        checkpoints.note_data(held, [ToyCorpus.parallel(40, ("ar", "th", "zh"))], validation, None, precision)
        return held

    run(noted("bf16"), tmp_path)
    checkpoints.restore(noted("bf16"), str(tmp_path))
    with pytest.raises(TaskError, match="had precision bf16 up to step 6 and would go on with fp32: resume"):
        checkpoints.restore(noted("fp32"), str(tmp_path))
    with pytest.raises(TaskError, match=r"had prompts .* up to step 6 and would go on with .*Query: .*: resume"):
        checkpoints.restore(noted("bf16", "Query: "), str(tmp_path))
