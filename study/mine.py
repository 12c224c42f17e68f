"""Mine hard negatives from a model's own ranking: `python -m study.mine MODEL CORPUS` writes a corpus to train on.

python -m study.mine my-study-0003 '{name: mmarco, languages: [ar, de]}' --negatives 7
torchrun --nproc-per-node 8 -m study.mine my-study-0003 train.jsonl    (8 processes, one GPU each)
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from study import cli, torchrun
from study.config import TrialConfig
from study.config_sections import BenchmarkConfig, CorpusConfig
from study.corpora import HELD_OUT, load_for_training
from study.model.pooling_and_prompts import content_of, lines, resolve
from study.results import provenance
from study.results.trial_result import BackboneRecord
from study.space.strict_yaml import checked, read_value
from tasks.plugins import TaskError, check_corpus, load_benchmark
from tasks.schema import Corpus, Setting

if TYPE_CHECKING:
    from study.retrieval.mined_file import Summary
    from study.retrieval.mining import Rule

POOLS = (Setting.MONOLINGUAL, Setting.MULTILINGUAL)
BLOCK = 4096
"""Rows, and passages per process, in memory at a time."""


def main(
    model: Annotated[str, typer.Argument(help="A backbone as in a search space: built in, a folder, or a hub id.")],
    corpus: Annotated[str, typer.Argument(help="As in a search space, or a file for parallel_jsonl.")],
    output: Annotated[Path | None, typer.Option(help="A file; <corpus>-negatives.jsonl by default.")] = None,
    negatives: Annotated[int, typer.Option(min=1, help="Negatives per row and language.")] = 4,
    share: Annotated[
        float, typer.Option(min=0, help="Drop passages that score above this fraction of the positive's score.")
    ] = 0.95,
    pool: Annotated[Setting, typer.Option(help="Search the query's language, or all.")] = Setting.MONOLINGUAL,
) -> None:
    """Mine hard negatives for a training corpus from its own passages, in place of any that it has."""
    console = cli.console()
    with cli.refusals():
        is_first = torchrun.is_first()
        chosen, config = _corpus(corpus), cli.trial_config({"backbone": model})
        file = cli.output_file(output or f"{_name(chosen)}-negatives.jsonl", "--output")
        if file.exists():
            raise TaskError(f"{file} exists: choose another --output, or remove it")
        if not math.isfinite(share):
            raise TaskError(f"--share {share} is refused: write a fraction, such as 0.95")
        if pool not in POOLS:
            raise TaskError(f"--pool {pool} is refused: allowed are {' and '.join(POOLS)}")
        from study.retrieval.mining import Rule  # imports torch, which takes seconds

        rule = Rule(negatives=negatives, share=share, multilingual=pool is Setting.MULTILINGUAL)
        loaded = _training_rows(chosen)
        if is_first:
            cli.say(console, *lines(model, resolve(config).describe()))  # mining may take hours: assumptions come first
            for reason, count in loaded.left_out.items():
                cli.say(console, f"{count:,} rows are {reason}: left out of the output and of the negatives")
        summary = _mine(config, chosen, loaded, rule, file)
    if is_first:
        cli.say(console, *_report(summary))
        console.print(Text(f"written: {file}, and what it was made with beside it"), soft_wrap=True)


def _corpus(text: str) -> CorpusConfig:
    value = {"name": "parallel_jsonl", "path": text} if text.endswith(".jsonl") else read_value(text)
    config = checked(CorpusConfig, {"name": value} if isinstance(value, str) else value, "CORPUS")
    check_corpus(config.name, config.options)
    return config


def _training_rows(corpus: CorpusConfig) -> Corpus:
    """Return the rows that a trial would be trained on which is validated on the held-out ones of the same corpus."""
    source = {"name": corpus.name, "held_out": corpus.held_out, **corpus.options}
    validation = BenchmarkConfig(name=HELD_OUT, options={"corpus": source})
    return load_for_training(
        corpus, validation, load_benchmark(HELD_OUT, validation.options) if corpus.held_out else None
    )


def _name(corpus: CorpusConfig) -> str:
    return Path(corpus.options["path"]).stem if corpus.name == "parallel_jsonl" else corpus.name


def _mine(config: TrialConfig, source: CorpusConfig, corpus: Corpus, rule: Rule, file: Path) -> Summary:
    from study import distributed
    from study.model.backbone import load_encoder, used_precision
    from study.retrieval.encode import Encoding
    from study.retrieval.measurement import code_and_model
    from study.retrieval.mined_file import claimed, write, write_record
    from study.retrieval.mining import Miner
    from study.same_everywhere import check_same_everywhere, check_same_precision

    with torchrun.process_group() as device:
        content = content_of(config)
        # Each process encodes its share of one list of passages.
        check_same_everywhere({**code_and_model(config, content), f"corpus '{corpus.name}'": corpus.revision})
        precision = used_precision(config.precision, device)
        check_same_precision(precision)
        encoder = load_encoder(config, device)
        miner = Miner(encoder, corpus, rule, Encoding(token_budget=config.micro_batch_tokens, block_size=BLOCK))
        file.parent.mkdir(parents=True, exist_ok=True)
        with claimed(file) as out, tempfile.TemporaryDirectory(dir=file.parent, prefix=".mining-") as scratch:
            miner.prepare(Path(scratch))
            summary = write(miner, corpus, out)
        if distributed.rank() == 0:
            backbone = BackboneRecord(**resolve(config).describe(), content=content, precision=precision)
            made_with = {
                "backbone": {"name": config.backbone, **backbone.model_dump(mode="json")},
                "corpus": {**source.model_dump(mode="json"), "revision": corpus.revision, "rows": len(corpus)},
                "rule": asdict(rule),
                "summary": asdict(summary),
                "versions": provenance.versions(),
                "processes": distributed.world_size(),
            }
            write_record(file, made_with)
        return summary


def _report(summary: Summary) -> Iterator[str]:
    random, dropped = summary.random / summary.negatives, summary.too_close / summary.negatives
    yield f"{summary.rows:,} rows with {summary.negatives:,} negatives"
    if summary.replaced:
        yield f"they replace {summary.replaced:,} negatives that the corpus has, which are not in the file"
    yield f"drawn at random, because too few candidates were left: {random:.1%} of the negatives"
    if summary.above:
        yield (
            f"{summary.above:,} of these score above the share of the positive's score, as too few passages score "
            "below it: they may be answers; ask for fewer with --negatives, or raise --share"
        )
    yield f"dropped as too close to the positive: {dropped:.2f} candidates per negative"
    if summary.copies:
        more = summary.copies - len(summary.first_copies)
        shown = ", ".join(summary.first_copies) + (f" and {more:,} more" if more else "")
        yield f"{summary.copies:,} rows are copies of earlier ones and left out: {shown}"


if __name__ == "__main__":
    cli.Interruption().install()  # so that a process that torchrun or a cluster ends leaves no unfinished file
    cli.program(main)()
