"""Download benchmarks and corpora and check them: `python -m study.fetch xquad_r tatoeba`.

`--check` also prints the contents of each benchmark.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from huggingface_hub import constants

from study import cli
from study.analysis.tables import Cell, Table
from tasks.contents import Contents, contents, same_texts, total
from tasks.data.cache import cache_folder
from tasks.plugins import (
    TaskError,
    benchmark_names,
    check_benchmark,
    check_corpus,
    corpus_names,
    load_benchmark,
    load_corpus,
    nearest,
    option_names,
)
from tasks.relevance import relevance


def main(
    names: Annotated[list[str], typer.Argument(help="Benchmarks or corpora, by the names of a search space.")],
    option: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE for all of them, as in YAML: 'languages=\\[th, zh]'.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Print the contents of each benchmark by language.")] = False,
    corpus: Annotated[bool, typer.Option("--corpus", help="The corpora of names that benchmarks have too.")] = False,
) -> None:
    """Download and check data; afterwards it is used without a network."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with cli.refusals():
        options, benchmarks = cli.key_values(option or []), () if corpus else benchmark_names()
        for name in names:
            _check(name, options, benchmarks)
        for name in names:
            if check and name in benchmarks:
                _print_contents(name, options)
            else:
                typer.echo(f"{name}: {_prepare(name, options, benchmarks)}")
    typer.echo(f"ready in {cache_folder()}; files of the hub are in {constants.HF_HUB_CACHE}")


def _check(name: str, options: dict[str, Any], benchmarks: Sequence[str]) -> None:
    """Check names and options before anything is downloaded."""
    if name in benchmarks:
        check_benchmark(name, options)
    elif name in corpus_names():
        check_corpus(name, options)
    else:
        known = sorted({*benchmarks, *corpus_names()})
        kinds = "benchmark or corpus" if benchmarks else "corpus"
        raise TaskError(f"there is no {kinds} '{name}': {nearest(name, known)}")


def _prepare(name: str, options: dict[str, Any], benchmarks: Sequence[str]) -> str:
    """Load once, which downloads and checks; return what was loaded."""
    if name in benchmarks:
        benchmark = load_benchmark(name, options)
        relevance(benchmark)
        queries, passages = sum(map(len, benchmark.queries.values())), sum(len(p.passages) for p in benchmark.pools)
        return f"{queries:,} queries, {passages:,} passages, revision {benchmark.revision}"
    corpus = load_corpus(name, options)
    left_out = "".join(f", {count:,} more are {reason}" for reason, count in corpus.left_out.items())
    return f"{len(corpus):,} rows in {', '.join(corpus.languages)}{left_out}, revision {corpus.revision}"


def _print_contents(name: str, options: dict[str, Any]) -> None:
    """Print a table of a benchmark's contents, even if the benchmark could not be measured as it is."""
    count = {"missing": "count"} if "missing" in option_names(name) else {}
    benchmark = load_benchmark(name, count | options)
    rows = contents(benchmark)
    cells = tuple(
        (Cell(language or "unknown"), *(Cell(f"{count:,}") for count in counts))
        for language, *counts in (*rows, total(rows))
    )
    title = f"{name}: revision {benchmark.revision}, splits: {', '.join(benchmark.splits) or 'none'}"
    console = cli.console()
    console.print(Table(title, Contents._fields, cells, frozenset({"language"})))
    cli.say(console, f"settings: {', '.join(benchmark.settings)}")
    cli.say(console, *(f"{key}: {value}" for key, value in benchmark.details.items()))
    if same := ", ".join(f"{language or 'unknown'} {count:,}" for language, count in same_texts(benchmark).items()):
        cli.say(
            console,
            f"passages with the text of an earlier one: {same}; these tie, and count as wrong unless they are judged "
            "relevant (in data of your own, merge them under one id)",
        )


if __name__ == "__main__":
    cli.program(main)()
