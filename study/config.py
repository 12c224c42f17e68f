"""The configuration of one trial: frozen, validated, plain data. Imports neither torch nor Ray.

Defaults follow arXiv 2408.10536 (section 4 and appendix A) where it states a value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field

from study.config_sections import (
    BenchmarkConfig,
    CentringConfig,
    CorpusConfig,
    LoraConfig,
    ResourcesConfig,
    ValidationConfig,
    WindowsConfig,
)
from study.config_values import Schedule, Settings, Within
from study.model.pooling import POOLINGS
from tasks.paths import user_path
from tasks.plugins import nearest

Precision = Literal["auto", "fp32", "bf16"]
"""`auto`: bf16 on GPUs that have it, fp32 elsewhere."""
Mixing = Literal["batch", "pair"]
"""Unit that `alpha` is drawn for: a whole batch (arXiv 2408.10536) or each pair by itself."""
SEPARATOR = "/"
"""Between the parts of a metric key: `xquad_r/multilingual/map`."""
LEARNED_TEMPERATURES = (0.01, 1.0)
"""Bounds of a learned temperature; the lower bound is CLIP's (arXiv 2103.00020, section 2.5)."""
LARGEST_SEED = 2**63 - 1
"""Seeds are stored in columns of 64 bits."""
MOST_STEPS = 10**9


BUILTIN = "builtin/"
"""Built-in backbones begin with this."""
BUILTIN_BACKBONES = ("builtin/xlmr-tiny", "builtin/labse-tiny")
"""Written by `study.model.builtin`, once per machine."""
BUILTIN_LAYERS = ("dense", "key", "query", "value")
"""Names of their linear layers."""


def backbone_folder(name: str, base: Path | None = None) -> Path | None:
    """Return the folder that a backbone's name stands for, or None for built-in and hub models.

    Args:
        name: a backbone as in a search space.
        base: the folder that relative paths start from; the working directory by default.

    Raises:
        UserError: the name can be no path on this machine.
    """
    if not name or name.startswith(BUILTIN):
        return None
    folder = user_path((base or Path()) / user_path(name))
    return folder.resolve() if folder.is_dir() else None


