"""The nested sections of a trial's configuration, and how benchmarks and corpora are written in YAML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import pydantic
from pydantic import Field

from study.config_values import Settings
from tasks.plugins import benchmark_names

VALIDATION = "validation"
"""Stands for the validation benchmark's name in metric keys: `validation/multilingual/map`."""


CENTRING_TEXTS = 100
"""Enough: means of all texts change XQuAD-R's multilingual mAP by .002 (multilingual-e5-small)."""


class Named(Settings):
    """A benchmark or corpus: the module's name, and options for its `load`, written side by side in YAML."""

    name: str
    options: Mapping[str, Any] = Field(default_factory=dict)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _flat(cls, value: object) -> object:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Mapping) and "options" not in value:
            known = {key: value[key] for key in value if key in cls.model_fields}
            return known | {"options": {key: value[key] for key in value if key not in cls.model_fields}}
        return value


class BenchmarkConfig(Named):
    """A benchmark to measure: `xquad_r`, or `{name: xquad_r, path: ..., label: xquad_r_context, context: ...}`."""

    label: str | None = Field(default=None, pattern="^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Stands for the benchmark in metric keys, files and tables; its name by default."""

    @pydantic.model_validator(mode="after")
    def _label_is_free(self) -> Self:
        if self.label in {VALIDATION, *benchmark_names()} - {self.name}:
            raise ValueError(f"label '{self.label}' means something else: choose another")
        return self

    @property
    def key(self) -> str:
        """The label, or the name without one."""
        return self.label or self.name


class CorpusConfig(Named):
    """A corpus to train on: `mmarco`, or `{name: parallel_jsonl, path: ..., weight: 2}`."""

    weight: float | None = Field(default=None, gt=0)
    """Share of the batches of a kind, relative to the weights of the other corpora, which need one too; the number of
    rows where none has a weight. Cross-lingual batches come from corpora with rows in two or more languages alone."""
    held_out: int = Field(default=0, ge=0)
    """Rows excluded from training and used by the validation benchmark `held_out`."""


class RunFiles(NamedTuple):
    """TREC run files of an evaluation."""

    folder: Path
    depth: int = 100
    """Passages per query. Metrics of a run without a cut-off, such as MAP, are exact if it holds the whole pool."""


class LoraConfig(Settings):
    """Low-rank adapters in place of all weights (arXiv 2106.09685)."""

    rank: int = Field(default=16, ge=1, le=1024)
    """Rank of each adapter's update."""
    alpha: int = Field(default=32, ge=1, le=10**6)
    """The adapters' output is scaled by alpha / rank."""
    dropout: float = Field(default=0, ge=0, lt=1)
    """Dropout on the adapters' input."""
    targets: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Names of the linear layers that get an adapter, such as `query`; all linear layers by default."""


class ValidationConfig(Settings):
    """Where the objective comes from; never a benchmark that is reported."""

    benchmark: BenchmarkConfig = BenchmarkConfig(name="factbook", options={"split": "dev"})
    every: int = Field(default=100, ge=1)
    """Steps between two validations; each ends in a checkpoint."""
    metric: str = "multilingual/map"
    """Chooses the best checkpoint: `setting/metric` of the validation benchmark; higher is better, but for `loss` and
    metrics of language bias. The first objective does, where it is another metric and this is not set."""
    patience: int | None = Field(default=None, ge=1)
    """Stop training after this many steps without a better score; never by default."""


class ResourcesConfig(Settings):
    """The workers of one trial and what each needs."""

    workers: int = Field(default=1, ge=1)
    """Processes that share each batch (DDP)."""
    cpus_per_worker: float = Field(default=1, gt=0)
    """CPUs, and computing threads, per worker; with a fraction, small trials share a CPU, as one waits while another
    computes."""
    gpus_per_worker: float = Field(default=0, ge=0)
    """0 trains on CPUs, 1 on a GPU for each worker; with a fraction, small trials share a GPU, each keeping to that
    part of its memory."""

    @property
    def per_worker(self) -> dict[str, float]:
        """Resources of one worker, in Ray's terms."""
        gpus = {"GPU": self.gpus_per_worker} if self.gpus_per_worker else {}
        return {"CPU": self.cpus_per_worker, **gpus}

    @property
    def threads(self) -> int:
        """Computing threads of a worker."""
        return math.ceil(self.cpus_per_worker)

    @pydantic.field_validator("cpus_per_worker", "gpus_per_worker")
    @classmethod
    def _whole_or_part(cls, value: float, info: pydantic.ValidationInfo) -> float:
        if value > 1 and value != int(value):
            kind = str(info.field_name)[:3].upper()
            raise ValueError(f"{value:g} is neither a part of one {kind} nor a whole number of them")
        return value

    @pydantic.model_validator(mode="after")
    def _one_worker_a_part(self) -> Self:
        if self.workers > 1 and 0 < self.gpus_per_worker < 1:
            raise ValueError(
                f"{self.workers} workers cannot share a GPU (gpus_per_worker {self.gpus_per_worker:g}), as NCCL gives "
                "each its own: set workers to 1, so that several trials share one, or gpus_per_worker to 1"
            )
        return self


class WindowsConfig(Settings):
    """Long passages scored by their best-matching window (localized relevance matching, arXiv 2112.11031)."""

    tokens: int = Field(default=128, ge=8)
    """Length of a window, prefix and special tokens included."""
    stride: int = Field(default=64, ge=1)
    """Tokens between the starts of two windows."""

    @pydantic.model_validator(mode="after")
    def _no_gaps(self) -> Self:
        if self.stride > self.tokens:
            raise ValueError(f"stride {self.stride} is above tokens {self.tokens}, which leaves gaps: lower stride")
        return self


class CentringConfig(Settings):
    """Language centring, the baseline that trains nothing (`study.retrieval.centring`)."""

    sides: Literal["both", "passages"] = "both"
    """Queries and passages, or passages alone, which needs no language of the query."""
    source: Literal["corpora", "validation", "benchmark"] | None = None
    """The texts whose means are subtracted: the training corpora's where the trial trains, else the benchmark's own,
    unless given. Languages that the source lacks take the benchmark's own; results say `transductive` for those."""
    texts: int = Field(default=CENTRING_TEXTS, ge=2, le=10**6)
    """How many texts of each language, side and corpus or pool the means are estimated on."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _sides_alone(cls, value: object) -> object:
        return {"sides": value} if isinstance(value, str) else value

    @property
    def label(self) -> str:
        """Suffix of the benchmark's name in metric keys and files, such as `@centred`."""
        sides = "" if self.sides == "both" else f"_{self.sides}"
        return f"@centred{sides}" + ("" if self.texts == CENTRING_TEXTS else f"_{self.texts}")
