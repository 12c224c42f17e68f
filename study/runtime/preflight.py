"""Checks of a search space against this machine or cluster, before anything starts. Without torch or Ray.

`check` is what a run and `--dry-run` share: the one executes the plan that it returns, the other prints it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.analysis.same_data import revisions
from study.config import BUILTIN, TrialConfig, backbone_folder
from study.model.model_files import BackboneError
from study.model.pooling_and_prompts import content_of, resolve
from study.results import files, layout
from study.results.layout import RecordError
from study.results.trial_result import TrialResult
from study.runtime import resources
from study.runtime.data_checks import Data, check_data
from study.runtime.planned_comparison import without_comparison
from study.space.leaks import perhaps_translated
from study.space.study_config import StudyConfig
from tasks.errors import UserError

HIGH_LEARNING_RATE = 5e-4
"""Well above what pretrained encoders are fine-tuned with, below what adapters and random weights need."""

_PACKAGES = {"mysqldb": "mysqlclient", "psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}
"""Database drivers as SQLAlchemy names them -> the packages to install, where these have other names."""


class MissingLoggerError(UserError):
    """A logger that a search space names and this machine lacks."""


@dataclass(frozen=True)
class Plan:
    """A study that has passed all checks."""

    config: StudyConfig
    folder: str
    """The study's folder."""
    record_url: str
    """The Optuna storage of its trials."""
    supply: resources.Supply
    is_local: bool
    """Whether this machine does the work, and no cluster."""
    trials_at_once: int
    """0 if a trial can never run here, which only a dry run accepts; `shortage` says why."""
    shortage: str
    trials_now: int
    """Trials that fit before an autoscaling cluster has grown."""
    data: Data
    backbones: Mapping[str, Mapping[str, Any]]
    """Pooling, prompts and limits of each backbone that was checked."""

    @property
    def notes(self) -> list[str]:
        """What a user should know before the study starts, one line each.

        Assumptions about backbones whose files state nothing, emulated bfloat16, a small head of a cluster, an
        ignored STUDY_RECORD, rates that are too high, a search without verdicts, test questions in training data.
        """
        assumed = {name: description.get("assumed", ()) for name, description in self.backbones.items()}
        slow = dict.fromkeys(resources.emulated_bf16(trial) for trial in self.config.examples) if self.is_local else {}
        ignored = layout.ignored_record(self.folder, self.config.storage)
        return [
            *([ignored] if ignored else []),
            *(f"backbone {name}: {line}" for name, of_backbone in assumed.items() for line in of_backbone),
            *filter(None, slow),
            *filter(None, [] if self.is_local else [resources.short_head(self.trials_at_once)]),
            *dict.fromkeys(filter(None, map(_high_learning_rate, self.config.examples))),
            *dict.fromkeys(filter(None, map(perhaps_translated, self.config.examples))),
            *filter(None, [without_comparison(self.config)]),
            *self.data.notes,
        ]

    @property
    def waiting(self) -> str:
        """Explains that trials wait for a cluster to grow; empty if none do."""
        if self.trials_now >= self.trials_at_once:
            return ""
        return f", {self.trials_now} until the cluster has grown: the others wait for its nodes"


def _high_learning_rate(trial: TrialConfig) -> str:
    """Return a sentence for a learning rate that suits random weights or adapters, and not a pretrained backbone."""
    if not trial.steps or trial.lora or trial.backbone.startswith(BUILTIN) or trial.learning_rate < HIGH_LEARNING_RATE:
        return ""
    return (
        f"learning_rate {trial.learning_rate:g} with backbone {trial.backbone}: a pretrained model forgets much of "
        "what it knows at such rates; 1e-5 to 5e-5 are usual"
    )


def check(config: StudyConfig, folder: str, *, dry_run: bool) -> Plan:
    """Check everything that can be checked before a study starts; the cheapest first.

    A dry run downloads nothing. It accepts trials that are too large for this machine or cluster, so that a search
    space can be checked where it will not run.

    Args:
        config: the study.
        folder: the study's folder.
        dry_run: whether nothing will be started.

    Raises:
        UserError: a logger is not installed, the study or its record has no place, a trial can never run here, a
            backbone does not exist, or data is missing or cannot serve the trials.
    """
    check_loggers(config)
    layout.check_writable(folder)
    record_url = layout.record_url(folder, config.storage)
    check_database(record_url)
    is_local = resources.cluster_address() is None
    available = supply()
    fit, shortage = 0, ""
    try:
        fit = resources.trials_at_once([trial.resources for trial in config.examples], available)
    except resources.CapacityError as error:
        if not dry_run:
            raise
        shortage = str(error)
    download = is_local and not dry_run  # on a cluster the workers do it
    finished, began = layout.finished(folder), files.exists(files.join(folder, layout.STUDY))
    return Plan(
        config=config,
        folder=folder,
        record_url=record_url,
        supply=available,
        is_local=is_local,
        trials_at_once=min(fit, config.search.trials, config.concurrent or fit),
        shortage=shortage,
        trials_now=min(available.trials_now(trial.resources) for trial in config.examples),
        backbones=check_backbones(config, download=download, finished=finished),
        data=check_data(config, download=download, finished=finished, began=began),
    )