class TrialConfig(Settings):
    """One trial: what is trained, on what, how, and how it is measured."""

    # The encoder.
    backbone: str = Field(default="builtin/xlmr-tiny", min_length=1)
    """`builtin/...`, a folder, or a hub id, with a revision if one is wanted: `owner/name@revision`."""

    @pydantic.field_validator("backbone")
    @classmethod
    def _known_if_builtin(cls, name: str) -> str:
        if name.startswith(BUILTIN) and name not in BUILTIN_BACKBONES:
            raise ValueError(f"there is no built-in backbone '{name}': {nearest(name, BUILTIN_BACKBONES)}")
        return name

    pooling: str | None = None
    """How token states become one vector (`study.model.pooling`): the model's own unless given. If given, the dense
    layers of the model's sentence-transformers files are left out."""

    @pydantic.field_validator("pooling")
    @classmethod
    def _known_pooling(cls, name: str | None) -> str | None:
        if name is not None and name not in POOLINGS:
            raise ValueError(f"there is no pooling '{name}': {nearest(name, POOLINGS)}")
        return name

    query_prefix: str | None = None
    """Text before every query. By default the model's own prompt, or the paper's `Query: ` if its files state none."""
    passage_prefix: str | None = None
    """Text before every passage. By default the model's own prompt, or the paper's `Passage: `."""

    @pydantic.field_validator("query_prefix", "passage_prefix", mode="before")
    @classmethod
    def _text(cls, prefix: object) -> object:
        if isinstance(prefix, dict):
            raise ValueError(f"{prefix} is refused: put a prefix in quotes, as in 'query: '")  # noqa: TRY004 - a refusal
        return prefix

    max_query_tokens: int = Field(default=64, ge=4)
    """Longer queries are truncated; prefix and special tokens count. The model's own limit applies too."""
    max_passage_tokens: int = Field(default=256, ge=4)
    """Longer passages are truncated likewise."""
    lora: LoraConfig | None = None
    """Train low-rank adapters only, which an export merges into the weights; all weights by default."""

    # The batches.
    corpora: tuple[CorpusConfig, ...] = Field(default=(CorpusConfig(name="factbook"),), min_length=1)
    alpha: Annotated[float | Schedule, pydantic.AfterValidator(Within(0, 1))] = 0.5
    """Probability that a batch, or a pair, is monolingual (arXiv 2408.10536, section 3)."""
    mixing: Mixing = "batch"
    """`batch` draws the kind of a whole batch: alpha 1 is X-X-mono, alpha 0 is X-Y. `pair` draws it for each pair:
    alpha 1 is X-X, alpha 0 is X-Y again (names as in LAReQA, arXiv 2004.05484)."""
    batch_size: int = Field(default=100, ge=2)
    """Pairs per step, over all workers."""
    hard_negatives: int = Field(default=0, ge=0)
    """Passages per pair that do not answer its query: always the first ones of its row in the corpus."""
    mask_false_negatives: bool = True
    """Leave out of the loss every other passage that is known to answer the query: the same text, its version in
    another language, or the passage of another pair with the same query."""

    negative_margin: float | None = Field(default=None, ge=0, le=2)
    """Leave out of the loss any negative whose cosine with the query exceeds the positive's by more than this; none
    unless given."""

    # The loss and its optimisation.
    temperature: Annotated[float | Schedule, pydantic.AfterValidator(Within(0, 10, open_low=True))] = 0.05
    """Divides the cosine scores in the loss."""
    temperature_learning_rate: float | None = Field(default=None, gt=0, le=1)
    """Learn the temperature too, in log space, starting from `temperature`, with this peak learning rate."""
    alignment_weight: float = Field(default=0, ge=0)
    """Weight of a second loss, the divergence between the score distributions of a query and of its version in another
    language (`study.training.loss.alignment_loss`); 0 leaves it out and embeds no second version."""
    steps: int = Field(default=1000, ge=0, le=MOST_STEPS)
    """Optimizer steps; 0 evaluates the backbone as it is."""
    learning_rate: float = Field(default=3e-5, gt=0, le=1)
    """Peak learning rate of AdamW, reached after the warm-up."""
    weight_decay: float = Field(default=1e-2, ge=0)
    """Weight decay of AdamW, for weight matrices; biases and norms are not decayed."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Fraction of the steps over which the learning rate rises linearly from 0."""
    learning_rate_schedule: Literal["linear", "cosine", "constant"] = "linear"
    """The learning rate after the warm-up: linear to 0, half a cosine to 0, or constant."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients with a larger norm are scaled down to it."""
    gradient_caching: bool = False
    """Embed every batch twice (GradCache, arXiv 2101.06983): the memory of one micro-batch at any batch_size, with the
    same gradient."""
    gradient_checkpointing: bool = False
    """Recompute the activations within each layer in the backward pass: less memory, more time."""
    compile: bool = False
    """Run the transformer through torch.compile, which needs a C++ compiler. Resuming is no longer exact to the bit."""
    precision: Precision = "auto"
    """`auto` is bf16 on GPUs that support it and fp32 elsewhere."""
    micro_batch_tokens: int | None = Field(default=None, ge=64)
    """Tokens per forward pass, with padding where a backbone needs it. By default 1,024 on a CPU; on a GPU 16,384 in
    training and 32,768 in encoding."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Decides the batches, dropout and the initial weights of adapters."""

    # Selection and measurement.
    validation: ValidationConfig = ValidationConfig()
    benchmarks: tuple[BenchmarkConfig, ...] = Field(default=(BenchmarkConfig(name="factbook"),), min_length=1)

    @pydantic.field_validator("benchmarks")
    @classmethod
    def _distinct_keys(cls, benchmarks: tuple[BenchmarkConfig, ...]) -> tuple[BenchmarkConfig, ...]:
        keys = [benchmark.key for benchmark in benchmarks]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(
                    f"'{key}' stands for {keys.count(key)} benchmarks: give each a label of its own, such as "
                    f"{{name: {key}, label: {key}_2, ...}}"
                )
        return benchmarks

    windows: WindowsConfig | None = None
    """Evaluate long passages by their best window; by default a passage is its first max_passage_tokens."""
    centring: tuple[CentringConfig, ...] = ()
    """Measure every benchmark with centred embeddings too, from the same encoding: `both`, `passages`, or settings."""
    top_lists: bool = False
    """Also search the ten best passages of every query in the pool of all languages, for `mrc@10` and the four kinds of
    first hits; takes about as long as scoring all passages once more."""
    resources: ResourcesConfig = ResourcesConfig()

    @pydantic.field_validator("centring", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return value if isinstance(value, list | tuple) else [value]

    @pydantic.field_validator("centring")
    @classmethod
    def _distinct(cls, value: tuple[CentringConfig, ...]) -> tuple[CentringConfig, ...]:
        labels = [centring.label for centring in value]
        repeated = next((label for label in labels if labels.count(label) > 1), None)
        if repeated:
            raise ValueError(f"two entries are both named '{repeated}': let them differ in sides or in texts")
        return value

    @pydantic.model_validator(mode="after")
    def _combination(self) -> Self:
        workers = self.resources.workers
        if self.steps and self.batch_size % workers:
            near = max(1, round(self.batch_size / workers)) * workers
            raise ValueError(f"batch_size {self.batch_size} cannot be shared equally by {workers} workers; {near} can")
        low, high = LEARNED_TEMPERATURES
        learned, start = self.temperature_learning_rate is not None, self.temperature
        if learned and (isinstance(start, Schedule) or not low <= start <= high):
            raise ValueError(
                f"temperature_learning_rate needs a temperature from {low:g} to {high:g} to start from, not {start}"
            )
        if self.windows and self.windows.tokens > self.max_passage_tokens:
            raise ValueError(
                f"windows.tokens {self.windows.tokens} is above max_passage_tokens {self.max_passage_tokens}: "
                "lower the one or raise the other"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _layers_of_builtin(self) -> Self:
        targets = (self.lora and self.lora.targets) or ()
        unknown = [target for target in targets if target not in BUILTIN_LAYERS]
        if unknown and self.backbone in BUILTIN_BACKBONES:
            known = nearest(unknown[0], BUILTIN_LAYERS)
            raise ValueError(f"lora.targets: '{self.backbone}' has no linear layer called '{unknown[0]}': {known}")
        return self

    @property
    def negatives_per_query(self) -> int:
        """Passages each query is scored against besides its own, over all workers, before masking."""
        return self.batch_size * (1 + self.hard_negatives) - 1
