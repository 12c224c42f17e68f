"""What `study.run` prints at the end: trials ranked, hybrid beside its two ends, where all lies, what is next."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from study.analysis import leaderboard
from study.analysis.leaderboard import samplings_table, trials_table
from study.pages import page
from study.results import files, layout
from study.space.study_config import StudyConfig

FAILED = 3
"""The code for the shell of a study in which a trial failed for good: it diverged, or its values do not go together."""
UNFINISHED = 4
"""Of one that `--resume` goes on with."""


def show(config: StudyConfig, trials: Sequence[FrozenTrial], folder: str, console: Console, seconds: float) -> int:
    """Print the study's answer, and what became of trials without a result; return the code for the shell."""
    held = layout.finished(folder)
    console.print(f"\n{len(held)} of {config.search.trials} trials evaluated{_others(trials)} in {seconds:.0f} s\n")
    objective = config.objectives[0]
    if len(config.objectives) > 1:
        console.print(leaderboard.front_table(held, config.objectives))
        console.print()
        files.write_json(files.join(folder, leaderboard.FRONT), leaderboard.front_data(held, config.objectives))
    for benchmark in sorted({name for result in held for name in result.benchmarks}):
        console.print(trials_table(held, objective, benchmark))
        console.print()
        console.print(samplings_table(held, objective, benchmark))
        console.print()
    for trial in trials:
        if trial.state in {TrialState.FAIL, TrialState.RUNNING}:
            ended = "failed" if trial.state == TrialState.FAIL else "is unfinished"
            console.print(
                f"trial {trial.number} {ended}: {trial.user_attrs.get('error')}", soft_wrap=True, markup=False
            )
    if held:
        html, _ = page.write_report(folder)
        console.print(f"report: {html}", soft_wrap=True)
    console.print(f"everything lies in {folder}", soft_wrap=True)
    return exit_code(config, trials)


def exit_code(config: StudyConfig, trials: Sequence[FrozenTrial]) -> int:
    """Return what a script needs to know: 0 where every trial is complete or was stopped early."""
    states = {trial.state for trial in trials}
    if TrialState.RUNNING in states or len(trials) < config.search.trials:
        return UNFINISHED
    return FAILED if TrialState.FAIL in states else 0


def _others(trials: Sequence[FrozenTrial]) -> str:
    names = {TrialState.PRUNED: "stopped early", TrialState.FAIL: "failed", TrialState.RUNNING: "unfinished"}
    counts = {name: sum(trial.state == state for trial in trials) for state, name in names.items()}
    return "".join(f", {count} {name}" for name, count in counts.items() if count)
