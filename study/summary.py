"""What `study.run` prints at the end: trials ranked, hybrid beside its two ends, where all lies, what is next."""

from __future__ import annotations

import shlex

from rich.console import Console

from study import report, results
from study.analysis.leaderboard import samplings_table, trials_table
from study.search_space import StudyConfig


def show(config: StudyConfig, folder: str, console: Console, seconds: float) -> None:
    """Print the study's answer from its result files."""
    held = results.finished(folder)
    objective = config.objectives[0].metric
    console.print(f"\n{len(held)} of {config.search.trials} trials evaluated in {seconds:.0f} s\n")
    for benchmark in sorted({name for result in held for name in result["benchmarks"]}):
        console.print(trials_table(held, objective, benchmark))
        console.print()
        console.print(samplings_table(held, objective, benchmark))
        console.print()
    if held:
        page, _ = report.write(folder)
        console.print(f"report: {page}", soft_wrap=True)
    console.print(f"everything lies in {folder}", soft_wrap=True)
    console.print(f"next: python -m study.compare {shlex.quote(folder)}", soft_wrap=True)
