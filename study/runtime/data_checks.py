"""Reads the data of a study before anything starts, so that no trial trains for hours and fails then. No torch, no Ray.

Corpora are checked against the batches of every kind of trial, the validation benchmark against the metrics that choose
checkpoints and trials, and reported benchmarks are read once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from study.analysis.same_data import Source, revisions, title
from study.config import SEPARATOR, TrialConfig
from study.config_sections import VALIDATION, BenchmarkConfig, CorpusConfig
from study.corpora import HELD_OUT, check_negatives, load_for_training
from study.results.trial_result import TrialResult
from study.runtime.planned_batches import trials_of_batches
from study.seen_questions import seen_questions, shared_questions
from study.space.selection import LOSS
from study.space.study_config import StudyConfig
from study.training.sampler import HybridSampler
from tasks.plugins import TaskError, benchmark_is_local, is_local, load_benchmark, nearest
from tasks.relevance import relevance
from tasks.schema import Benchmark, Corpus
from tasks.scoring import available_metrics

MOST_SHARED = 0.1
"""Part of the questions of either that validation and what is reported may share: some are the same by chance."""
FEW_QUESTIONS = 50
"""Fewer validation questions, counted in each language, are told to a user."""


class Data(NamedTuple):
    """What the trials of a study read, as far as it is on this machine."""

    corpora: tuple[Corpus, ...]
    """In the order in which they are named."""
    benchmarks: tuple[tuple[BenchmarkConfig, Benchmark], ...]
    """As a search space names them, and what was read."""
    notes: tuple[str, ...]
    """What a user should know: test questions that trials are trained on, and too few to choose trials by."""


def check_data(
    config: StudyConfig, *, download: bool, finished: Sequence[TrialResult] = (), began: bool = False
) -> Data:
    """Read all data that the trials of a study would read, and refuse what would fail in one of them.

    Files are converted here if they are new to this machine, as the workers would.

    Args:
        config: the study.
        download: whether to download data that is not on this machine; the workers do it otherwise.
        finished: results of the study's trials so far, which further trials will be compared with.
        began: whether the study has started: it may end with the trials that it can train.

    Raises:
        TaskError: data is missing or malformed, a corpus cannot serve the batches, a metric does not exist, or data is
            not what it was when the finished trials read it.
    """
    checks = _Checks(config, download=download, finished=finished)
    for trial in config.examples:
        checks.check(trial)
    if not began:
        for trial in trials_of_batches(config):
            checks.check_batches(trial)
    notes = dict.fromkeys(sentence for trial in config.examples for sentence in checks.notes(trial))
    notes |= dict.fromkeys(
        f"corpus '{name}' has no row in two languages: trials with alpha 0 draw only cross-lingual batches and do not "
        "train on it"
        for name in checks.never_drawn
    )
    return Data(tuple(checks.corpora.values()), tuple(checks.benchmarks.values()), tuple(notes))


def without_copy(config: StudyConfig) -> list[str]:
    """Return the corpora and benchmarks without a `path`, such as `corpus mmarco`: a run may have to download them."""
    names: dict[str, None] = {}
    for trial in config.examples:
        corpora = trial.corpora if trial.steps else ()
        names |= dict.fromkeys(f"corpus {c.name}" for c in corpora if not is_local(c.name, c.options))
        benchmarks = (trial.validation.benchmark, *trial.benchmarks)
        names |= dict.fromkeys(f"benchmark {b.key}" for b in benchmarks if not benchmark_is_local(b.name, b.options))
    return list(names)


class _Checks:
    """Checks trials; what several of them share is read once."""

    def __init__(self, config: StudyConfig, *, download: bool, finished: Sequence[TrialResult]) -> None:
        self._read = revisions(finished)
        self._objectives = [objective.metric for objective in config.objectives]
        self._download = download
        self._checked: set[str] = set()
        self._metrics: dict[str, frozenset[str]] = {}
        self.benchmarks: dict[str, tuple[BenchmarkConfig, Benchmark]] = {}
        self.corpora: dict[str, Corpus] = {}
        self.never_drawn: dict[str, None] = {}
        """Names of corpora that some trials would draw no batch from."""

    def check_batches(self, trial: TrialConfig) -> None:
        """Check that corpora can serve the batches of one trial."""
        batches = (
            trial.corpora,
            trial.validation.benchmark,
            trial.batch_size,
            trial.alpha,
            trial.mixing,
            trial.hard_negatives,
            trial.alignment_weight > 0,
        )
        if not trial.steps or not self._is_new(batches):
            return
        here = [c for c in trial.corpora if self._download or is_local(c.name, c.options)]
        corpora = [self._corpus(corpus, trial) for corpus in here]
        check_negatives(corpora, trial.hard_negatives)
        if len(here) == len(trial.corpora):
            self.never_drawn |= dict.fromkeys(HybridSampler(corpora, trial).unused)

    def check(self, trial: TrialConfig) -> None:
        """Check the data of one trial."""
        self.check_batches(trial)
        validation = trial.validation
        if self._is_here(validation.benchmark) and self._is_new(validation):
            chosen = [validation.metric, *(name.partition(SEPARATOR)[2] for name in self._objectives)]
            check_metrics(validation.benchmark.key, chosen, self._available(validation.benchmark))
        for benchmark in filter(self._is_here, trial.benchmarks):
            self._available(benchmark)
            if self._is_here(validation.benchmark) and self._is_new(("apart", validation.benchmark, benchmark)):
                self._check_apart(validation.benchmark, benchmark)

    def _corpus(self, corpus: CorpusConfig, trial: TrialConfig) -> Corpus:
        validation, key = trial.validation.benchmark, _key(corpus, trial)
        if key not in self.corpora:
            is_held_out = validation.name == HELD_OUT and self._is_here(validation)
            held_out = self._benchmark(validation) if is_held_out else None
            self.corpora[key] = load_for_training(corpus, validation, held_out)
            self._check_unchanged(corpus, self.corpora[key].revision)
        return self.corpora[key]

    def _check_apart(self, validation: BenchmarkConfig, reported: BenchmarkConfig) -> None:
        check_apart(title(validation), self._benchmark(validation), title(reported), self._benchmark(reported))

    def _is_here(self, benchmark: BenchmarkConfig) -> bool:
        return self._download or benchmark_is_local(benchmark.name, benchmark.options)

    def _benchmark(self, config: BenchmarkConfig) -> Benchmark:
        key = repr(config)
        if key not in self.benchmarks:
            loaded = load_benchmark(config.name, config.options)
            self._check_unchanged(config, loaded.revision)
            self.benchmarks[key] = config, loaded
        return self.benchmarks[key][1]

    def _available(self, benchmark: BenchmarkConfig) -> frozenset[str]:
        key = repr(benchmark)
        if key not in self._metrics:
            self._metrics[key] = validation_metrics(self._benchmark(benchmark))
        return self._metrics[key]

    def notes(self, trial: TrialConfig) -> Iterator[str]:
        """Yield what a user should know about the trial's data, one sentence each."""
        _, validation = self.benchmarks.get(repr(trial.validation.benchmark), (None, None))
        if trial.steps and validation and validation.questions < FEW_QUESTIONS:
            held_out = _enough_held_out(trial.validation.benchmark, validation.questions)
            yield (
                f"validation: {title(trial.validation.benchmark)} has {validation.questions} questions, so noise "
                f"decides which checkpoint and which trial is the best: take at least {FEW_QUESTIONS}{held_out}"
            )
        keys = [_key(corpus, trial) for corpus in trial.corpora]
        corpora = [self.corpora[key] for key in keys if key in self.corpora]
        for config in (trial.validation.benchmark, *trial.benchmarks):
            _, benchmark = self.benchmarks.get(repr(config), (None, None))
            if not trial.steps or benchmark is None or not self._is_new(("seen", keys, config)):
                continue
            seen = seen_questions(benchmark, corpora)
            if seen.questions:
                yield (
                    f"{title(config)}: {seen.questions:,} of its {benchmark.questions:,} questions are training "
                    "questions too, so its figures will not be those of unseen questions"
                )
            for name in seen.not_searched:
                yield (
                    f"corpus '{name}' has too many questions to be searched for those of {title(config)}: whether they "
                    "are trained on is not known"
                )

    def _check_unchanged(self, source: Source, now: str) -> None:
        for read, before, _ in self._read:
            if read == source and before != now:
                raise TaskError(
                    f"{title(source)} is not what this study's finished trials have read (revision {before[:12]}, now "
                    f"{now[:12]}), and further trials could not be compared with them: restore its files, or the "
                    "version of this project that read them, or run a new study"
                )

    def _is_new(self, checked: object) -> bool:
        key = repr(checked)
        is_new = key not in self._checked
        self._checked.add(key)
        return is_new


