"""All bad inputs, and a sample of them."""

from __future__ import annotations

from tests.bad_inputs import checkpoints, command_lines, data, searches, settings, spaces, studies
from tests.bad_inputs.case import BadInput

MODULES = (spaces, settings, searches, command_lines, data, checkpoints, studies)


def all_inputs() -> list[BadInput]:
    """Return every bad input, in a fixed order."""
    return [case for module in MODULES for case in module.inputs()]


def sample(every: int) -> list[BadInput]:
    """Return every n-th of the bad inputs that need no permission to be missing."""
    return [case for case in all_inputs() if not case.permission][::every]
