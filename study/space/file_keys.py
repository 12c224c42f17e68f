"""The keys of a search space's file, as they are written; `study.space.study_config` checks them against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from study.config import LARGEST_SEED
from study.config_values import Settings
from study.space.distributions import MOST_TRIALS
from study.space.selection import DEFAULT_OBJECTIVE

Sampler = Literal["grid", "random", "tpe", "tpe-multivariate"]


class SearchKeys(Settings):
    """Which trials there are, and in which order."""

    sampler: Sampler = "tpe"
    """`grid` runs every combination of the choices and steps in `space`: right for a comparison of a few alphas.
    `random` draws. `tpe` (tree-structured Parzen estimator, Bergstra et al. 2011, from Optuna) draws near what did
    well, and `tpe-multivariate` also learns which values go together: right for a search for the best trial."""
    trials: int | None = Field(default=None, ge=1, le=MOST_TRIALS)
    """Points to run, those stopped early or failed included; a grid has as many as it has combinations."""
    seeds: int = Field(default=1, ge=1, le=MOST_TRIALS)
    """Trials of every point, which differ in their seed alone; two or more let `study.compare` judge differences."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """The seed of the search: the same seed draws the same points."""
    startup: int = Field(default=10, ge=0)
    """Finished points before TPE stops drawing at random; those in `first` count."""
    zero_shot: bool = False
    """Evaluate each backbone without training too, before all other trials."""
    first: Any = ()
    """Points to begin with, such as `[{alpha: 0.5}, {alpha: 1}]`; a list under a key stands for one point each. What a
    point does not name is drawn."""
    space: Mapping[str, Any] = Field(default_factory=dict)
    """Setting to distribution, such as `alpha: {type: float, low: 0, high: 1}`. Where it depends on other settings,
    write a list of distributions with `when`, such as `{when: {backbone: LaBSE}, type: float, ...}`."""


class FileKeys(Settings):
    """A search space's file."""

    trial: Mapping[str, Any] = Field(default_factory=dict)
    """Settings of all trials, see below."""
    search: SearchKeys
    objective: Any = DEFAULT_OBJECTIVE
    """What ranks trials and, unless `validation.metric` is set, chooses checkpoints: `validation/<setting>/<metric>` or
    `validation/loss`, or `{metric: ..., direction: maximize}`. A list makes several objectives; the first ranks."""
    scheduler: Any = "none"
    """Stops trials early: `none`, or one of the mappings below by its `name`."""
    concurrent: int | None = Field(default=None, ge=1)
    """Most trials that run side by side; as many as fit without."""
    storage: str | None = Field(default=None, min_length=1)
    """URL of the database that records trials (`sqlite:////whole/path.db`, `postgresql://`, `mysql://`); without one, a
    file in the study's folder. A password in it is not stored with the study."""
    loggers: tuple[Literal["mlflow", "wandb"], ...] = ()
    """Where scores are logged besides TensorBoard, which a study in a bucket does not have. Server and credentials come
    from MLFLOW_TRACKING_URI, WANDB_API_KEY and WANDB_PROJECT."""
