"""Facts about what a study says at its end, for its user and for scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState, create_trial
from rich.console import Console

from study.analysis import leaderboard
from study.results import files
from study.runtime import exit_status, summary
from study.space.selection import DEFAULT_OBJECTIVE
from study.space.study_config import parse
from tests.study.trial_results import trial_result

ENDED, PRUNED, FAILED, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING


def config(**keys: Any) -> Any:
    space = {"alpha": {"type": "float", "low": 0, "high": 1}}
    return parse({"search": {"sampler": "random", "trials": 3, "space": space}, **keys}, "toy")


def trials(*states: TrialState) -> list[Any]:
    made = []
    for number, state in enumerate(states):
        reason = {FAILED: {"error": "the loss is NaN"}, RUNNING: {"error": "[Errno 5] I/O error"}}.get(state, {})
        trial = create_trial(state=state, value=1.0 if state == ENDED else None, user_attrs=reason)
        trial.number = number
        made.append(trial)
    return made


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((ENDED, ENDED, PRUNED), 0),
        ((ENDED, FAILED, PRUNED), exit_status.FAILED),
        ((ENDED, FAILED, RUNNING), exit_status.UNFINISHED),
        ((ENDED, ENDED), exit_status.UNFINISHED),
    ],
)
def test_the_exit_code_tells_scripts_whether_trials_failed_or_are_left(
    states: tuple[TrialState, ...], code: int
) -> None:
    assert summary.exit_code(config(), trials(*states)) == code


def shown(folder: Path, states: tuple[TrialState, ...], seconds: float | None = 12.3, **keys: Any) -> str:
    console = Console(width=160, highlight=False)
    with console.capture() as captured:
        summary.show(config(**keys), trials(*states), str(folder), console, seconds)
    return captured.get()


def test_a_study_that_had_ended_before_says_so(tmp_path: Path) -> None:
    assert "0 of 3 trials evaluated, 1 stopped early; nothing was left to run" in shown(tmp_path, (PRUNED,), None)


def test_trials_that_have_no_result_are_counted_and_named_with_their_reasons(tmp_path: Path) -> None:
    text = shown(tmp_path, (PRUNED, FAILED, RUNNING))
    assert "0 of 3 trials evaluated, 1 stopped early, 1 failed, 1 unfinished; this run took 12 s" in text
    assert "trial 1 failed: the loss is NaN\n" in text
    assert "trial 2 is unfinished: [Errno 5] I/O error\n" in text


def test_several_objectives_end_in_a_pareto_front_shown_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = ["validation/monolingual/map", "validation/multilingual/rank_distance"]
    held = [
        trial_result(number, dict(zip(objective, values, strict=True)))
        for number, values in enumerate([(0.5, 90.0), (0.6, 95.0), (0.4, 92.0)])
    ]
    monkeypatch.setattr("study.results.layout.finished", lambda _: held)
    monkeypatch.setattr("study.pages.page.write_report", lambda folder: (f"{folder}/report.html", ""))
    monkeypatch.setattr(summary, "read_study", lambda folder: folder)
    monkeypatch.setattr(summary, "headline_of", lambda study: [f"The answer of {study}."])
    text = shown(tmp_path, (ENDED, ENDED, ENDED), objective=objective)
    front_table = text[text.index("Pareto front") :]
    assert [line.split()[:2] for line in front_table.splitlines()[3:6]] == [["1", "●"], ["0", "●"], ["2", "0.400"]]
    assert f"- The answer of {tmp_path}.\n" in text
    front = files.read_json(str(tmp_path / leaderboard.FRONT))["front"]
    assert [trial["number"] for trial in front] == [0, 1]


def test_the_answer_is_printed_before_the_report_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.results.layout.finished", lambda _: [trial_result(0, {DEFAULT_OBJECTIVE: 0.5})])
    monkeypatch.setattr("study.pages.page.write_report", lambda _: 1 / 0)
    monkeypatch.setattr(summary, "read_study", lambda folder: folder)
    monkeypatch.setattr(summary, "headline_of", lambda _: ["คำตอบ"])
    console = Console(width=160, highlight=False)
    with console.capture() as captured, pytest.raises(ZeroDivisionError):
        summary.show(config(), trials(ENDED), str(tmp_path), console, None)
    assert "- คำตอบ\n" in captured.get()


def test_a_trial_that_the_record_calls_complete_and_that_has_no_result_is_said_and_no_success(tmp_path: Path) -> None:
    console = Console(width=160, highlight=False)
    with console.capture() as captured:
        code = summary.show(config(), trials(ENDED, PRUNED, PRUNED), str(tmp_path), console, None)
    assert code == exit_status.FAILED
    assert "trial 0 has ended, and its folder has no result: put the folder back" in captured.get()
