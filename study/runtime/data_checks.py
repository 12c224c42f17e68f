"""Reads the data of a study before anything starts, so that no trial trains for hours and fails then. No torch, no Ray.

Corpora are checked against the batches of every kind of trial, the validation benchmark against the metrics that choose
checkpoints and trials, and reported benchmarks are read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from study.analysis.same_data import Source, revisions, title
from study.config import SEPARATOR, TrialConfig
from study.config_sections import VALIDATION, BenchmarkConfig, CorpusConfig
from study.results.trial_result import TrialResult
from study.space.selection import LOSS
from study.space.study_config import StudyConfig
from study.training.corpora import check_negatives, load_for_training
from study.training.sampler import HybridSampler
from study.training.seen_questions import seen_questions
from tasks.plugins import TaskError, benchmark_is_local, is_local, load_benchmark, nearest
from tasks.relevance import relevance
from tasks.schema import Benchmark, Corpus
from tasks.scoring import available_metrics

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


def check_data(config: StudyConfig, *, download: bool, finished: Sequence[TrialResult] = ()) -> Data:
    """Read all data that the trials of a study would read, and refuse what would fail in one of them.

    Files are converted here if they are new to this machine, as the workers would.

    Args:
        config: the study.
        download: whether to download data that is not on this machine; the workers do it otherwise.
        finished: results of the study's trials so far, which further trials will be compared with.

    Raises:
        TaskError: data is missing or malformed, a corpus cannot serve the batches, a metric does not exist, or data is
            not what it was when the finished trials read it.
    """
    checks = _Checks(config, download=download, finished=finished)
    for trial in config.examples:
        checks.check(trial)
    notes = dict.fromkeys(sentence for trial in config.examples for sentence in checks.notes(trial))
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

    def check(self, trial: TrialConfig) -> None:
        """Check the data of one trial."""
        batches = (trial.corpora, trial.batch_size, trial.alpha, trial.mixing, trial.hard_negatives)
        if trial.steps and self._is_new(batches):
            self._check_batches(trial)
        validation = trial.validation
        if self._is_here(validation.benchmark) and self._is_new(validation):
            chosen = [validation.metric, *(name.partition(SEPARATOR)[2] for name in self._objectives)]
            check_metrics(validation.benchmark.key, chosen, self._available(validation.benchmark))
        for benchmark in filter(self._is_here, trial.benchmarks):
            self._available(benchmark)

    def _check_batches(self, trial: TrialConfig) -> None:
        here = [c for c in trial.corpora if self._download or is_local(c.name, c.options)]
        corpora = [self._corpus(corpus) for corpus in here]
        check_negatives(corpora, trial.hard_negatives)
        if len(here) == len(trial.corpora):
            HybridSampler(corpora, trial)

    def _corpus(self, corpus: CorpusConfig) -> Corpus:
        key = repr(corpus)
        if key not in self.corpora:
            self.corpora[key] = load_for_training(corpus)
            self._check_unchanged(corpus, self.corpora[key].revision)
        return self.corpora[key]

    def _is_here(self, benchmark: BenchmarkConfig) -> bool:
        return self._download or benchmark_is_local(benchmark.name, benchmark.options)

    def _available(self, benchmark: BenchmarkConfig) -> frozenset[str]:
        key = repr(benchmark)
        if key not in self._metrics:
            loaded = load_benchmark(benchmark.name, benchmark.options)
            self.benchmarks[key] = benchmark, loaded
            self._metrics[key] = validation_metrics(loaded)
            self._check_unchanged(benchmark, loaded.revision)
        return self._metrics[key]

    def notes(self, trial: TrialConfig) -> Iterator[str]:
        """Yield what a user should know about the trial's data, one sentence each."""
        _, validation = self.benchmarks.get(repr(trial.validation.benchmark), (None, None))
        if trial.steps and validation and validation.questions < FEW_QUESTIONS:
            yield (
                f"validation: {title(trial.validation.benchmark)} has {validation.questions} questions, so noise "
                f"decides which checkpoint and which trial is the best: take at least {FEW_QUESTIONS}"
            )
        corpora = [self.corpora[repr(corpus)] for corpus in trial.corpora if repr(corpus) in self.corpora]
        for config in trial.benchmarks:
            _, benchmark = self.benchmarks.get(repr(config), (None, None))
            if not trial.steps or benchmark is None or not self._is_new(("seen", trial.corpora, config)):
                continue
            if seen := seen_questions(benchmark, corpora):
                yield (
                    f"{title(config)}: {seen:,} of its {benchmark.questions:,} questions are training questions too, "
                    "so its figures will not be those of unseen questions"
                )

    def _check_unchanged(self, source: Source, now: str) -> None:
        for read, before, _ in self._read:
            if read == source and before != now:
                raise TaskError(
                    f"{title(source)} is not what this study's finished trials have read (revision {before[:12]}, now "
                    f"{now[:12]}), and further trials could not be compared with them: restore its files, or run a new "
                    "study"
                )

    def _is_new(self, checked: object) -> bool:
        key = repr(checked)
        is_new = key not in self._checked
        self._checked.add(key)
        return is_new


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
