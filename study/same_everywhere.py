"""Refuses ranks that run other code, read other data or compute in another precision than rank 0.

Each computes its part of one result.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping

from study import distributed
from tasks.plugins import TaskError


def check_same_everywhere(used: Mapping[str, str | None]) -> None:
    """Compare what the ranks use; collective.

    Args:
        used: what it is, as messages call it -> its revision.

    Raises:
        TaskError: two ranks differ; on all ranks.
    """
    (first_node, first), *others = distributed.gather_objects((platform.node(), dict(used)))
    for node, other in others:
        for name, revision in first.items():
            if other.get(name) != revision:
                raise TaskError(
                    f"{name} is not the same on all nodes (revision {str(revision)[:12]} on {first_node}, "
                    f"{str(other.get(name))[:12]} on {node}): copy it to them again"
                )


def check_same_precision(used: str) -> None:
    """Compare the precision that the ranks compute in, which `auto` leaves to their GPUs; collective.

    Raises:
        TaskError: two ranks differ; on all ranks.
    """
    (first_node, first), *others = distributed.gather_objects((platform.node(), used))
    for node, other in others:
        if other != first:
            raise TaskError(
                f"precision auto is {first} on {first_node} and {other} on {node}: run the workers of a trial on GPUs "
                "of one kind, or set precision to fp32"
            )
