"""Turns the nodes' answers into one finding per check, with the fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from study.health.node import Node
from study.model.model_files import BackboneError
from study.runtime.data_checks import check_data
from study.runtime.preflight import check_backbones, check_loggers
from study.space.study_config import StudyConfig
from tasks.errors import UserError
from tasks.plugins import TaskError

FREE_BYTES = 10 * 10**9
"""XLM-R large takes 2.2 GB, and its checkpoint with AdamW's moments 6.7 GB until it is in the storage."""
FULL = 0.95
"""Ray stores no more objects on a disk as full as this."""
CLOCK_S = 5.0
"""Maximum clock difference: object storage tolerates minutes, but logs and file times of nodes are compared."""


class Finding(NamedTuple):
    """The outcome of one check."""

    check: str
    good: bool
    says: str
    fix: str = ""
    """Instruction to the user; empty if the check passed."""


def data(config: StudyConfig) -> Finding:
    """Read the study's data that needs no download, as a run does before it starts."""
    try:
        corpora = check_data(config, download=False).corpora
    except TaskError as error:
        return Finding("data", False, str(error), "repair the data, or change the search space")
    names = ", ".join(corpus.name for corpus in corpora) or "none"
    return Finding("data", True, f"all data on this machine can be used; corpora: {names}")


def backbones(config: StudyConfig) -> Finding:
    """Check the backbones that are on this machine, as a run does before it starts."""
    try:
        checked = check_backbones(config, download=False)
    except BackboneError as error:
        return Finding("backbones", False, str(error))
    except TaskError as error:
        return Finding("backbones", False, str(error), "see the line on the hub")
    return Finding("backbones", True, f"{', '.join(checked)} can be used" if checked else "none is a folder")


def loggers(config: StudyConfig) -> Finding:
    """Check that the loggers of the study are installed."""
    try:
        check_loggers(config)
    except UserError as error:
        return Finding("loggers", False, str(error).removeprefix("loggers: "))
    return Finding("loggers", True, ", ".join(config.loggers) or "TensorBoard alone")


def versions(nodes: Sequence[Node]) -> Finding:
    """Compare every node's versions with what most nodes have."""
    odd = []
    for package in nodes[0].versions:
        installed = {node.name: node.versions.get(package, "none") for node in nodes}
        usual = Counter(installed.values()).most_common(1)[0][0]
        odd += [f"{name} has {package} {own}, others {usual}" for name, own in installed.items() if own != usual]
    if odd:
        return Finding(
            "versions", False, "; ".join(odd), "run `ray up` again, or `make node` on that node: both install the pins"
        )
    shown = ", ".join(
        f"{package} {nodes[0].versions[package]}" for package in ("python", "ray", "torch", "transformers")
    )
    return Finding("versions", True, f"{shown}, project {nodes[0].versions['project']} on {_number(nodes, 'node')}")


def gpus(nodes: Sequence[Node]) -> Finding:
    """Compare the GPUs that Ray hands out with those the driver shows."""
    odd = [
        f"{node.name}: the driver shows {node.driver_gpus}, Ray {node.ray_gpus:g}"
        for node in nodes
        if node.ray_gpus > node.driver_gpus
    ]
    hidden = [node.name for node in nodes if node.driver_gpus and not node.ray_gpus and len(nodes) == 1]
    if odd or hidden:
        says = "; ".join(odd or [f"{hidden[0]} has GPUs that Ray does not hand out"])
        return Finding("gpus", False, says, "see `nvidia-smi` there; install its driver, then restart Ray on that node")
    total, kept = (sum(getattr(node, name) for node in nodes) for name in ("ray_gpus", "driver_gpus"))
    if total < kept:
        says = f"Ray hands out {total:g} of the {kept:g} that drivers show, as CUDA_VISIBLE_DEVICES may say"
        return Finding("gpus", True, says)
    return Finding("gpus", True, f"{total:g} seen by Ray and by the driver" if total else "none: studies run on CPUs")


def storage(nodes: Sequence[Node], where: str) -> Finding:
    """Report the nodes that cannot share files through the storage."""
    odd = [f"{node.name} {node.storage_error}" for node in nodes if node.storage_error]
    if odd:
        fix = "name storage that every node reaches with --storage or STUDY_STORAGE: a bucket, or a shared folder"
        return Finding("storage", False, "; ".join(odd), fix)
    return Finding("storage", True, f"{where} is read and written by {_number(nodes, 'node')}")


def hub(nodes: Sequence[Node], models: Sequence[str]) -> Finding:
    """Report the nodes that have a model neither from the hub nor in their cache."""
    odd = [f"{node.name} has no {' or '.join(node.absent_models)}" for node in nodes if node.absent_models]
    if odd:
        fix = "connect it to the hub or HF_ENDPOINT, copy HF_HOME from a machine that has the models, or set HF_TOKEN"
        return Finding("hub", False, "; ".join(odd) + ", in its cache or on the hub", fix)
    says = (
        f"{', '.join(models)} can be loaded by {_number(nodes, 'node')}"
        if models
        else "not needed: no backbone is a model of the hub"
    )
    return Finding("hub", True, says)


def clock(nodes: Sequence[Node]) -> Finding:
    """Report the nodes whose clocks are wrong."""
    odd = [f"{node.name} is {node.clock_off_s:+.0f} s off" for node in nodes if abs(node.clock_off_s) > CLOCK_S]
    if odd:
        return Finding("clock", False, "; ".join(odd), "turn time synchronisation on there: `timedatectl set-ntp true`")
    return Finding("clock", True, f"within {CLOCK_S:g} s on {_number(nodes, 'node')}")


def disk(nodes: Sequence[Node]) -> Finding:
    """Report the nodes whose disks are too full for Ray or for a model."""
    odd = [f"{node.name} has {node.free_bytes / 1e9:.0f} GB free" for node in nodes if node.free_bytes < FREE_BYTES]
    odd += [f"{node.name}: the disk of Ray's files is {node.full:.0%} full" for node in nodes if node.full >= FULL]
    if odd:
        return Finding(
            "disk", False, "; ".join(odd), "free space there, or set STUDY_CACHE and HF_HOME to a larger disk"
        )
    return Finding("disk", True, f"at least {min(node.free_bytes for node in nodes) / 1e9:.0f} GB free on every node")


def _number(nodes: Sequence[Node], what: str) -> str:
    return f"{len(nodes)} {what}" + "s" * (len(nodes) != 1)