def _enough_held_out(benchmark: BenchmarkConfig, questions: int) -> str:
    """Return how many rows to hold out for enough questions, where a benchmark has that setting."""
    corpus = benchmark.options.get("corpus")
    if benchmark.name != HELD_OUT or not isinstance(corpus, dict) or not corpus.get("held_out") or not questions:
        return ""
    rows = rows_for_enough_questions(corpus, questions)
    return f", with `held_out: {rows}` in `corpora` and `validation` alike" if rows else ""


def rows_for_enough_questions(corpus: Mapping[str, Any], questions: int) -> int | None:
    """Return how many rows of a corpus hold at least `FEW_QUESTIONS` questions, counted in each language.

    Args:
        corpus: as the benchmark `held_out` takes it.
        questions: how many the rows hold that it holds out so far.

    Returns:
        None if all of its rows hold fewer.
    """
    rows = math.ceil(FEW_QUESTIONS * int(corpus["held_out"]) / questions)
    while True:
        try:
            found = load_benchmark(HELD_OUT, {"corpus": {**corpus, "held_out": rows}}).questions
        except TaskError:  # it has fewer rows
            return None
        if found >= FEW_QUESTIONS:
            return rows
        rows += math.ceil(rows * (FEW_QUESTIONS - found) / FEW_QUESTIONS / 2)


