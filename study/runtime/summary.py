"""The results that `study.run` prints at its end, and its exit status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.text import Text

from study import cli
from study.analysis import leaderboard
from study.analysis.headline import headline_of
from study.analysis.leaderboard import samplings_table, trials_table
from study.analysis.study import read_study
from study.pages import page
from study.results import files, layout
from study.runtime.exit_status import FAILED, UNFINISHED
from study.space.study_config import StudyConfig


def show(
    config: StudyConfig, trials: Sequence[FrozenTrial], folder: str, console: Console, seconds: float | None
) -> int:
    """Print the results and why trials have none, write the report; return the exit status.

    Args:
        config: the study.
        trials: its record.
        folder: its folder.
        console: where to print.
        seconds: how long this run took; None if every trial had ended before.
    """
    results = layout.finished(folder)
    several, seeds = len(config.objectives) > 1, config.search.seeds
    if several:  # files first: printing can fail
        files.write_json(files.join(folder, leaderboard.FRONT), leaderboard.front_data(results, config.objectives))
    evaluated = f"{len(results)} of {max(len(trials), config.search.trials)} trials evaluated{_others(trials)}"
    took = "nothing was left to run" if seconds is None else f"this run took {seconds:.0f} s"
    console.print(f"\n{evaluated}; {took}\n")
    if several:
        console.print(leaderboard.front_table(results, config.objectives, seeds), "", sep="\n")
    for benchmark in sorted({name for result in results for name in result.benchmarks}):
        console.print(trials_table(results, config.objectives[0], benchmark, seeds), "", sep="\n")
        console.print(samplings_table(results, config.objectives[0], benchmark, seeds), "", sep="\n")
    lost = _lost(trials, folder)
    cli.say(console, *_without_result(trials, lost))
    if results:
        cli.say_list(console, headline_of(read_study(folder)))
        report = page.write_report(folder)[0]  # may take minutes, so after the answer
        console.print(Text(f"report: {report}"), soft_wrap=True)
    console.print(Text(f"all files: {folder}"), soft_wrap=True)
    return exit_code(config, trials) or (FAILED if lost else 0)


def _without_result(trials: Sequence[FrozenTrial], lost: Sequence[int]) -> Iterator[str]:
    """Yield why trials have no result, but for those that were stopped early."""
    for trial in trials:
        if trial.state in {TrialState.FAIL, TrialState.RUNNING}:
            ended = "failed" if trial.state == TrialState.FAIL else "is unfinished"
            yield f"trial {trial.number} {ended}: {trial.user_attrs.get('error')}"
    for number in lost:
        yield (
            f"trial {number} has ended, and its folder has no result: put the folder back, or run a new study, as "
            "--resume does not repeat trials that have ended"
        )


def _lost(trials: Sequence[FrozenTrial], folder: str) -> list[int]:
    """Return the numbers of trials that the record calls complete and that have no result."""
    complete = {trial.number for trial in trials if trial.state == TrialState.COMPLETE}
    return sorted(complete - set(layout.result_times(folder)))


def exit_code(config: StudyConfig, trials: Sequence[FrozenTrial]) -> int:
    """Return the exit status: 0 if every trial is complete or was stopped early."""
    states = {trial.state for trial in trials}
    if TrialState.RUNNING in states or len(trials) < config.search.trials:
        return UNFINISHED
    return FAILED if TrialState.FAIL in states else 0


def _others(trials: Sequence[FrozenTrial]) -> str:
    names = {TrialState.PRUNED: "stopped early", TrialState.FAIL: "failed", TrialState.RUNNING: "unfinished"}
    counts = {name: sum(trial.state == state for trial in trials) for state, name in names.items()}
    return "".join(f", {count} {name}" for name, count in counts.items() if count)
