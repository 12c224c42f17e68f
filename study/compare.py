"""Test whether differences between trials are more than noise: `python -m study.compare STUDY`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from study import cli
from study.analysis.comparison import compare, leading_figures
from study.analysis.pairs import choose_pairs
from study.analysis.study import read_study
from study.analysis.tables import escape_markdown, paragraphs
from study.analysis.verdict import as_data, differences_table, languages_table, sentence
from study.results import files

COMPARISON = "compare"


def main(
    study: Annotated[str, typer.Argument(help="The study's folder or URI.")],
    baseline: Annotated[
        list[str] | None,
        typer.Option(help="X-Y, X-X-mono, zero-shot, a trial's number or a backbone; the first three unless given."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="The score that the sentences compare, as setting/metric; multilingual/map unless given."),
    ] = None,
) -> None:
    """Compare groups of trials: differences, intervals and p-values, by setting and language."""
    with cli.refusals():
        _compare(study, baseline or [], metric, cli.console())


def _compare(folder: str, baselines: list[str], metric: str | None, console: Console) -> None:
    study = read_study(folder)
    pairs = choose_pairs(study, baselines)
    found = {benchmark: compare(study, pairs, benchmark) for benchmark in study.benchmarks}
    parts = [f"# {escape_markdown(study.name)}: differences between trials"]
    for benchmark, figure in leading_figures(found, metric).items():
        comparisons = [comparison for comparison in found[benchmark] if figure in comparison.overall]
        sentences = [sentence(comparison, figure) for comparison in comparisons]
        tables = [differences_table(comparison) for comparison in comparisons]
        tables += [languages_table(comparison, figure) for comparison in comparisons]
        console.print(Text(f"{benchmark}\n", style="bold"), *map(Text, sentences), sep="\n", soft_wrap=True)
        console.print(*(part for table in tables for part in ("", table)), "", sep="\n")
        parts += [f"## {escape_markdown(benchmark)}", "\n".join(f"- {escape_markdown(line)}" for line in sentences)]
        parts += [table.markdown() for table in tables]
    files.write_json(
        files.join(study.folder, f"{COMPARISON}.json"),
        [as_data(comparison) for comparisons in found.values() for comparison in comparisons],
    )
    files.write_text(files.join(study.folder, f"{COMPARISON}.md"), paragraphs(parts))
    console.print(f"written: {files.join(study.folder, COMPARISON)}.md and .json", soft_wrap=True)


if __name__ == "__main__":
    cli.program(main)()