def _key(corpus: CorpusConfig, trial: TrialConfig) -> str:
    """Return what tells corpora apart: which rows of one remain depends on what a trial is validated on."""
    return repr((corpus, trial.validation.benchmark))


def check_apart(validation_title: str, validation: Benchmark, reported_title: str, reported: Benchmark) -> None:
    """Refuse to select by what is reported, under whatever name, path or options.

    Raises:
        TaskError: the two share too many questions.
    """
    both, reported_too = shared_questions(validation, reported), shared_questions(reported, validation)
    if both > MOST_SHARED * validation.questions or reported_too > MOST_SHARED * reported.questions:
        raise TaskError(
            f"validation: {both:,} of the {validation.questions:,} questions of {validation_title} are questions of "
            f"{reported_title} too, {reported_too:,} of its {reported.questions:,}, and that is reported: validate on "
            "others, such as rows held out of training data"
        )


def validation_metrics(benchmark: Benchmark) -> frozenset[str]:
    """Return what a trial can be validated by on a benchmark: `<setting>/<metric>`, and `loss` if it is defined.

    Raises:
        TaskError: the qrels name a passage that does not exist, or no query takes part.
    """
    relevant = relevance(benchmark)
    query_language_T = np.array(benchmark.languages)[relevant.query_language_Q[relevant.query_T]]
    passage_language_T = np.array([pool.language for pool in benchmark.pools])[relevant.pool_T]
    loss = [LOSS] if (query_language_T == passage_language_T).any() else []
    return frozenset([*available_metrics(benchmark, relevant), *loss])


def check_metrics(benchmark: str, chosen: Iterable[str], available: frozenset[str]) -> None:
    """Refuse metrics that do not exist on the validation benchmark.

    Args:
        benchmark: its name, for the message.
        chosen: `<setting>/<metric>` or `loss`, as under `validation.metric`.
        available: what `validation_metrics` returns.

    Raises:
        TaskError: naming the metric and the nearest one, or all that exist.
    """
    for metric in chosen:
        if metric not in available:
            raise TaskError(
                f"'{VALIDATION}/{metric}' does not exist, as the languages and judgements of benchmark '{benchmark}' "
                f"do not define it: {nearest(metric, available)}"
            )
