"""An encoder on a list of benchmarks: what a trial ends with, and all that `study.evaluate` does. Free of Ray."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import torch
from torch import Tensor

from study import distributed
from study.config import TrialConfig
from study.config_sections import BenchmarkConfig, CentringConfig, RunFiles
from study.corpora import training_corpora
from study.model.backbone import load_encoder, used_precision
from study.model.encoder import Encoder
from study.model.pooling_and_prompts import content_of, resolve
from study.model.windows import Windows
from study.results import provenance
from study.results.trial_result import BackboneRecord, Measurement
from study.retrieval.centring import LanguageMeans, means_of_benchmark, means_of_corpora
from study.retrieval.encode import Encoding
from study.retrieval.evaluation import Centring, Evaluation, Extras, Outputs, evaluate_views
from study.retrieval.runs import check_ids
from study.same_everywhere import check_same_everywhere, check_same_precision
from tasks.data.cache import cache_folder
from tasks.plugins import load_benchmark
from tasks.relevance import relevance
from tasks.schema import Benchmark

EXPORTED_TEXTS = 1000
"""Passages of each language and corpus that the means of an exported model are estimated on."""
Progress = Callable[[str, int, int], None]
"""Called with a benchmark's name, the texts encoded so far, and all its texts; or with another task and 0 of 0."""


def load(benchmark: BenchmarkConfig) -> Benchmark:
    """Return the benchmark that a trial names, called by its label if it has one; collective.

    Raises:
        TaskError: its data is missing or malformed, or is not the same on all nodes.
    """
    loaded = replace(load_benchmark(benchmark.name, benchmark.options), name=benchmark.key)
    check_same_everywhere({f"benchmark '{loaded.name}'": loaded.revision})
    return loaded


def encoding(encoder: Encoder, config: TrialConfig) -> Encoding:
    """Return how a trial turns texts into embeddings, for validation and the final evaluation alike."""
    windows = Windows(encoder, config.windows) if config.windows else None
    return Encoding(token_budget=config.micro_batch_tokens, windows=windows)


def measure(
    encoder: Encoder,
    config: TrialConfig,
    benchmarks: Iterable[Benchmark],
    *,
    runs: RunFiles | None = None,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """Evaluate an encoder on a trial's benchmarks, as `load` returns them, each with every centring; collective.

    What was counted is kept until `remove_kept_counts` is called.
    """
    measured: list[Evaluation] = []
    outputs = Outputs(runs, _kept_counts(config))
    if config.centring and progress:
        progress("means of languages", 0, 0)
    centrings = [Centring(one, means(encoder, config, one)) for one in config.centring]
    extras = Extras(centrings, config.top_lists)
    for benchmark in benchmarks:

        def advance(done: int, total: int, name: str = benchmark.name) -> None:
            if progress:
                progress(name, done, total)

        measured += evaluate_views(
            encoder, benchmark, encoding(encoder, config), extras, progress=advance, outputs=outputs
        )
    return measured


def remove_kept_counts(config: TrialConfig) -> None:
    """Remove what an interrupted evaluation of this trial would continue from; collective."""
    distributed.gather_objects(None)  # until all processes are here, one may fail and all begin anew
    shutil.rmtree(_kept_counts(config), ignore_errors=True)


def _kept_counts(config: TrialConfig) -> Path:
    digest = blake2b(config.model_dump_json().encode(), digest_size=8).hexdigest()
    return cache_folder() / "evaluations" / digest


def means(encoder: Encoder, config: TrialConfig, centring: CentringConfig) -> LanguageMeans:
    """Return the mean embeddings that a trial subtracts, none where they are the benchmark's own; collective."""
    match centring.source or ("corpora" if config.steps else "benchmark"):
        case "corpora":
            return means_of_corpora(encoder, training_corpora(config), centring.texts, encoding(encoder, config))
        case "validation":
            validation = load(config.validation.benchmark)
            return means_of_benchmark(encoder, validation, centring.texts, encoding(encoder, config))
        case _:
            return LanguageMeans()


def export_means(encoder: Encoder, config: TrialConfig) -> dict[str, Tensor]:
    """Return the mean passage embedding of each language of a trial's corpora, and `all`, the mean of these means."""
    centring = CentringConfig(sides="passages", source="corpora", texts=EXPORTED_TEXTS)
    passages = dict(means(encoder, config, centring).passages)
    return passages | {"all": torch.stack(list(passages.values())).mean(dim=0)}


def measure_backbone(
    config: TrialConfig, device: torch.device, *, runs: RunFiles | None = None, progress: Progress | None = None
) -> Measurement:
    """Load a trial's backbone and evaluate it without a training step; collective.

    Raises:
        TaskError: a benchmark cannot be measured; before a text is encoded.
    """
    content = content_of(config)
    check_same_everywhere(code_and_model(config, content))
    check_same_precision(used_precision(config.precision, device))
    encoder = load_encoder(config, device)
    benchmarks = [load(benchmark) for benchmark in config.benchmarks]
    for benchmark in benchmarks:  # all of them now: the first may take hours
        found = relevance(benchmark)
        if runs:
            check_ids(benchmark, found)
    evaluations = measure(encoder, config, benchmarks, runs=runs, progress=progress)
    remove_kept_counts(config)
    return measurement(config, content, device, evaluations)


def code_and_model(config: TrialConfig, content: str | None) -> dict[str, str | None]:
    """Return what has to be the same for all workers of a trial besides the data, as messages call it."""
    return {"the code of this project": provenance.project_version(), f"backbone '{config.backbone}'": content}


def measurement(
    config: TrialConfig, content: str | None, device: torch.device, evaluations: Iterable[Evaluation]
) -> Measurement:
    """Return what was measured, how, with which versions and on which hardware.

    Args:
        config: the trial.
        content: what `content_of` returned when the backbone was loaded.
        device: where it was measured.
        evaluations: one for each benchmark and centring.
    """
    evaluations = list(evaluations)
    precision = used_precision(config.precision, device)
    return Measurement(
        config=config,
        backbone=BackboneRecord(**resolve(config).describe(), content=content, precision=precision),
        metrics={key: value for evaluation in evaluations for key, value in evaluation.metrics.items()},
        benchmarks={evaluation.benchmark: evaluation.result() for evaluation in evaluations},
        versions=provenance.versions(),
        hardware=provenance.hardware() | {"device": device.type, "workers": distributed.world_size()},
    )