def check_database(url: str) -> None:
    """Check that a URL is that of a database, the same in every folder, and that the package for it is installed.

    Raises:
        RecordError: it is not.
    """
    if url.startswith("sqlite:////"):
        return
    if url.startswith("sqlite:"):
        raise RecordError(
            f"storage: '{url}' is another file in every folder, or none: write it with its whole path, with four "
            "slashes, such as sqlite:////home/me/studies.db"
        )
    from sqlalchemy.engine import make_url  # noqa: PLC0415 - only if the record is in another database
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    scheme = url.partition("://")[0]
    driver = scheme
    try:
        dialect = make_url(url).get_dialect()
        driver = dialect.driver
        dialect.import_dbapi()
    except ImportError:
        package = _PACKAGES.get(driver, driver)
        raise RecordError(
            f"storage: a database of '{scheme}' needs the package {package}, which is not installed: pip install "
            f"'{package}', or write a file such as sqlite:////home/me/studies.db"
        ) from None
    except (SQLAlchemyError, ValueError) as error:
        raise RecordError(
            f"storage: this is no URL of a '{scheme}' database ({str(error).splitlines()[0]}): write it as "
            "postgresql://user@host:5432/studies"
        ) from None


def supply() -> resources.Supply:
    """Return what the cluster of this machine has, or without one what this machine has; starts nothing.

    Raises:
        ClusterError: the cluster does not answer, or refuses this machine.
    """
    address = resources.cluster_address()
    if address is None:
        return resources.this_machine()
    address.check()
    from study.runtime import cluster  # noqa: PLC0415 - imports Ray: only if there is a cluster to ask

    cluster.attach()
    return cluster.supply()


def check_loggers(config: StudyConfig) -> None:
    """Check that the packages of all loggers are installed.

    Raises:
        MissingLoggerError: with what to install.
    """
    for name in config.loggers:
        if importlib.util.find_spec(name) is None:
            raise MissingLoggerError(
                f"loggers: '{name}' is not installed: pip install {name}, or remove it from the search space"
            )


def check_backbones(
    config: StudyConfig, *, download: bool, finished: Sequence[TrialResult] = ()
) -> dict[str, dict[str, Any]]:
    """Check that every backbone on this machine can be used, and that every other one exists; describe the former.

    Args:
        config: the study.
        download: whether to download models of the hub, so that they can be checked too.
        finished: results of the study's trials so far, which further trials will be compared with.

    Raises:
        UserError: a name is neither built in, nor a folder, nor a model of the hub; the model cannot be used, or is not
            what the finished trials started from.
    """
    for name in hub_models(config):
        from tasks.data import hub  # noqa: PLC0415 - imports an HTTP client: only if there is a model to ask for

        hub.model_folder(name, hub.MODEL_FILES if download else ["config.json"])
    for trial in {trial.backbone: trial for trial in config.examples}.values():
        _check_unchanged(trial, finished)
    asked = ("backbone", "pooling", "lora", "query_prefix", "passage_prefix", "max_query_tokens", "max_passage_tokens")
    trials = {
        repr([getattr(trial, key) for key in asked]): trial
        for trial in config.examples
        if backbone_folder(trial.backbone) or (download and not trial.backbone.startswith(BUILTIN))
    }
    for trial in trials.values():
        resolve(trial)  # refuses most of what cannot be used, in no time
    if not trials:
        return {}
    from study.model.backbone import check_backbone  # noqa: PLC0415 - imports torch: only if there is one to check

    # Of a study that has begun only the trials without room for text fail: its search space cannot be changed.
    room = not finished
    return {trial.backbone: check_backbone(trial, room=room).describe() for trial in trials.values()}


def _check_unchanged(trial: TrialConfig, finished: Sequence[TrialResult]) -> None:
    known = {then: number for source, then, number in revisions(finished) if source == trial.backbone}
    now = content_of(trial) if known else None
    for then, number in known.items():
        if now != then:
            of_hub = f", with {trial.backbone.partition('@')[0]}@{then} if that model is meant"
            is_folder = backbone_folder(trial.backbone) is not None
            raise BackboneError(
                f"backbone {trial.backbone} is not what trial {number} of this study started from (content "
                f"{then[:12]}, now {str(now)[:12]}), and further trials could not be compared with it: "
                f"{'put its files back, or ' if is_folder else ''}start a new study with another --name"
                f"{'' if is_folder else of_hub}"
            )


def hub_models(config: StudyConfig) -> tuple[str, ...]:
    """Return the study's backbones that come from the hub."""
    names = {trial.backbone for trial in config.examples}
    return tuple(sorted(name for name in names if not name.startswith(BUILTIN) and backbone_folder(name) is None))
