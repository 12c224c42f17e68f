"""What `study.run --dry-run` prints: what would run and what it takes, then the data, then one trial in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import yaml
from rich.console import Console
from rich.text import Text

from study import cli
from study.analysis.formats import setting
from study.analysis.tables import Cell, Table
from study.config import TrialConfig
from study.model.model_files import weight_bytes
from study.model.pooling_and_prompts import lines, resolve
from study.results import layout
from study.runtime.data_checks import without_copy
from study.runtime.preflight import Plan
from study.space.distributions import Categorical, Distribution
from study.space.selection import NoStopping
from study.space.study_config import StudyConfig
from study.training.sampler import corpus_shares
from tasks.schema import Benchmark


def show(plan: Plan, console: Console) -> None:
    """Print a plan."""
    config = plan.config
    cli.say(console, Text(f"search space {config.name}: {_trials(config)}", style="bold"))
    if config.search.space:
        console.print("", _searched(config), "", sep="\n")
    cli.say(console, *_size(plan))
    console.print()
    cli.say(console, *_data(plan))
    console.print(Text("\na trial in full", style="bold"))
    first = config.examples[0].model_dump(mode="json")
    console.print(Text(yaml.safe_dump(first, sort_keys=False, allow_unicode=True).rstrip()), soft_wrap=True)


def _questions(benchmark: Benchmark) -> str:
    """Return how many questions a benchmark has, what they are about as statistics count it, and their translations."""
    document_of = benchmark.document_of()
    different, documents = len(document_of), len(set(document_of.values()))
    about = f" about {documents:,} documents" if documents < different else ""
    translated = f", {benchmark.questions:,} with translations" if different < benchmark.questions else ""
    return f"{different:,} questions{about}{translated}"


def _trials(config: StudyConfig) -> str:
    search, goals = config.search, " and ".join(objective.metric for objective in config.objectives)
    each = f", {len(search.zero_shot)} of them zero-shot" if search.zero_shot else ""
    each += f", {search.seeds} seeds for each point" if search.seeds > 1 else ""
    stopping = "" if isinstance(config.scheduler, NoStopping) else f", stopped early by {config.scheduler.name}"
    return f"{search.trials} trials{each}, sampler {search.sampler}{stopping}; the best by {goals}"


def _searched(config: StudyConfig) -> Table:
    rows = tuple(
        (Cell(branch.name), Cell(_values(branch.distribution)))
        for branches in config.search.space
        for branch in branches
    )
    headings = ("setting", "values")
    return Table("what is searched", headings, rows, frozenset(headings))


def _values(distribution: Distribution) -> str:
    if isinstance(distribution, Categorical):
        return ", ".join(map(setting, distribution.choices))
    step = "" if distribution.step is None else f", in steps of {distribution.step:g}"
    return f"{distribution.low:g} to {distribution.high:g}{step}{', on a log scale' if distribution.log else ''}"


def _size(plan: Plan) -> Iterator[str]:
    """Yield what a trial takes, what runs side by side, and the limits."""
    trials, first, search = plan.config.examples, plan.config.examples[0], plan.config.search
    need = first.resources
    fit = "none fits" if plan.shortage else f"{plan.trials_at_once} at a time{plan.waiting}"
    takes = f"{need.workers} x ({need.cpus_per_worker:g} CPU, {need.gpus_per_worker:g} GPU)"
    yield f"a trial takes {takes}; {plan.supply}: {fit}"
    nodes = (*plan.supply.nodes, *plan.supply.grown)
    spare = min((node.cpus // node.gpus for node in nodes if node.gpus), default=0)
    if need.gpus_per_worker == 1 and need.cpus_per_worker < spare:
        yield (
            f"there are {spare:g} CPUs for each GPU, and a worker takes {need.cpus_per_worker:g}: a GPU often waits "
            f"for the tokenizer, which needs them; set resources.cpus_per_worker to {spare:g}"
        )
    if spare and not need.gpus_per_worker:
        yield "there are GPUs, and a trial takes none: set resources.gpus_per_worker to 1, or less for small models"
    if plan.shortage:
        yield f"the search space is good, but a run would be refused here: {plan.shortage}"
    steps = [trial.steps for trial in trials if trial.steps] or [0]
    most = max(steps) * (search.trials - len(search.zero_shot))
    yield f"steps: {_range(steps)} in a trial, at most {most:,} in all"
    dealt = f", {first.batch_size // need.workers} on each of {need.workers} workers" if need.workers > 1 else ""
    yield (
        f"negatives per query: {first.negatives_per_query} before masking ({first.batch_size} pairs per step{dealt}, "
        f"{first.hard_negatives} hard negatives per pair)"
    )
    queries, passages = (
        _range([getattr(trial, name) for trial in trials]) for name in ("max_query_tokens", "max_passage_tokens")
    )
    yield f"texts are cut at {queries} tokens (queries) and {passages} (passages)"
    reported = ", ".join(benchmark.key for benchmark in first.benchmarks)
    yield from _disk(plan)
    yield f"validation: {first.validation.benchmark.name}, every {first.validation.every} steps; reported: {reported}"


def _disk(plan: Plan) -> Iterator[str]:
    """Yield how much the checkpoints take, where backbones are on this machine and too large to be no matter."""
    whole = {trial.backbone: trial for trial in plan.config.examples if trial.steps and not trial.lora}
    sizes = [weight_bytes(resolve(trial).folder) for name, trial in whole.items() if name in plan.backbones]
    largest, trials = max(sizes, default=0) / 1e9, plan.config.search.trials - len(plan.config.search.zero_shot)
    if trials * largest >= 1:
        kept = 3 * (layout.KEPT_CHECKPOINTS + 1) * largest  # with two moments of each weight
        yield (
            f"disk: up to {trials * largest:,.1f} GB for the best checkpoint of each trial, and {kept:,.1f} GB for "
            "each trial while it runs, or if it fails"
        )


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _shares(plan: Plan, trained: Sequence[TrialConfig]) -> list[str]:
    """Return which part of the batches comes from each corpus; nothing for a single one, or where trials differ."""
    corpora = plan.data.corpora
    if len({repr(trial.corpora) for trial in trained}) != 1 or not 1 < len(corpora) == len(trained[0].corpora):
        return []
    monolingual, crosslingual = (100 * s / max(s.sum(), 1e-9) for s in corpus_shares(corpora, trained[0].corpora))
    return [
        f"; {one:.0f} % of batches come from it"
        if one == other or not crosslingual.any()
        else f"; {one:.0f} % of monolingual and {other:.0f} % of cross-lingual batches come from it"
        for one, other in zip(monolingual, crosslingual, strict=True)
    ]


def _data(plan: Plan) -> Iterator[str]:
    trained = [trial for trial in plan.config.examples if trial.steps]
    shares = _shares(plan, trained)
    for number, corpus in enumerate(plan.data.corpora):
        languages, parallel = ", ".join(corpus.languages), len(corpus.rows())
        about = f"{len(corpus):,} rows to train on, {parallel:,} of them in two or more languages ({languages})"
        yield f"corpus {corpus.name}: {about}{shares[number] if shares else ''}"
        yield from (f"{count:,} more rows are {reason}" for reason, count in corpus.left_out.items())
        if trained and len(plan.data.corpora) == 1 and parallel == len(corpus):  # otherwise alpha decides on the rows
            drawn = [trial.steps * trial.batch_size for trial in trained]
            times = " to ".join(f"{count / len(corpus):,.1f}" for count in sorted({min(drawn), max(drawn)}))
            yield f"a trial draws {_range(drawn)} pairs from them, so each row {times} times on average"
    validations = [trial.validation.benchmark for trial in plan.config.examples]
    for config, benchmark in plan.data.benchmarks:
        use = "validation" if config in validations else "reported"
        passages = sum(len(pool.passages) for pool in benchmark.pools)
        yield f"{use} {config.key}: {_questions(benchmark)} ({', '.join(benchmark.languages)}), {passages:,} passages"
    if downloads := without_copy(plan.config):
        yield f"downloaded by a run, and checked then: {', '.join(downloads)}"
    for name, settings in plan.backbones.items():
        yield lines(f"backbone {name}", settings)[0]
    yield from plan.notes
