"""Test whether differences between trials are more than noise: `python -m study.compare STUDY`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from study import cli
from study.analysis.best_text import (
    best_tables,
    curve_data,
    curve_sentence,
    front_data,
    front_sentence,
)
from study.analysis.comparison import Comparison, Figure, compare, leading_figures
from study.analysis.curves import Curve, read_curves, read_fronts
from study.analysis.headline import headline
from study.analysis.pairs import choose_pairs
from study.analysis.study import read_study
from study.analysis.tables import Table, escape_markdown, markdown_list, paragraphs
from study.analysis.verdict import as_data, differences_table, languages_table, sentence, untested_sentences
from study.results import files, layout
from tasks.data.records import combined_digest

COMPARISON = "compare"


def file_name(asked: Sequence[str]) -> str:
    """Return the name of what is written, without its ending: another one for other questions, so that none is lost.

    Args:
        asked: the baselines and the metric, if they were chosen.
    """
    if not asked:
        return COMPARISON
    shown = re.sub(r"[^\w.]+", "-", "-".join(asked))[:60].strip("-.")
    alone = len(asked) == 1 and shown == asked[0]
    return f"{COMPARISON}-{shown}" if alone else f"{COMPARISON}-{shown}-{combined_digest(asked)}"


def main(
    study: Annotated[str, typer.Argument(help=cli.STUDY_HELP)],
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            help="A way to sample batches (X-Y), a trial's number or a backbone; every way but hybrid unless given."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="The score that the sentences compare, as setting/metric; the objective's unless given."),
    ] = None,
) -> None:
    """Compare groups of trials: differences, intervals and p-values, by setting and language."""
    with cli.refusals():
        _compare(cli.study_folder(study), baseline or [], metric, cli.console())


def _compare(folder: str, baselines: list[str], metric: str | None, console: Console) -> None:
    study = read_study(folder)
    layout.check_writable(study.folder)
    pairs = choose_pairs(study, baselines)
    by_benchmark = {benchmark: compare(study, pairs, benchmark) for benchmark in study.benchmarks}
    figures = leading_figures(by_benchmark, metric, objective=study.objective.metric)
    answer = headline(study, by_benchmark, figures)
    cli.say(console, Text(study.name, style="bold"))
    cli.say_list(console, answer)
    cli.say(console, "In brackets: 95 % intervals. docs/statistics.md says what is tested.")
    curves = {benchmark: read_curves(study, benchmark, figure) for benchmark, figure in figures.items()}
    fronts = {benchmark: read_fronts(study, benchmark) for benchmark in figures}
    parts = [f"# {escape_markdown(study.name)}: differences between trials", markdown_list(answer)]
    for benchmark, comparisons in by_benchmark.items():
        sentences = []
        if figure := figures.get(benchmark):
            sentences += [sentence(each, figure) for each in comparisons if figure in each.overall]
            sentences += [curve_sentence(curve) for curve in curves[benchmark] if curve.figure == figure]
            sentences += [front_sentence(front) for front in fronts[benchmark] if any(front.dominated.values())]
        sentences += untested_sentences(comparisons)
        if not sentences:
            continue
        cli.say(console, "", Text(benchmark, style="bold"))
        cli.say_list(console, sentences)
        parts += [f"## {escape_markdown(benchmark)}", markdown_list(sentences)]
    for benchmark, figure in figures.items():
        tables = list(_tables(by_benchmark[benchmark], curves[benchmark], figure))
        console.print(*(part for table in tables for part in ("", table)), sep="\n")
        parts += [f"## Tables: {escape_markdown(benchmark)}", *(table.markdown() for table in tables)]
    written = {
        "comparisons": [as_data(comparison) for comparisons in by_benchmark.values() for comparison in comparisons],
        "curves": [curve_data(curve) for benchmark in curves for curve in curves[benchmark]],
        "fronts": [front_data(front) for benchmark in fronts for front in fronts[benchmark]],
    }
    file = files.join(study.folder, file_name([*baselines, *([metric] if metric else [])]))
    with layout.writing(study.folder):
        files.write_json(f"{file}.json", written)
        files.write_text(f"{file}.md", paragraphs(parts))
    console.print(f"\nwritten: {file}.md and .json", soft_wrap=True)


def _tables(comparisons: Sequence[Comparison], curves: Sequence[Curve], figure: Figure) -> Iterator[Table]:
    """Yield the tables of one benchmark: where the best settings lie, then each pair, then languages."""
    yield from best_tables(curves, figure)
    yield from map(differences_table, comparisons)
    yield from (languages_table(comparison, figure) for comparison in comparisons if figure in comparison.overall)


if __name__ == "__main__":
    cli.program(main)()
