"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.process_group import ProcessGroup, RunInGroup


@pytest.fixture(scope="session")
def run_in_group() -> Iterator[RunInGroup]:
    """`run_in_group(W, function, *args)` runs a module-level function in W real gloo processes."""
    groups: dict[int, ProcessGroup] = {}

    def run(world_size: int, function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        return groups.setdefault(world_size, ProcessGroup(world_size)).run(function, *args, **kwargs)

    yield run
    for group in groups.values():
        group.stop()
